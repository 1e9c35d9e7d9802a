// The smallest ESGI application: `tricorn serve examples/hello.ts`.
import type { Application } from "../src/esgi/mod.ts"; // in your project: "tricorn/esgi"

export const application: Application = (_environ, startResponse) => {
  startResponse("200 OK", [["Content-Type", "text/plain"]]);
  return "Hello, World!";
};
