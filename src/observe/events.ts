// What happens in a server, as typed events. The server emits and never prints; the error log, the access log and later
// metrics subscribe. Nobody subscribed means no cost: a server asks `wants` before it measures anything.

import type { Environ, Headers } from "../esgi/environ.ts";

/** Events by name. Times are milliseconds, sizes are bytes. */
export interface Events {
  /** The application is about to be called. "request" follows; it comes alone for a request that waited and never ran. */
  begin: { readonly environ: Environ };
  /** A response ended, or was cut off. */
  request: {
    readonly environ: Environ;
    /** The status sent, for example 200. */
    readonly status: number;
    readonly responseHeaders: Headers;
    /** Body bytes handed to the connection, without head and framing. */
    readonly bytes: number;
    readonly duration: number;
    /** True when the connection broke before the response was complete. */
    readonly aborted: boolean;
  };
  /** The peer broke HTTP's rules or a limit, and was answered by the server itself; `status` 0: it could not be answered. */
  refused: { readonly status: number; readonly reason: string; readonly remote: string };
  /** The application threw, or broke a rule of ESGI. */
  fault: { readonly error: unknown; readonly message: string; readonly environ: Environ | null };
  /** A line for the operator. */
  notice: { readonly level: "debug" | "info" | "warning" | "error" | "critical"; readonly message: string };
}

type Listener<K extends keyof Events> = (event: Events[K]) => void;

/** A small typed emitter. A listener that throws does not harm the emitter or the others. */
export class EventBus {
  readonly #listeners: { [K in keyof Events]: Listener<K>[] } = {
    begin: [],
    request: [],
    refused: [],
    fault: [],
    notice: [],
  };

  /** Calls `listener` on each event `name`; returns what ends that. */
  on<K extends keyof Events>(name: K, listener: Listener<K>): () => void {
    const list = this.#listeners[name] as Listener<K>[];
    list.push(listener);
    return () => {
      const index = list.indexOf(listener);
      if (index >= 0) list.splice(index, 1);
    };
  }

  /** True when somebody listens to `name`. */
  wants(name: keyof Events): boolean {
    return this.#listeners[name].length > 0;
  }

  emit<K extends keyof Events>(name: K, event: Events[K]): void {
    for (const listener of this.#listeners[name] as Listener<K>[]) {
      try {
        listener(event);
      } catch (error) {
        if (name !== "fault") this.emit("fault", { error, message: `a listener of "${name}" threw`, environ: null });
      }
    }
  }
}
