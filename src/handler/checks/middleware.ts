// A check of MIDDLEWARE, without loading it: who checks a project must not begin what its middleware begins.

import type { Settings } from "../settings.ts";
import type { CheckMessage } from "./messages.ts";

/** middleware.E001, middleware.W002. */
export function checkMiddleware({ MIDDLEWARE }: Settings): CheckMessage[] {
  return MIDDLEWARE.flatMap((middleware: unknown, index): CheckMessage[] => {
    if (typeof middleware !== "function") {
      return [{
        level: "error",
        id: "middleware.E001",
        message: `MIDDLEWARE[${index}] is ${middleware === null ? "null" : `a value of type ${typeof middleware}`}.`,
        hint: "Import the middleware, and give the class or the function itself, not its name.",
      }];
    }
    if (MIDDLEWARE.indexOf(middleware as Settings["MIDDLEWARE"][number]) === index) return [];
    return [{
      level: "warning",
      id: "middleware.W002",
      message: `MIDDLEWARE[${index}] is ${middleware.name || "a function"}, which was there before.`,
      hint: "Leave one of them out: each layer is called for each request.",
    }];
  });
}
