// A Response that passes for the native one and keeps what it was made of: a string stays a string until it is sent.
// Everything that the native constructor checks is checked here; how a response becomes an ESGI reply is at the end.

import type { Environ, Header } from "../esgi/environ.ts";
import type { MaybePromise, StartResponse } from "../esgi/application.ts";
import type { Body } from "../esgi/body.ts";
import { fieldValue, headersOver, LightHeaders, pairsOfInit, sharePairs } from "./light_headers.ts";
import { isDisturbed, type Known, KnownBody, knownBodyOf } from "./light_stream.ts";
import { completeFrom, hasInstance, NativeResponse, standsFor } from "./natives.ts";
import { fieldsOf, lineOf, sendBlob, sendKnown, sendStream } from "./reply.ts";

// What a response was made of. Known content that was handed out as a stream is a KnownBody.
type Source =
  | null
  | Known
  | KnownBody
  | Blob
  | ReadableStream<Uint8Array<ArrayBuffer>>
  | AsyncIterable<Uint8Array>;

const NO_PAIRS: readonly Header[] = [];
const TEXT = "text/plain;charset=UTF-8";
const FORM = "application/x-www-form-urlencoded;charset=UTF-8";
const JSON_TYPE = "application/json";
const TEXT_PAIRS: readonly Header[] = [["content-type", TEXT]];
const JSON_PAIRS: readonly Header[] = [["content-type", JSON_TYPE]];

const encoder = new TextEncoder();
const decoder = new TextDecoder();

// Fetch, "extract a body": the Content-Type that goes with what `extract` returned last.
let extractedType: string | null = null;

function extract(body: unknown): Source {
  extractedType = null;
  if (typeof body === "object" && body !== null) {
    if (body instanceof ReadableStream) {
      const known = knownBodyOf(body);
      if (known === null ? body.locked || isDisturbed(body) : known.peek() === null) {
        throw new TypeError("a body stream must be neither locked nor read from");
      }
      return known ?? body;
    }
    if (ArrayBuffer.isView(body)) return copyOf(body);
    if (body instanceof ArrayBuffer) return new Uint8Array(body.slice(0));
    if (body instanceof Blob) {
      if (body.type !== "") extractedType = body.type;
      return body;
    }
    if (body instanceof URLSearchParams) {
      extractedType = FORM;
      return body.toString();
    }
    if (body instanceof FormData) {
      const native = new NativeResponse(body);
      extractedType = native.headers.get("content-type");
      return native.body;
    }
    if (Symbol.asyncIterator in body) return body as AsyncIterable<Uint8Array>;
  }
  extractedType = TEXT;
  return `${body as string}`;
}

function copyOf(view: ArrayBufferView): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(view.byteLength);
  copy.set(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
  return copy;
}

function hasField(pairs: readonly Header[], name: string): boolean {
  for (let i = 0; i < pairs.length; i++) if (pairs[i]![0] === name) return true;
  return false;
}

function withType(pairs: readonly Header[], type: string): readonly Header[] {
  if (pairs.length === 0) {
    return type === TEXT ? TEXT_PAIRS : type === JSON_TYPE ? JSON_PAIRS : [["content-type", type]];
  }
  return hasField(pairs, "content-type") ? pairs : [...pairs, ["content-type", type]];
}

function toStatus(value: unknown): number {
  // WebIDL "unsigned short".
  const status = (typeof value === "number" ? value : Number(value)) & 0xffff;
  if (status < 200 || status > 599) {
    throw new RangeError(`a response's status must be 200 to 599, not ${String(value)}`);
  }
  return status;
}

function toStatusText(value: unknown): string {
  const text = `${value as string}`;
  if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(text)) {
    throw new TypeError(`invalid statusText ${JSON.stringify(text)} (RFC 9112 §4, reason-phrase)`);
  }
  return text;
}

function isNullBodyStatus(status: number): boolean {
  return status === 204 || status === 205 || status === 304;
}

function asText(known: Known): string {
  if (typeof known !== "string") return decoder.decode(known);
  // Fetch reads text as UTF-8: a byte order mark goes, a lone surrogate has become U+FFFD.
  if (/[\ud800-\udfff]/.test(known)) known = decoder.decode(encoder.encode(known));
  return known.charCodeAt(0) === 0xfeff ? known.slice(1) : known;
}

const ALREADY_READ = "the response's body has been read already: it can be read once";

/** Whether `value` is a light response; faster than `instanceof`. */
export let isLightResponse: (value: object) => value is LightResponse;
let sendLight: (response: LightResponse, environ: Environ, startResponse: StartResponse) => MaybePromise<Body>;
let makeError: () => LightResponse;
let makeRedirect: (location: string, status: number) => LightResponse;

