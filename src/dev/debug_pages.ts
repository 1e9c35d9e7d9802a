// The pages of a project, with all that they need to know of it: what the handler asks for them (`tricorn.debug_pages` of
// the environ), what answers for an application that throws or does not load, and what Hono's handlers are given.

import type { Application } from "../esgi/application.ts";
import { type Body, FileWrapper } from "../esgi/body.ts";
import type { Environ } from "../esgi/environ.ts";
import { InputError } from "../esgi/input.ts";
import type { DebugPages } from "../handler/debug.ts";
import { describeFailure, type Failure, type ReadSource } from "./failure.ts";
import type { PageContext } from "./pages/document.ts";
import { errorPage } from "./pages/error.ts";
import { failureText } from "./pages/failure.ts";
import { loadFailurePage } from "./pages/load_failure.ts";
import { type NotFoundDetails, notFoundPage } from "./pages/not_found.ts";
import { describeRequest, describeSettings } from "./pages/request.ts";
import { type Page, renderPage, respondWithPage } from "./pages/respond.ts";
import { type WelcomeDetails, welcomePage } from "./pages/welcome.ts";
import { watchBody } from "./watched_body.ts";

export interface DevPagesOptions extends PageContext {
  /** Reads the text of a source file at an absolute path; null, or it throws, when there is none. */
  readonly readSource: ReadSource;
  /** The file that a new project's first route is written in, an absolute path; null where it is not known. */
  readonly file: string | null;
}

/** An error on its way to a page. */
export interface ErrorFacts {
  readonly error: unknown;
  readonly status: number;
  /** Default: none. */
  readonly settings?: object;
  readonly view?: string | null;
}

/** The pages of one project. */
export class DevPages implements DebugPages {
  readonly #options: DevPagesOptions;
  #onError: (error: unknown, environ: Environ) => void = () => {};

  constructor(options: DevPagesOptions) {
    this.#options = options;
  }

  /** The page of what was thrown. `environ` is null where no request is known. */
  errorPage(environ: Environ | null, { error, status, settings = {}, view = null }: ErrorFacts): Page {
    return errorPage({
      failure: describeFailure(error, this.#options.readSource),
      status,
      request: environ === null ? null : describeRequest(environ),
      settings: describeSettings(settings),
      view,
    }, this.#options);
  }

  /** The page of a 404. */
  notFoundPage(environ: Environ, details: Omit<NotFoundDetails, "request">): Page {
    return notFoundPage({ request: describeRequest(environ), ...details }, this.#options);
  }

  /** The page of a project without routes. */
  welcomePage(kind: WelcomeDetails["kind"]): Page {
    return welcomePage({ kind, file: this.#options.file }, this.#options);
  }

  /**
   * The page of code that does not load. `message` is what the terminal says, one line; `error` what was thrown, undefined
   * where it is no error of the code; `report` what else there is to say, in lines.
   */
  loadFailurePage(message: string, error?: unknown, report: string | null = null): Page {
    const failure = error === undefined ? null : describeFailure(error, this.#options.readSource);
    return loadFailurePage({ message, failure, report }, this.#options);
  }

  /** Tells the log of an error that was answered within the application, as {@link wrap} does of those it answers. */
  report(error: unknown, environ: Environ): void {
    if (!environ["esgi.signal"].aborted) this.#onError(error, environ);
  }

  /** What was thrown, for the terminal: of the frames those of the application, where there are some. */
  text(error: unknown): string {
    return failureText(ownFrames(describeFailure(error, this.#options.readSource)), this.#options);
  }

  // What the handler asks for.

  error: DebugPages["error"] = (environ, facts) =>
    renderPage(environ.HTTP_ACCEPT, facts.status, this.errorPage(environ, facts));

  notFound: DebugPages["notFound"] = (environ, details) =>
    renderPage(environ.HTTP_ACCEPT, 404, this.notFoundPage(environ, details));

  welcome: DebugPages["welcome"] = (environ) => renderPage(environ.HTTP_ACCEPT, 200, this.welcomePage("handler"));

  /** The application in the place of one that does not load: it answers 500 to whatever is asked. */
  failedApplication(message: string, error?: unknown, report: string | null = null): Application {
    const page = this.loadFailurePage(message, error, report);
    return (environ, startResponse) => respondWithPage(environ, startResponse, 500, page);
  }

  /**
   * `application`, with the error page for what it throws before it has sent something, be it in its body. `onError` is told
   * of what was answered so, once, for the log. A request body that could not be read is the server's to answer, as is a
   * client that has left.
   */
  wrap(application: Application, onError: (error: unknown, environ: Environ) => void): Application {
    this.#onError = onError;
    return (environ, startResponse) => {
      environ["tricorn.debug_pages"] = this;
      // The application may change its environ.
      const given = { ...environ };
      const rescue = (error: unknown): string => {
        if (error instanceof InputError || environ["esgi.signal"].aborted) throw error;
        const page = this.errorPage(given, { error, status: 500 });
        const body = respondWithPage(given, startResponse, 500, page, error);
        onError(error, environ);
        return body;
      };
      // A list and a file run no code of the application; the server knows them, and sends them in its own way.
      const watch = (body: Body): Body =>
        Array.isArray(body) || body instanceof FileWrapper ? body : watchBody(body, { rescue });
      try {
        const body = application(environ, startResponse);
        return isThenable(body) ? body.then(watch, rescue) : watch(body);
      } catch (error) {
        return rescue(error);
      }
    };
  }
}

function ownFrames(failure: Failure): Failure {
  const own = failure.frames.filter(({ owner }) => owner === "application");
  return {
    ...failure,
    frames: own.length === 0 ? failure.frames : own,
    cause: failure.cause === null ? null : ownFrames(failure.cause),
    errors: failure.errors.map(ownFrames),
  };
}

function isThenable<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}
