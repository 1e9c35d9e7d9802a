// What both bridges onto a runtime's own HTTP server share: the answer to a failed application, what the operator is
// told of it, and the fields that are not the application's to send.

import type { ErrorStream, Header, Headers } from "../esgi/environ.ts";
import { InputError } from "../esgi/input.ts";
import { REASON_PHRASES } from "../esgi/reason_phrases.ts";
import { isHopByHop } from "../esgi/reply.ts";

/** `esgi.errors` where the runtime has no error log but the console: whole lines, each once. */
export class ConsoleErrors implements ErrorStream {
  #text = "";

  write(text: string): void {
    this.#text += text;
    const end = this.#text.lastIndexOf("\n");
    if (end < 0) return;
    console.error(this.#text.slice(0, end));
    this.#text = this.#text.slice(end + 1);
  }

  flush(): void {
    if (this.#text !== "") this.write("\n");
  }
}

/** The answer to a request whose application failed before its head was sent. It tells nothing of why. */
export interface Failure {
  readonly code: number;
  readonly reason: string;
  readonly headers: Headers;
  readonly body: string;
}

/** 500; for an {@link InputError} that the application let pass, what that says. */
export function failureOf(error: unknown): Failure {
  const code = error instanceof InputError ? error.status : 500;
  const reason = REASON_PHRASES[code] ?? "Error";
  const body = `${code} ${reason}\n`;
  return {
    code,
    reason,
    headers: [["Content-Type", "text/plain"], ["Content-Length", String(body.length)]],
    body,
  };
}

/** Tells the operator, with the stack. */
export function report(errors: ErrorStream, what: string, error?: unknown): void {
  const detail = error === undefined
    ? ""
    : `: ${error instanceof Error ? error.stack ?? error.message : String(error)}`;
  errors.write(`${what}${detail}\n`);
}

/** The fields without those that the server's own framing and connection handling decide. */
export function endToEnd(headers: Headers): Header[] {
  return headers.filter(([name]) => !isHopByHop(name));
}

/** An address without the form in which IPv6 sockets show IPv4 ones, and without zone. */
export function plainAddress(address: string): string {
  const plain = address.replace(/%.*$/, "");
  return plain.startsWith("::ffff:") && plain.includes(".") ? plain.slice(7) : plain;
}

/** Why the client's leaving aborts. */
export function clientLeft(): DOMException {
  return new DOMException("the client has left", "AbortError");
}
