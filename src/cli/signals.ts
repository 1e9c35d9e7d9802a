// What the process's signals mean, in one table (Gunicorn's meanings where it has them):
//
//   SIGINT, SIGTERM   let requests finish, at most graceful_timeout, then exit with 0; a second one is SIGQUIT
//   SIGQUIT           close at once and exit with 0: asked for is done
//   SIGUSR1           reopen the log files, after logrotate has moved them
//
// And an error that nothing caught is logged, and does not end the process: it belongs to one request of many.

import { describeError } from "../observe/text.ts";
import type { Host } from "../runtime/port.ts";

/** What a running server does at signals. */
export interface SignalTarget {
  drain(): Promise<void>;
  close(): void;
  reopenLogs(): void;
  notice(message: string): void;
  uncaught(error: unknown): void;
}

/** The servers of each process that obey. A process may run several, and has each signal once. */
const obeying = new WeakMap<Host, Set<SignalTarget>>();

/** Lets `target` obey the signals of `host`; returns what ends that. */
export function obeySignals(host: Host, target: SignalTarget): () => void {
  let targets = obeying.get(host);
  if (targets === undefined) {
    targets = new Set();
    obeying.set(host, targets);
    install(host, targets);
  }
  targets.add(target);
  return () => void targets.delete(target);
}

/**
 * Milliseconds in which a repeated signal is the same one: Ctrl-C reaches every process of the terminal, and `npm run`
 * passes it on to the one that has got it already.
 */
const ECHO = 100;

const STOP_SIGNALS: Readonly<Record<string, number>> = { SIGINT: 2, SIGTERM: 15 };

function install(host: Host, targets: Set<SignalTarget>): void {
  let stopping: number | null = null;
  const say = (message: string): void => {
    for (const target of targets) target.notice(message);
  };
  const quit = (): never => {
    for (const target of [...targets]) target.close();
    host.exit(0);
  };
  const drain = async (): Promise<void> => {
    await Promise.allSettled([...targets].map((target) => target.drain()));
    host.exit(0);
  };
  for (const [signal, number] of Object.entries(STOP_SIGNALS)) {
    host.onSignal(signal, () => {
      const now = Date.now();
      if (stopping === null) {
        // No server is left to stop: then the signal means what it means to any process.
        if (targets.size === 0) return host.exit(128 + number);
        stopping = now;
        say(`Handling signal: ${signal}`);
        void drain();
      } else if (now - stopping > ECHO) {
        say(`Handling signal: ${signal}, again: closing at once`);
        quit();
      }
    });
  }
  host.onSignal("SIGQUIT", () => {
    say("Handling signal: SIGQUIT");
    quit();
  });
  host.onSignal("SIGUSR1", () => {
    for (const target of targets) target.reopenLogs();
    say("Handling signal: SIGUSR1: the logs were reopened");
  });
  host.onUncaught((error) => {
    if (targets.size === 0) {
      // As without this listener: nobody serves, so nobody is harmed by the end.
      host.stderr(`${describeError(error)}\n`);
      return host.exit(1);
    }
    for (const target of targets) target.uncaught(error);
  });
}
