// A client that only checks: sends requests and reads the responses, strictly enough to know their status and body.
import { connect } from "node:net";

export interface Reply {
  readonly status: number;
  readonly body: string;
  /** How many bytes of the input it takes. */
  readonly length: number;
}

/** Reads the response at the start of `input` (latin1); null when more of it has to come. */
export function readReply(input: string): Reply | null {
  const end = input.indexOf("\r\n\r\n");
  if (end === -1) return null;
  const head = input.slice(0, end);
  const status = Number(/^HTTP\/1\.1 (\d{3})(?: |$)/m.exec(head)?.[1] ?? NaN);
  const start = end + 4;
  if (/^transfer-encoding: *chunked *$/im.test(head)) {
    return readChunked(input, start, status);
  }
  const length = Number(/^content-length: *(\d+) *$/im.exec(head)?.[1] ?? NaN);
  if (Number.isNaN(length)) {
    throw new Error("a response without Content-Length or chunked coding");
  }
  if (input.length < start + length) return null;
  return {
    status,
    body: input.slice(start, start + length),
    length: start + length,
  };
}

function readChunked(input: string, start: number, status: number): Reply | null {
  let body = "";
  for (let offset = start;;) {
    const line = input.indexOf("\r\n", offset);
    if (line === -1) return null;
    const size = parseInt(input.slice(offset, line), 16);
    const next = line + 2 + size + 2;
    if (input.length < next) return null;
    if (size === 0) return { status, body, length: next };
    body += input.slice(line + 2, line + 2 + size);
    offset = next;
  }
}

/** Sends `request` `times` times at once on one connection, and returns as many replies. */
export function exchange(port: number, request: string, times: number): Promise<Reply[]> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1" });
    const replies: Reply[] = [];
    let input = "";
    socket.setEncoding("latin1");
    socket.setTimeout(
      5_000,
      () =>
        socket.destroy(
          new Error(`${replies.length} of ${times} responses after 5 s`),
        ),
    );
    socket.on("connect", () => socket.write(request.repeat(times), "latin1"));
    socket.on("data", (chunk: string) => {
      input += chunk;
      try {
        for (let reply = readReply(input); reply !== null; reply = readReply(input)) {
          replies.push(reply);
          input = input.slice(reply.length);
        }
      } catch (error) {
        socket.destroy(error as Error);
      }
      if (replies.length < times) return;
      socket.destroy();
      resolve(replies);
    });
    socket.on("error", reject);
    socket.on(
      "close",
      () =>
        reject(
          new Error(
            `the connection closed after ${replies.length} of ${times} responses`,
          ),
        ),
    );
  });
}

/** What is wrong with `replies`, or null. */
export function problemOf(replies: readonly Reply[], expected: string, times: number): string | null {
  if (replies.length !== times) {
    return `${replies.length} responses to ${times} requests`;
  }
  for (const { status, body } of replies) {
    if (status !== 200) return `status ${status}: ${body.slice(0, 80)}`;
    if (body !== expected) {
      return `wrong body: ${JSON.stringify(body.slice(0, 80))} (${body.length} bytes)`;
    }
  }
  return null;
}