/** The Response that takes the native one's place while a fetch application is served on Node. */
export class LightResponse {
  #status = 200;
  #statusText = "";
  #pairs: readonly Header[] = NO_PAIRS;
  // Once somebody asked for the Headers they hold the truth, and #pairs nothing.
  #headers: LightHeaders | null = null;
  #immutable = false;
  #source: Source = null;
  #used = false;
  // Once a native response had to be made, it holds the body.
  #native: Response | null = null;

  static {
    isLightResponse = (value): value is LightResponse => #source in value;
    sendLight = (response, environ, startResponse) => response.#send(environ, startResponse);
    makeError = () => {
      const response = new LightResponse();
      response.#status = 0;
      response.#immutable = true;
      return response;
    };
    makeRedirect = (location, status) => {
      const response = new LightResponse();
      response.#status = status;
      response.#pairs = [["location", location]];
      response.#immutable = true;
      return response;
    };
    completeFrom(this.prototype, new NativeResponse(), (light: LightResponse) => light.#reveal());
  }

  constructor(body: BodyInit | null = null, init?: ResponseInit) {
    let type: string | null = null;
    if (typeof body === "string") {
      this.#source = body;
      type = TEXT;
    } else if (body !== null) {
      this.#source = extract(body);
      type = extractedType;
    }
    if (init === undefined || init === null) {
      if (type !== null) this.#pairs = withType(NO_PAIRS, type);
      return;
    }
    if (typeof init !== "object" && typeof init !== "function") {
      throw new TypeError("the second argument must be an object");
    }
    const { headers, status, statusText } = init;
    if (status !== undefined) this.#status = toStatus(status);
    if (statusText !== undefined) this.#statusText = toStatusText(statusText);
    if (headers !== undefined) this.#pairs = pairsOfInit(headers);
    if (this.#source !== null && isNullBodyStatus(this.#status)) {
      throw new TypeError(`a response with status ${this.#status} has no body`);
    }
    if (type !== null) this.#pairs = withType(this.#pairs, type);
  }

  static [Symbol.hasInstance](value: unknown): boolean {
    return hasInstance(this, value, LightResponse, NativeResponse);
  }

  static error(): Response {
    return makeError() as unknown as Response;
  }

  static json(data: unknown, init?: ResponseInit): Response {
    const text = JSON.stringify(data);
    if (text === undefined) throw new TypeError("the value cannot be written as JSON");
    const response = new LightResponse(null, init);
    if (isNullBodyStatus(response.#status)) {
      throw new TypeError(`a response with status ${response.#status} has no body`);
    }
    response.#source = text;
    response.#pairs = withType(response.#pairs, JSON_TYPE);
    return response as unknown as Response;
  }

  static redirect(url: string | URL, status: number = 302): Response {
    const location = new URL(url).href;
    const code = Number(status) & 0xffff;
    if (code !== 301 && code !== 302 && code !== 303 && code !== 307 && code !== 308) {
      throw new RangeError(`a redirect's status must be 301, 302, 303, 307 or 308, not ${String(status)}`);
    }
    return makeRedirect(fieldValue(location), code) as unknown as Response;
  }

  get type(): ResponseType {
    return this.#status === 0 ? "error" : "default";
  }

  get url(): string {
    return "";
  }

  get redirected(): boolean {
    return false;
  }

  get status(): number {
    return this.#status;
  }

  get statusText(): string {
    return this.#statusText;
  }

  get ok(): boolean {
    return this.#status >= 200 && this.#status <= 299;
  }

  get headers(): Headers {
    if (this.#headers === null) {
      this.#headers = headersOver(this.#pairs, true, this.#immutable);
      this.#pairs = NO_PAIRS;
    }
    return this.#headers as unknown as Headers;
  }

  get body(): ReadableStream<Uint8Array<ArrayBuffer>> | null {
    if (this.#native !== null) return this.#native.body;
    let source = this.#source;
    if (source === null) return null;
    if (typeof source === "string" || source instanceof Uint8Array) {
      source = new KnownBody(source);
      if (this.#used) source.take();
      this.#source = source;
    }
    if (source instanceof KnownBody) return source.stream;
    if (source instanceof ReadableStream) return source;
    return this.#reveal().body;
  }

  get bodyUsed(): boolean {
    if (this.#native !== null) return this.#native.bodyUsed;
    const source = this.#source;
    if (source === null || this.#used) return this.#used;
    if (source instanceof KnownBody) return source.disturbed;
    return source instanceof ReadableStream && isDisturbed(source);
  }

  text(): Promise<string> {
    const known = this.#takeKnown();
    return known === undefined
      ? this.#consume("text")
      : known instanceof TypeError
      ? Promise.reject(known)
      : Promise.resolve(asText(known));
  }

  async json(): Promise<unknown> {
    return JSON.parse(await this.text());
  }

  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    const known = this.#takeKnown();
    if (known === undefined) return new Uint8Array(await this.#consume("arrayBuffer"));
    if (known instanceof TypeError) throw known;
    return typeof known === "string" ? encoder.encode(known) : known.slice();
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    const known = this.#takeKnown();
    if (known === undefined) return this.#consume("arrayBuffer");
    if (known instanceof TypeError) throw known;
    return (typeof known === "string" ? encoder.encode(known) : known.slice()).buffer;
  }

  blob(): Promise<Blob> {
    return this.#consume("blob");
  }

  formData(): Promise<FormData> {
    return this.#consume("formData");
  }

  clone(): Response {
    const copy = new LightResponse();
    copy.#status = this.#status;
    copy.#statusText = this.#statusText;
    copy.#immutable = this.#immutable;
    copy.#pairs = this.#headers === null ? this.#pairs : sharePairs(this.#headers);
    if (this.bodyUsed || (this.#source !== null && this.#locked())) throw new TypeError(ALREADY_READ);
    if (this.#native !== null) copy.#native = this.#native.clone();
    const source = this.#source;
    if (source instanceof KnownBody) copy.#source = source.peek();
    else if (source === null || typeof source === "string" || source instanceof Uint8Array || source instanceof Blob) {
      copy.#source = source;
    } else {
      const stream = source instanceof ReadableStream
        ? source
        : new NativeResponse(source as unknown as BodyInit).body!;
      [this.#source, copy.#source] = stream.tee();
    }
    return copy as unknown as Response;
  }

  #locked(): boolean {
    if (this.#native !== null) return this.#native.body?.locked ?? false;
    const source = this.#source;
    return (source instanceof KnownBody || source instanceof ReadableStream) && source.locked;
  }

  // Known content for a reader: undefined when it is not known, a TypeError when it has been read.
  #takeKnown(): Known | TypeError | undefined {
    if (this.#native !== null) return undefined;
    const source = this.#source;
    if (source === null) return "";
    if (typeof source === "string" || source instanceof Uint8Array) {
      if (this.#used) return new TypeError(ALREADY_READ);
      this.#used = true;
      return source;
    }
    return source instanceof KnownBody ? source.take() ?? new TypeError(ALREADY_READ) : undefined;
  }

  async #consume<K extends "text" | "arrayBuffer" | "blob" | "formData">(
    how: K,
  ): Promise<Awaited<ReturnType<Response[K]>>> {
    const native = this.#reveal();
    // It was given one if it had none, and this one's may have been changed since.
    const type = this.headers.get("content-type");
    if (type !== native.headers.get("content-type")) {
      if (type === null) native.headers.delete("content-type");
      else native.headers.set("content-type", type);
    }
    return await native[how]() as Awaited<ReturnType<Response[K]>>;
  }

  // The native response that this one stands for. From here on it holds the body.
  #reveal(): Response {
    if (this.#native !== null) return this.#native;
    if (this.#status === 0) return this.#native = NativeResponse.error();
    const source = this.#source;
    const body = source instanceof KnownBody ? source.disturbed ? source.known : source.stream : source;
    const native = new NativeResponse(body as BodyInit | null, {
      status: this.#status,
      statusText: this.#statusText,
      headers: [...this.headers],
    });
    if (this.bodyUsed) void native.arrayBuffer();
    return this.#native = native;
  }

  #send(environ: Environ, startResponse: StartResponse): MaybePromise<Body> {
    const status = this.#status;
    if (status === 0) throw new TypeError("Response.error() cannot be sent: it stands for a failure of the network");
    let source = this.#native === null ? this.#source : this.#native.body;
    if (source instanceof KnownBody) source = source.take() ?? reject();
    else if (this.#used) reject();
    this.#used = true;
    const pairs = fieldsOf(
      status,
      this.#headers === null ? this.#pairs : sharePairs(this.#headers),
      source !== null && (source as { readonly length?: number }).length !== 0,
    );
    const line = lineOf(status, this.#statusText);
    if (source === null || typeof source === "string" || source instanceof Uint8Array) {
      return sendKnown(environ, startResponse, line, pairs, source);
    }
    if (source instanceof Blob) return sendBlob(environ, startResponse, line, pairs, source);
    if (source instanceof ReadableStream && (source.locked || isDisturbed(source))) reject();
    return sendStream(environ, startResponse, line, pairs, source);
  }
}

function reject(): never {
  throw new TypeError(ALREADY_READ);
}

Object.defineProperty(LightResponse, "name", { value: "Response" });
Object.setPrototypeOf(LightResponse.prototype, NativeResponse.prototype);
standsFor(LightResponse, NativeResponse);

export { sendLight };
