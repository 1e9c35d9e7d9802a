// ESGI 1.0, as an application sees it: `import type { Application } from "tricorn/esgi"`. SPEC.md has its rules.
export type { Application, MaybePromise, Middleware, StartResponse } from "./application.ts";
export { FileWrapper } from "./body.ts";
export type { Body, Chunk, Duplex, Upgraded } from "./body.ts";
export type { Environ, ErrorStream, Header, Headers, TlsInfo } from "./environ.ts";
export { InputBuffer, InputError } from "./input.ts";
export type { Input, InputFault, InputSource } from "./input.ts";
