// `tricorn/fetch`: fetch applications as ESGI applications, and the reverse.
export { fromFetch } from "./fetch.ts";
export type { FetchApplication, FetchContext, FetchEnv, FetchHandler, FetchOptions } from "./fetch.ts";
export { installLightGlobals } from "./globals.ts";
export { toFetchHandler } from "./to_fetch.ts";
export type { ServeInfo, ToFetchOptions } from "./to_fetch.ts";
