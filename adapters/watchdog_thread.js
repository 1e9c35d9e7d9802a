// The watchdog's own thread, and the memory that it shares with the program's. It looks four times a second whether the
// event loop has turned, and when it has not for too long it writes one line of JSON: the requests that run, and on Node
// where the program is. Plain JavaScript, because a thread of Node 20 has nothing that strips types.
/* @ts-self-types="./watchdog_thread.d.ts" */
import { createRequire } from "node:module";
import process from "node:process";
import { isMainThread, workerData } from "node:worker_threads";

/** Not relative to this module, which from JSR is no file. */
const requireBuiltin = createRequire("/");

/** Requests that are kept; when more run, the oldest is forgotten. */
export const SLOTS = 32;
/** Characters of a method, a space and a target. */
const TEXT = 247;

/** Milliseconds between two looks. */
const LOOK = 250;
/** Milliseconds that the program may take to say where it is: native code cannot be interrupted. */
const PATIENCE = 1000;
/** Milliseconds of further silence after which there can be no master. */
const LEFT_ALONE = 5000;
/** Frames of a stack. */
const FRAMES = 50;

/** Bytes of the shared memory. */
export const SIZE = 8 + SLOTS * (8 + 8 + 1 + TEXT);

/** The parts of the shared memory. */
export function partsOf(memory) {
  return {
    beats: new Int32Array(memory, 0, 1),
    orders: new Float64Array(memory, 8, SLOTS),
    times: new Float64Array(memory, 8 + SLOTS * 8, SLOTS),
    lengths: new Uint8Array(memory, 8 + SLOTS * 16, SLOTS),
    texts: Array.from({ length: SLOTS }, (_, slot) => new Uint8Array(memory, 8 + SLOTS * 17 + slot * TEXT, TEXT)),
  };
}

/** The requests that run, the last begun first. */
export function requestsOf({ orders, times, lengths, texts }, now) {
  return Array.from(orders, (order, slot) => ({ order, slot }))
    .filter(({ order }) => order !== 0)
    .sort((a, b) => b.order - a.order)
    .map(({ slot }) => {
      const text = String.fromCharCode(...texts[slot].subarray(0, lengths[slot]));
      // A method is a token (RFC 9110 §5.6.2), so the first space ends it.
      const [method] = text.split(" ", 1);
      return { method, target: text.slice(method.length + 1), age: Math.max(0, Math.round(now - times[slot])) };
    });
}

function watch({ memory, timeout, report }) {
  const parts = partsOf(memory);
  const write = writerTo(report);
  let beats = Atomics.load(parts.beats, 0);
  let silence = 0;
  // Looks are counted and not time: a process that was stopped or starved as a whole has not hung.
  setInterval(() => {
    const now = Atomics.load(parts.beats, 0);
    if (now !== beats) {
      beats = now;
      silence = 0;
      return;
    }
    const before = silence;
    silence += LOOK;
    // A master kills who hangs, 2 seconds after the report. Nobody has: it is gone, and this process would be left behind.
    if (silence >= timeout + LEFT_ALONE) process.kill(process.pid, "SIGKILL");
    if (before >= timeout || silence < timeout) return;
    // What runs is read before the program is interrupted, which it may use to go on.
    const requests = requestsOf(parts, Date.now());
    whereMainThreadIs((stack) => write(`${JSON.stringify({ requests, stack })}\n`));
  }, LOOK);
}

/** A socket, since Deno's threads may write to an inherited descriptor in no other way. */
function writerTo(fd) {
  const { Socket } = requireBuiltin("node:net");
  const socket = new Socket({ fd, readable: false, writable: true });
  // The master has gone: then nobody wants a report.
  socket.on("error", () => {});
  return (text) => socket.write(text);
}

/**
 * Calls `done` with the stack of the program's thread, one frame a line, or with null where it cannot be had: Deno and
 * Bun let no thread look into another. The debugger stops the program for about 20 ms. To evaluate `new Error().stack`
 * there would not, but aborts Node 20 and 22 when they are in Atomics.wait.
 */
function whereMainThreadIs(done) {
  if ("Deno" in globalThis || "Bun" in globalThis) return done(null);
  let session;
  let stack = null;
  let open = true;
  // A frame itself has no URL where types were erased.
  const urls = new Map();
  const finish = () => {
    if (!open) return;
    open = false;
    clearTimeout(timer);
    // What is interrupted goes on when its debugger leaves. The thread has to stay: where it ended before the program has
    // seen the debugger leave, Node 26 aborted (1 of 20 times).
    session?.disconnect();
    done(stack);
  };
  const timer = setTimeout(finish, PATIENCE);
  try {
    const { Session } = requireBuiltin("node:inspector");
    session = new Session();
    session.connectToMainThread();
    session.on("Debugger.scriptParsed", ({ params: { scriptId, url } }) => urls.set(scriptId, url));
    session.once("Debugger.paused", ({ params }) => {
      stack = params.callFrames.slice(0, FRAMES).map((frame) => formatFrame(frame, urls)).join("\n");
      session.post("Debugger.resume", finish);
    });
    session.post("Debugger.enable", () => {
      if (open) session.post("Debugger.pause");
    });
  } catch {
    // A Node that was built without an inspector.
    finish();
  }
}

/** As in an Error's stack. */
function formatFrame({ functionName, location: { scriptId, lineNumber, columnNumber } }, urls) {
  const place = `${urls.get(scriptId) || "<anonymous>"}:${lineNumber + 1}:${columnNumber + 1}`;
  return `at ${functionName || "<anonymous>"} (${place})`;
}

// The program imports this file too, for the memory.
if (!isMainThread && workerData?.watchdog !== undefined) watch(workerData.watchdog);
