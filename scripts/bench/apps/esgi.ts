// The application on Tricorn's own interface.
import process from "node:process";
import type { Application } from "../../../src/esgi/application.ts";
import { BIG, DATA, HELLO, type PlainHandler } from "./content.ts";

const handlers: Record<PlainHandler, Application> = {
  hello(_environ, startResponse) {
    startResponse("200 OK", [["Content-Type", "text/plain"]]);
    return HELLO;
  },
  json(_environ, startResponse) {
    startResponse("200 OK", [["Content-Type", "application/json"]]);
    return JSON.stringify(DATA);
  },
  async echo(environ, startResponse) {
    const body = await environ["esgi.input"].bytes();
    startResponse("200 OK", [["Content-Type", "application/octet-stream"]]);
    return body;
  },
  big(_environ, startResponse) {
    startResponse("200 OK", [["Content-Type", "application/octet-stream"]]);
    return BIG;
  },
};

export const application: Application = handlers[process.env.BENCH_HANDLER as keyof typeof handlers];
