// A site of one middleware or more, and what it answers: the whole way, from environ to reply.

import type { Middleware, View } from "../../../src/handler/base.ts";
import { Handler } from "../../../src/handler/handler.ts";
import type { LogRecord } from "../../../src/handler/log.ts";
import type { HandlerSettings } from "../../../src/handler/settings.ts";
import { path } from "../../../src/handler/urls/mod.ts";
import { call, type CallOptions, type Reply } from "../../../src/esgi/testing.ts";
import { validator } from "../../../src/esgi/validator.ts";

export interface Site {
  /** The reply to a request; each is checked against the rules of ESGI. */
  get(request?: CallOptions | string): Promise<Reply>;
  /** What the log was told. */
  readonly records: LogRecord[];
}

/** A site whose every view is at the path of its name, "" being the root. */
export function makeSite(
  middleware: readonly Middleware[],
  views: Readonly<Record<string, View>>,
  settings: HandlerSettings = {},
): Site {
  const records: LogRecord[] = [];
  const handler = new Handler({
    ALLOWED_HOSTS: ["example.com", "www.example.com", "localhost"],
    MIDDLEWARE: middleware,
    ROOT_URLCONF: Object.entries(views).map(([route, view]) => path(route, view)),
    LOGGER: (record) => void records.push(record),
    ...settings,
  });
  const application = validator(handler.application);
  return { get: (request) => call(application, request ?? "/"), records };
}
