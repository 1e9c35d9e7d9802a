// CGI (RFC 3875): the web server starts a process for each request, whose environment is the variables, and whose standard
// input is the body. One request; the response is SCGI's, which took it from here.

import {
  bodyLength,
  DATA,
  END,
  type GatewayEvent,
  GatewayReader,
  type Latin1,
  NEED_DATA,
  type Variable,
  VARIABLES,
} from "./reader.ts";

/** The system limits an environment, and http1 the fields that are made of it. */
const NO_LIMITS = { size: Infinity, count: Infinity };

const ENVIRONMENT = 0;
const BODY = 1;
const OVER = 2;

export class CgiReader extends GatewayReader {
  #state = ENVIRONMENT;
  #remaining = 0;
  readonly #environment: readonly Variable[];

  /** @param environment all of it, each name once */
  constructor(environment: readonly Variable[], latin1: Latin1) {
    super(NO_LIMITS, latin1);
    this.#environment = environment;
  }

  override get idle(): boolean {
    return this.#state === OVER;
  }

  protected override step(): GatewayEvent {
    switch (this.#state) {
      case ENVIRONMENT:
        // What SCRIPT_NAME is whole has no PATH_INFO (§4.1.5); whatever is in the environment later counts.
        this.variables = [["PATH_INFO", ""], ...this.#environment];
        this.bodyLength = this.#remaining = bodyLength(this.variables, false);
        this.#state = BODY;
        return VARIABLES;
      case BODY: {
        if (this.#remaining === 0) {
          this.#state = OVER;
          return END;
        }
        const size = Math.min(this.unread.length, this.#remaining);
        if (size === 0) return NEED_DATA;
        this.data = this.unread.take(size);
        this.#remaining -= size;
        return DATA;
      }
      default:
        // §4.2: there may be more than the body, which is nobody's.
        this.unread.skip(this.unread.length);
        return NEED_DATA;
    }
  }
}
