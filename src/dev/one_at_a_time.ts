// `--nothreading`: the application has one request at a time, from the call until its body has ended. To find out whether an
// error has to do with requests that run at once.

import type { Application } from "../esgi/application.ts";
import type { Body } from "../esgi/body.ts";
import { watchBody } from "./watched_body.ts";

/** `application`, each of whose requests waits for the one before. */
export function oneAtATime(application: Application): Application {
  let last: Promise<void> = Promise.resolve();
  return async (environ, startResponse) => {
    const before = last;
    let ended!: () => void;
    last = new Promise((resolve) => {
      ended = resolve;
    });
    await before;
    let body: Body;
    try {
      // Its client may have given up while it waited.
      environ["esgi.signal"].throwIfAborted();
      body = await application(environ, startResponse);
    } catch (error) {
      ended();
      throw error;
    }
    return watchBody(body, { ended });
  };
}
