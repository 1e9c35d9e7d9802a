// ESGI applications within a site: below a prefix, an application answers in the place of a view. Its response passes
// through the site's middleware as any other, chunk by chunk.

import type { Application } from "../esgi/application.ts";
import type { Chunk, Upgraded } from "../esgi/body.ts";
import type { Environ } from "../esgi/environ.ts";
import { type ReplyBody, replyBody, ReplyHead } from "../esgi/reply.ts";
import type { View } from "./base.ts";
import { Http404 } from "./exceptions.ts";
import type { HttpRequest } from "./request.ts";
import { type ESGIResponse, HttpResponse, type HttpResponseInit, StreamingHttpResponse } from "./response.ts";
import { type Include, include, rePath } from "./urls/conf.ts";

/**
 * Everything below a prefix, for path(): `path("api/", mount(application))`. The application sees the prefix at the end
 * of SCRIPT_NAME and what follows it as PATH_INFO.
 *
 * Fetch applications go through their bridge: `mount(fromFetch(hono))`. Their URL is the client's, prefix and all, so a
 * Hono application is made with `new Hono().basePath("/api")`. A body that middleware has read, as CsrfViewMiddleware does
 * for a token in a form, is not there for the application.
 *
 * @param decorate goes around the view, which middleware sees: `mount(application, csrfExempt)` for one that knows its
 * clients by something else than cookies.
 */
export function mount(
  application: Application,
  decorate: (view: View) => View = (view) => view,
): Include<readonly [never, { rest: string }]> {
  const view: View<{ rest: string }> = (request, { rest }) => answer(application, request, rest);
  // All characters, line breaks among them.
  return include([rePath("^(?<rest>[\\s\\S]*)$", decorate(view))]);
}

async function answer(application: Application, request: HttpRequest, rest: string): Promise<HttpResponse> {
  const environ = below(request, rest);
  const head = new ReplyHead();
  const body = await application(environ, head.startResponse);
  if (typeof body === "function") return typed(new SwitchingProtocols(body, initOf(head)), head);
  const errors = environ["esgi.errors"];
  const reply = replyBody(body, head, {
    onCloseError: (error) => errors.write(`closing the body of a mounted application failed: ${String(error)}\n`),
  });
  // Before its first chunk an application may replace its head, and a generator has not even one.
  const first = await reply.next();
  const whole = reply.whole ?? (first.done === true ? "" : null);
  return typed(
    whole === null
      ? new StreamingHttpResponse(resumed(first, reply), initOf(head))
      : new HttpResponse(whole, initOf(head)),
    head,
  );
}

/** The environ of the application: what middleware has changed in it stands, and the path is split further on. */
function below(request: HttpRequest, rest: string): Environ {
  const { environ, path } = request;
  const script = path.slice(0, path.length - rest.length);
  const slash = script.endsWith("/");
  // path("api", mount(...)) matches "apiary", too.
  if (!slash && rest !== "" && !rest.startsWith("/")) throw new Http404(`nothing is mounted at ${path}`);
  return {
    ...environ,
    SCRIPT_NAME: slash ? script.slice(0, -1) : script,
    PATH_INFO: slash ? `/${rest}` : rest,
  };
}

function initOf({ code, reason, headers }: ReplyHead): HttpResponseInit {
  return { status: code, reason, headers };
}

/** `response` without the Content-Type that it has by default, where the application gave none. */
function typed(response: HttpResponse, { headers }: ReplyHead): HttpResponse {
  if (!headers.some(([name]) => name.toLowerCase() === "content-type")) response.headers.delete("Content-Type");
  return response;
}

/** `reply` from its first result on. */
function resumed(first: IteratorResult<Chunk>, reply: ReplyBody): AsyncIterableIterator<Chunk> {
  let pending: IteratorResult<Chunk> | null = first;
  return {
    next(): Promise<IteratorResult<Chunk>> {
      const result = pending;
      pending = null;
      return result === null ? reply.next() : Promise.resolve(result);
    },
    return: () => reply.return(),
    [Symbol.asyncIterator](): AsyncIterableIterator<Chunk> {
      return this;
    },
  };
}

/** A connection that the application takes over. */
class SwitchingProtocols extends HttpResponse {
  readonly #upgraded: Upgraded;

  constructor(upgraded: Upgraded, init: HttpResponseInit) {
    super("", init);
    this.#upgraded = upgraded;
  }

  override get streaming(): boolean {
    return true;
  }

  override toESGI(_request: HttpRequest): ESGIResponse {
    return this.withBody(this.#upgraded);
  }
}
