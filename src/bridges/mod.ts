// `tricorn/fetch`: fetch applications as ESGI applications.
export { fromFetch } from "./fetch.ts";
export type { FetchApplication, FetchContext, FetchEnv, FetchHandler, FetchOptions } from "./fetch.ts";
export { installLightGlobals } from "./globals.ts";
