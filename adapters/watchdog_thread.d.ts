// What watchdog_thread.js has for the program's side.
import type { InFlight } from "../src/arbiter/messages.ts";
/** Requests that are kept; when more run, the oldest is forgotten. */
export declare const SLOTS: number;
/** Bytes of the shared memory. */
export declare const SIZE: number;
/** The shared memory: a count that grows while the event loop turns, and for each slot what runs there. */
export interface Parts {
  readonly beats: Int32Array;
  /** The how-manieth request it is, from 1; 0: none. */
  readonly orders: Float64Array;
  /** When it began, by Date.now(). */
  readonly times: Float64Array;
  /** How much of its text counts. */
  readonly lengths: Uint8Array;
  /** Method, space, target; one byte a character. */
  readonly texts: readonly Uint8Array[];
}
export declare function partsOf(memory: ArrayBufferLike): Parts;
/** The requests that run, the last begun first. */
export declare function requestsOf(parts: Parts, now: number): InFlight[];
