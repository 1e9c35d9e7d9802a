// The entries of the package: some of the names that each has, and a program in TypeScript that uses them all.

export const ENTRIES: Readonly<Record<string, readonly string[]>> = {
  "tricorn": ["serve"],
  "tricorn/esgi": ["FileWrapper", "InputBuffer", "InputError"],
  "tricorn/testing": ["ESGIViolation", "call", "makeEnviron", "validator"],
  "tricorn/fetch": ["fromFetch", "installLightGlobals", "toFetchHandler"],
  "tricorn/node": ["toNodeListener"],
  "tricorn/handler": ["Handler", "HttpRequest", "HttpResponse", "checks", "include", "mount", "path", "reverse"],
  "tricorn/handler/testing": ["Client", "RequestFactory"],
  "tricorn/typescript": [],
};

/** Every entry with its types, used as it is meant to be used, and once as it is not. */
export const CONSUMER: string = `
import { createServer } from "node:http";
import { type Options, type RunningServer, serve } from "tricorn";
import type { Application, Environ, StartResponse } from "tricorn/esgi";
import { InputError } from "tricorn/esgi";
import { type FetchApplication, fromFetch, toFetchHandler } from "tricorn/fetch";
import { defineUrls, Handler, JsonResponse, path, registerConverter, reverse, type View } from "tricorn/handler";
import { Client } from "tricorn/handler/testing";
import { toNodeListener } from "tricorn/node";
import { call, makeEnviron, validator } from "tricorn/testing";
import "tricorn/typescript";

export const application: Application = async (environ: Environ, startResponse: StartResponse) => {
  try {
    startResponse("200 OK", [["Content-Type", "text/plain"]]);
    return await environ["esgi.input"].bytes();
  } catch (error) {
    if (error instanceof InputError) return error.message;
    throw error;
  }
};
const options: Options = { bind: ["127.0.0.1:0", "unix:/tmp/socket"], keepalive: 5 };
export const running: Promise<RunningServer> = serve(application, options);
const hono: FetchApplication = { fetch: (request: Request) => new Response(request.url) };
export const other: Promise<RunningServer> = serve(hono);
export const handler: (request: Request) => Promise<Response> = toFetchHandler(fromFetch(hono));
createServer(toNodeListener(application)).listen(0);
const reply = await call(validator(application), makeEnviron({ path: "/x", json: { a: 1 } }));
export const status: number = reply.status;
declare module "tricorn/handler" {
  interface ConverterTypes { day: Date }
}
registerConverter({ regex: "[0-9-]+", fromURL: (text) => new Date(text), toURL: (date) => date.toJSON() }, "day");
const year: View<{ year: number }> = (_request, { year }) => new JsonResponse({ year });
const day: View<{ day: Date }> = (_request, { day }) => new JsonResponse({ day: day.getTime() });
const urlconf = defineUrls([path("<int:year>/", year, { name: "year" }), path("on/<day:day>/", day)]);
export const url: string = reverse("year", { urlconf, params: { year: 2024 } });
const site = new Handler({ ALLOWED_HOSTS: ["localhost"], ROOT_URLCONF: urlconf });
export const answer: { year: number } = (await new Client(site).get(url)).json<{ year: number }>();
await serve(site.application);
// @ts-expect-error: the parameter is missing
reverse("year", { urlconf });
// @ts-expect-error: the view wants another type than the converter gives
path("<slug:year>/", year);
// @ts-expect-error: there is no such setting
new Handler({ ALLOWED_HOST: ["localhost"] });
// @ts-expect-error: there is no such option
await serve(application, { bnd: "127.0.0.1:0" });
// @ts-expect-error: a status is a string
export const wrong: Application = (_environ, startResponse) => startResponse(200, []);
`;
