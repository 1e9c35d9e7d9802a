// As much of the packages in ../package.json as the servers use, so that this repository can be checked without them.

declare module "@hono/node-server" {
  export function serve(options: {
    fetch: (request: Request) => Response | Promise<Response>;
    hostname: string;
    port: number;
  }): unknown;
}

declare module "srvx" {
  export const FastResponse: typeof Response;
  export function serve(options: {
    fetch: (request: Request) => Response | Promise<Response>;
    hostname: string;
    port: number;
    silent: boolean;
  }): unknown;
}

declare module "fastify" {
  interface Reply {
    send(body: unknown): Reply;
  }
  type RouteHandler = (
    request: { readonly body: unknown },
    reply: Reply,
  ) => void;
  interface Fastify {
    get(path: string, handler: RouteHandler): Fastify;
    get(
      path: string,
      options: { schema: unknown },
      handler: RouteHandler,
    ): Fastify;
    post(path: string, handler: RouteHandler): Fastify;
    addContentTypeParser(
      type: string,
      options: { parseAs: "buffer" },
      parser: (
        request: unknown,
        body: Uint8Array,
        done: (error: Error | null, body: unknown) => void,
      ) => void,
    ): Fastify;
    listen(options: { port: number; host: string }): Promise<string>;
  }
  export default function fastify(options: { logger: boolean }): Fastify;
}
