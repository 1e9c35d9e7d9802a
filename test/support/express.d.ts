// What the tests use of express, which ships no types.
declare module "express" {
  type Handler = (
    request: import("node:http").IncomingMessage & { baseUrl?: string },
    response: import("node:http").ServerResponse,
    next: (error?: unknown) => void,
  ) => void;
  interface Express {
    (request: import("node:http").IncomingMessage, response: import("node:http").ServerResponse): void;
    use(handler: Handler): Express;
    use(path: string | string[], handler: Handler): Express;
  }
  function express(): Express;
  namespace express {
    function json(): Handler;
  }
  export default express;
}
