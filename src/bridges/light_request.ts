// A Request that passes for the native one and is nothing but a view of an environ until more is asked of it. The
// native request, its headers, URL and signal are made when an application needs them, and not before.

import type { Environ } from "../esgi/environ.ts";
import { copyHeaders, headersOfEnviron, type LightHeaders, wasChanged } from "./light_headers.ts";
import { completeFrom, hasInstance, NativeRequest, NativeResponse, standsFor } from "./natives.ts";
import { requestUrl } from "./request_url.ts";

const ALREADY_READ = "the request's body has been read already: it can be read once";

/** Whether `value` is a light request. */
export let isLightRequest: (value: object) => value is LightRequest;
/** The native request that `light` stands for, made on first use. From then on it holds the body. */
export let nativeRequest: (light: LightRequest) => Request;

/** The Request that an application gets. Only the bridge makes one. */
export class LightRequest {
  readonly #environ: Environ;
  #url: string | null = null;
  #headers: LightHeaders | null = null;
  #used = false;
  #native: Request | null = null;

  static {
    isLightRequest = (value): value is LightRequest => #environ in value;
    nativeRequest = (light) => light.#reveal();
    completeFrom(this.prototype, new NativeRequest("http://localhost/"), nativeRequest);
    Object.setPrototypeOf(this.prototype, NativeRequest.prototype);
  }

  constructor(environ: Environ) {
    this.#environ = environ;
  }

  get method(): string {
    return this.#environ.REQUEST_METHOD;
  }

  get url(): string {
    return this.#url ??= requestUrl(this.#environ);
  }

