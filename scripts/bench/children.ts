// No server and no wrk outlives the bench, however it ends.
import type { ChildProcess } from "node:child_process";
import process from "node:process";

const running = new Set<ChildProcess>();
process.on("exit", () => running.forEach((child) => child.kill("SIGKILL")));

/** Ends `child` with this process, if it has not ended before. */
export function endWithUs(child: ChildProcess): void {
  running.add(child);
  child.once("close", () => running.delete(child));
}
