// How far the run is, on standard error: one line that changes on a terminal, a line a block elsewhere.
import process from "node:process";

export class Progress {
  readonly #total: number;
  readonly #terminal: boolean = process.stderr.isTTY;
  readonly #started: number = performance.now();
  #done = 0;

  constructor(total: number) {
    this.#total = total;
  }

  block(title: string): void {
    if (!this.#terminal) process.stderr.write(`${title}\n`);
  }

  /** `turns` have passed since the last call. */
  step(what: string, turns: number): void {
    if (this.#terminal) {
      const passed = performance.now() - this.#started;
      const left = this.#done < 2 ? "" : `, ${formatDuration(passed / this.#done * (this.#total - this.#done))} left`;
      process.stderr.write(
        `\r\x1b[K${Math.floor(this.#done / this.#total * 100)} %${left}  ${what}`,
      );
    }
    this.#done = Math.min(this.#done + turns, this.#total);
  }

  clear(): void {
    if (this.#terminal) process.stderr.write("\r\x1b[K");
  }
}

function formatDuration(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  return seconds < 90 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
}