  get headers(): Headers {
    return (this.#headers ??= headersOfEnviron(this.#environ)) as unknown as Headers;
  }

  get signal(): AbortSignal {
    return this.#environ["esgi.signal"];
  }

  get body(): ReadableStream<Uint8Array<ArrayBuffer>> | null {
    return this.#hasBody() ? this.#reveal().body : null;
  }

  get bodyUsed(): boolean {
    return this.#native === null ? this.#used : this.#native.bodyUsed;
  }

  get cache(): RequestCache {
    return "default";
  }

  get credentials(): RequestCredentials {
    return "same-origin";
  }

  get destination(): RequestDestination {
    return "";
  }

  get duplex(): "half" {
    return "half";
  }

  get integrity(): string {
    return "";
  }

  get isHistoryNavigation(): boolean {
    return false;
  }

  get isReloadNavigation(): boolean {
    return false;
  }

  get keepalive(): boolean {
    return false;
  }

  get mode(): RequestMode {
    return "cors";
  }

  get redirect(): RequestRedirect {
    return "follow";
  }

  get referrer(): string {
    return "about:client";
  }

  get referrerPolicy(): ReferrerPolicy {
    return "";
  }

  text(): Promise<string> {
    if (!this.#hasBody()) return Promise.resolve("");
    if (this.#native !== null) return this.#native.text();
    if (this.#used) return Promise.reject(new TypeError(ALREADY_READ));
    this.#used = true;
    return this.#environ["esgi.input"].text();
  }

  json(): Promise<unknown> {
    return this.text().then(JSON.parse);
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    return (await this.bytes()).buffer;
  }

  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    if (!this.#hasBody()) return new Uint8Array(0);
    if (this.#native !== null) return new Uint8Array(await this.#native.arrayBuffer());
    if (this.#used) throw new TypeError(ALREADY_READ);
    this.#used = true;
    return owned(await this.#environ["esgi.input"].bytes());
  }

  async blob(): Promise<Blob> {
    return await this.#asResponse(await this.bytes()).blob();
  }

  async formData(): Promise<FormData> {
    return await this.#asResponse(await this.bytes()).formData();
  }

  clone(): Request {
    if (this.#hasBody() || this.#native !== null) return this.#reveal().clone();
    const copy = new LightRequest(this.#environ);
    copy.#url = this.#url;
    if (this.#headers !== null) copy.#headers = copyHeaders(this.#headers);
    return copy as unknown as Request;
  }

  // GET and HEAD have none, in whatever case, as the Request constructor demands; what a client sends all the same is in
  // esgi.input.
  #hasBody(): boolean {
    const environ = this.#environ;
    if (/^(?:GET|HEAD)$/i.test(environ.REQUEST_METHOD)) return false;
    const length = environ.CONTENT_LENGTH;
    return length === undefined ? environ.HTTP_TRANSFER_ENCODING !== undefined : length !== "0";
  }

  #asResponse(bytes: Uint8Array<ArrayBuffer>): Response {
    const type = this.headers.get("content-type");
    return new NativeResponse(bytes, type === null ? {} : { headers: { "content-type": type } });
  }

  #reveal(): Request {
    if (this.#native === null) {
      const init: RequestInit & { duplex: "half" } = {
        method: this.method,
        headers: [...this.headers],
        signal: this.signal,
        duplex: "half",
      };
      if (this.#hasBody()) {
        init.body = this.#used ? "" : this.#environ["esgi.input"].stream() as ReadableStream<Uint8Array<ArrayBuffer>>;
      }
      this.#native = new NativeRequest(this.url, init);
      if (this.#used) void this.#native.arrayBuffer();
    } else if (this.#headers !== null && wasChanged(this.#headers)) {
      const { headers } = this.#native;
      for (const name of [...headers.keys()]) headers.delete(name);
      for (const [name, value] of this.#headers) headers.append(name, value);
    }
    return this.#native;
  }
}

// A view of a buffer that is the application's alone: the server's may be shared, or be a subclass.
function owned(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer } = bytes;
  if (bytes.byteLength === buffer.byteLength && buffer instanceof ArrayBuffer) return new Uint8Array(buffer);
  const copy = new Uint8Array(bytes.byteLength);
  copy.set(bytes);
  return copy;
}

function withoutLight(input: RequestInfo | URL, init: RequestInit | undefined): RequestInfo | URL {
  if (typeof input !== "object" || !isLightRequest(input)) return input;
  // Not every runtime's constructor looks.
  if (input.bodyUsed && (init?.body ?? null) === null) throw new TypeError(ALREADY_READ);
  return nativeRequest(input);
}

/** The class that takes `Request`'s place: a native request, which may be made of a light one. */
export class GlobalRequest extends NativeRequest {
  constructor(input: RequestInfo | URL, init?: RequestInit) {
    super(withoutLight(input, init), init);
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return hasInstance(this, value, GlobalRequest, NativeRequest);
  }
}

Object.defineProperty(GlobalRequest, "name", { value: "Request" });
Object.defineProperty(LightRequest, "name", { value: "Request" });
Object.defineProperty(LightRequest.prototype, "constructor", { value: GlobalRequest });
// What console.log shows on Bun; Node and Deno look at the native one.
const INSPECT = Symbol.for("nodejs.util.inspect.custom");
if (!(INSPECT in LightRequest.prototype)) {
  Object.defineProperty(LightRequest.prototype, INSPECT, {
    value(this: LightRequest, _depth: number, options: object, inspect?: (value: unknown, options: object) => string) {
      const parts = { method: this.method, url: this.url, headers: this.headers };
      return inspect === undefined ? parts : `Request ${inspect(parts, options)}`;
    },
    configurable: true,
  });
}
standsFor(GlobalRequest, NativeRequest);

let nativesTakeLight: boolean | null = null;

/** The request for an application: light where everything that it may be given to takes a light one. */
export function requestOf(environ: Environ): Request {
  nativesTakeLight ??= tryNative();
  const request = new LightRequest(environ);
  if (nativesTakeLight || globalThis.Request === GlobalRequest) return request as unknown as Request;
  return nativeRequest(request);
}

// Whether the runtime's own constructor can read a light request. On Node 22 and later it cannot: there a light request
// goes with the light globals.
function tryNative(): boolean {
  try {
    const sample = {
      REQUEST_METHOD: "PUT",
      "esgi.url_scheme": "http",
      HTTP_HOST: "a",
      HTTP_X: "b",
      "esgi.target": "/c",
    };
    const signal = { "esgi.signal": new AbortController().signal };
    const light = new LightRequest({ ...sample, ...signal } as unknown as Environ) as unknown as Request;
    const native = new NativeRequest(light);
    return native.method === "PUT" && native.url === "http://a/c" && native.headers.get("x") === "b";
  } catch {
    return false;
  }
}
