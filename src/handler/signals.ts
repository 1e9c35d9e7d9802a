// Signals, as in Django's dispatch: who is interested connects a receiver, and the handler does not know of it. Receivers
// may be sync or async. The three signals of a handler are at the end.

import type { MaybePromise } from "../esgi/application.ts";
import type { Environ } from "../esgi/environ.ts";
import type { HttpRequest } from "./request.ts";

/** Called with who sends, and what is told. What it returns is for the sender to see. */
export type Receiver<Args> = (sender: unknown, args: Args) => unknown;

/** What a receiver returned; from the robust sends, or the Error that it threw. */
export type SignalResponse<Args> = readonly [receiver: Receiver<Args>, response: unknown];

/** How a receiver is connected. */
export interface ConnectOptions {
  /** Hear this sender only. Default: all. */
  readonly sender?: unknown;
  /**
   * Do not keep the receiver alive. Default false, unlike Django's: a function written where it is connected has no
   * other owner, and would be lost at the next collection.
   */
  readonly weak?: boolean;
  /** What tells two receivers apart, for each sender; default the receiver itself. The second is not connected. */
  readonly dispatchUid?: unknown;
}

interface Connection<Args> {
  readonly uid: unknown;
  readonly sender: unknown;
  readonly receiver: { deref(): Receiver<Args> | undefined };
}

/** Something that happens, with receivers that are called when it does. `Args` is what they are told. */
export class Signal<Args extends object = Record<string, unknown>> {
  /** Replaced and never changed, so that a receiver may disconnect while it is sent to. */
  #connections: readonly Connection<Args>[] = [];

  /** Calls `receiver` whenever the signal is sent. */
  connect(receiver: Receiver<Args>, { sender, weak = false, dispatchUid = receiver }: ConnectOptions = {}): void {
    if (typeof receiver !== "function") throw new TypeError("a signal's receiver must be a function");
    if (this.#connections.some((one) => one.uid === dispatchUid && one.sender === sender && one.receiver.deref())) {
      return;
    }
    const reference = weak ? new WeakRef(receiver) : { deref: () => receiver };
    this.#connections = [...this.#connections, { uid: dispatchUid, sender, receiver: reference }];
  }

  /**
   * Ends what connect() with the same receiver (or `dispatchUid`) and sender began.
   *
   * @returns false when there was no such connection
   */
  disconnect(
    receiver: Receiver<Args> | null,
    { sender, dispatchUid = receiver }: Pick<ConnectOptions, "sender" | "dispatchUid"> = {},
  ): boolean {
    const left = this.#connections.filter((one) => one.uid !== dispatchUid || one.sender !== sender);
    const found = left.length < this.#connections.length;
    this.#connections = left;
    return found;
  }

  /** True when somebody hears `sender`; without one, when somebody hears anything. */
  hasListeners(sender?: unknown): boolean {
    return this.#connections.length > 0 && (sender === undefined || this.#receivers(sender).length > 0);
  }

  /**
   * Calls the receivers, one after the other. The promise of an async one is its response, and nobody waits for it: where
   * that matters, use {@link sendAsync}.
   *
   * @throws what a receiver throws; those after it are not called.
   */
  send(sender: unknown, args: Args): SignalResponse<Args>[] {
    return this.#receivers(sender).map((receiver) => [receiver, receiver(sender, args)] as const);
  }

  /** As {@link send}, but all are called, and an error is the response of who threw it. */
  sendRobust(sender: unknown, args: Args): SignalResponse<Args>[] {
    return this.#receivers(sender).map((receiver) => {
      try {
        return [receiver, receiver(sender, args)] as const;
      } catch (error) {
        return [receiver, toError(error)] as const;
      }
    });
  }

  /** Calls the receivers in their order and waits for all of them at once (Django's asend). Rejects as send() throws. */
  sendAsync(sender: unknown, args: Args): Promise<SignalResponse<Args>[]> {
    return Promise.all(this.#receivers(sender).map((receiver) => call(receiver, sender, args)));
  }

  /** As {@link sendAsync}, and never rejects: an error is the response of who threw it (Django's asend_robust). */
  sendRobustAsync(sender: unknown, args: Args): Promise<SignalResponse<Args>[]> {
    return Promise.all(
      this.#receivers(sender).map(async (receiver) => {
        try {
          return await call(receiver, sender, args);
        } catch (error) {
          return [receiver, toError(error)] as const;
        }
      }),
    );
  }

  #receivers(sender: unknown): Receiver<Args>[] {
    const receivers: Receiver<Args>[] = [];
    let dead = false;
    for (const connection of this.#connections) {
      if (connection.sender !== undefined && connection.sender !== sender) continue;
      const receiver = connection.receiver.deref();
      if (receiver === undefined) dead = true;
      else receivers.push(receiver);
    }
    if (dead) this.#connections = this.#connections.filter((one) => one.receiver.deref() !== undefined);
    return receivers;
  }
}

async function call<Args>(receiver: Receiver<Args>, sender: unknown, args: Args): Promise<SignalResponse<Args>> {
  return [receiver, await (receiver(sender, args) as MaybePromise<unknown>)];
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error), { cause: error });
}

/** A request has arrived; the sender is the Handler. The request is not begun before all receivers are done. */
export const requestStarted: Signal<{ readonly environ: Environ }> = new Signal();

/** A response was sent, or given up because its client left; the sender is the Handler. */
export const requestFinished: Signal<{ readonly environ: Environ }> = new Signal();

/** A view or a middleware has thrown what makes a 500; the sender is the Handler. */
export const gotRequestException: Signal<{ readonly request: HttpRequest; readonly error: unknown }> = new Signal();
