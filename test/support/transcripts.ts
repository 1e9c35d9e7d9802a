// Transcripts: bytes in, responses out, on a real connection. Each is sent whole and byte by byte, and the same bytes must
// come back both times and from each runtime.

import { describe, expect, test } from "vitest";
import type { Client } from "./client.ts";
import type { Response } from "./response.ts";
import { onEachRuntime, RUNTIMES } from "./runtimes.ts";
import { useServer } from "./server.ts";

/** What examples/echo.ts tells. */
export interface Echo {
  method: string;
  target: string;
  path: string;
  query: string;
  protocol: string;
  headers: [string, string][];
  bodyLength: number;
  bodySha256: string;
  trailers: [string, string][];
}

export interface Transcript {
  readonly name: string;
  readonly send: string;
  /** The statuses of the responses, in order, interim ones too. */
  readonly statuses: readonly number[];
  /** The responses answer HEAD. */
  readonly head?: boolean;
  /** Afterwards the connection carries another request, or the server ends it. */
  readonly then: "open" | "closed";
  /** What the last response's echo contains. */
  readonly echo?: Partial<Echo>;
  /** Byte by byte it would be answered in another way. */
  readonly wholeOnly?: boolean;
  readonly check?: (responses: readonly Response[]) => void;
}

/** A request with a Host field and more. */
export function get(target: string, ...fields: string[]): string {
  return `GET ${target} HTTP/1.1\r\nHost: test\r\n${fields.map((field) => `${field}\r\n`).join("")}\r\n`;
}

export function post(body: string, ...fields: string[]): string {
  return `POST / HTTP/1.1\r\nHost: test\r\n${fields.map((field) => `${field}\r\n`).join("")}\r\n${body}`;
}

export function chunked(body: string, ...fields: string[]): string {
  return post(body, "Transfer-Encoding: chunked", ...fields);
}

/** Answered by the application; the connection stays. */
export function served(name: string, send: string, echo: Partial<Echo> = {}): Transcript {
  return { name, send, statuses: [200], then: "open", echo };
}

/** Answered by the server itself, which then closes. */
export function refused(name: string, status: number, send: string): Transcript {
  return {
    name,
    send,
    statuses: [status],
    then: "closed",
    check: ([response]) => {
      expect(response!.field("Connection")).toBe("close");
      expect(response!.field("Content-Type")).toBe("text/plain");
      expect(response!.text).toMatch(new RegExp(`^${status} `));
      expect(response!.framing).toBe("length");
    },
  };
}

/** Reads what a transcript promises, and what has to come after it. */
async function read(client: Client, { statuses, head, then }: Transcript): Promise<Response[]> {
  const responses: Response[] = [];
  for (let n = 0; n < statuses.length; n++) {
    responses.push(await client.response({ head: head ?? false }));
    expect(responses.map(({ status }) => status)).toEqual(statuses.slice(0, n + 1));
  }
  if (then === "open") {
    expect(responses.at(-1)!.field("Connection")).not.toBe("close");
    // Another request, to see that both sides agree where the first one ended; it asks for the end, so that what follows
    // would be seen.
    client.send(get("/after", "Connection: close"));
    const after = await client.response();
    expect(after.status).toBe(200);
    expect((JSON.parse(after.text) as Echo).target).toBe("/after");
  }
  const { ending, rest } = await client.ended();
  expect(rest).toBe("");
  expect(ending).toBe("fin");
  return responses;
}

/** Sections of transcripts, as tests. */
export function testTranscripts(title: string, sections: Readonly<Record<string, readonly Transcript[]>>): void {
  /** Each transcript's answers, by runtime. */
  const answers = new Map<string, Map<string, string>>();

  onEachRuntime(title, (runtime) => {
    const server = useServer(runtime);

    for (const [section, transcripts] of Object.entries(sections)) {
      describe(section, () => {
        for (const transcript of transcripts) {
          test.concurrent(transcript.name, async () => {
            const client = await server().connect();
            client.send(transcript.send);
            const responses = await read(client, transcript);
            const last = responses.at(-1)!;
            if (transcript.echo !== undefined && transcript.head !== true) {
              expect(JSON.parse(last.text)).toMatchObject(transcript.echo);
            }
            transcript.check?.(responses);
            const whole = responses.map(({ raw }) => raw);
            client.destroy();

            const name = `${section}: ${transcript.name}`;
            if (!answers.has(name)) answers.set(name, new Map());
            answers.get(name)!.set(runtime.name, whole.join(""));

            if (transcript.wholeOnly === true) return;
            const slow = await server().connect();
            await slow.sendByteByByte(transcript.send);
            const pieces = (await read(slow, transcript)).map(({ raw }) => raw);
            expect(pieces, "byte by byte").toEqual(whole);
            slow.destroy();
          });
        }
      });
    }

    test("the server still runs", () => expect(server().ended).toBeNull());
  });

  describe("all runtimes", () => {
    test("answer with the same bytes", () => {
      const names = RUNTIMES.filter(({ missing }) => missing === null).map(({ name }) => name);
      for (const [name, given] of answers) {
        for (const other of names) expect(given.get(other), `${name}: ${other}`).toBe(given.get(names[0]!));
      }
    });
  });
}
