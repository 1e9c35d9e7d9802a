// The application as a fetch handler, with the Response and the way to read a body that its server
// likes best.
import { BIG, DATA, type Handler, HELLO, type PlainHandler } from "./content.ts";

/** A Request as far as the handlers look at it. */
export interface FetchRequest {
  bytes(): Promise<Uint8Array<ArrayBuffer>>;
  text(): Promise<string>;
}

type ResponseMaker = {
  new (body: BodyInit): Response;
  json(data: unknown): Response;
};

export type FetchHandler = (request: FetchRequest) => Response | Promise<Response>;

export function fetchHandler(
  handler: Handler,
  Maker: ResponseMaker = Response,
  read: "bytes" | "text" = "bytes",
): FetchHandler {
  const handlers: Record<PlainHandler, FetchHandler> = {
    hello: () => new Maker(HELLO),
    json: () => Maker.json(DATA),
    echo: async (request) => new Maker(await request[read]()),
    big: () => new Maker(BIG),
  };
  return handlers[handler as keyof typeof handlers];
}
