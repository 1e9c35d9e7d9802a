// What an application throws becomes a page, as long as nothing of its response has been sent; later it is the server's.

import type { Application, StartResponse } from "../esgi/application.ts";
import type { Body, Chunk } from "../esgi/body.ts";
import type { Environ } from "../esgi/environ.ts";
import { watchBody } from "./watched_body.ts";

/** Declares a response for `error`, with `error` as the third argument of `startResponse`, and returns its content. */
export type AnswerError = (environ: Environ, startResponse: StartResponse, error: unknown) => Chunk;

/** `application`, for whose errors `answer` speaks. */
export function withErrorPages(application: Application, answer: AnswerError): Application {
  return (environ, startResponse) => {
    const rescue = (error: unknown): Chunk => {
      const signal = environ["esgi.signal"];
      // Nobody is there to read it, and it is no fault of the application.
      if (signal.aborted && error === signal.reason) throw error;
      return answer(environ, startResponse, error);
    };
    let body: Body | Promise<Body>;
    try {
      body = application(environ, startResponse);
    } catch (error) {
      return rescue(error);
    }
    if (body instanceof Promise) return body.then((body) => watchBody(body, { rescue }), rescue);
    return watchBody(body, { rescue });
  };
}
