// What the bench tells a server process, through its environment.
import process from "node:process";
import type { Handler } from "../apps/content.ts";

const { env } = process;

export const hostname = "127.0.0.1";
export const port: number = Number(env.BENCH_PORT);
export const handler: Handler = env.BENCH_HANDLER as Handler;
/** True when idle connections are measured: none may time out. */
export const idle: boolean = env.BENCH_IDLE === "1";
/** How many bytes each request has; only servers that do not parse need to know. */
export const requestLength: number = Number(env.BENCH_REQUEST_LENGTH);
