// Several machines in one: network namespaces (ip-netns(8)) with a bridge between them. They have no names and belong to
// processes that end with this one, so nothing is left to remove; and the machine's own network is never touched.

import { type ChildProcessByStdio, execFileSync, spawn, spawnSync } from "node:child_process";
import process from "node:process";
import type { Readable, Writable } from "node:stream";
import { patiently } from "../support/wait.ts";
import { findProgram } from "./support.ts";

const IP = findProgram("ip");

/** Why there can be no {@link Network} here, or null. */
export function networkMissing(): string | null {
  if (process.platform !== "linux") return "only Linux has network namespaces";
  if (IP === null) return "apt-get install iproute2";
  const { error, status, stderr } = spawnSync("unshare", ["--net", IP, "link"], { encoding: "utf8" });
  if (error !== undefined) return `apt-get install util-linux: ${error.message}`;
  return status === 0 ? null : `it needs the right to make network namespaces: ${stderr.trim()}`;
}

/** A machine: a network namespace with one address. */
export interface Machine {
  readonly address: string;
  /** The words before a command that make it run there, as the same process. */
  readonly enter: readonly string[];
}

type Holder = ChildProcessByStdio<Writable, Readable, null>;

export class Network {
  /** In the order of the addresses. */
  readonly machines: readonly Machine[];
  readonly #holders: readonly Holder[];

  private constructor(machines: readonly Machine[], holders: readonly Holder[]) {
    this.machines = machines;
    this.#holders = holders;
  }

  /** Machines with these addresses (IPv4, one /24). The bridge is in the first one. */
  static async of(...addresses: readonly string[]): Promise<Network> {
    const holders: Holder[] = [];
    try {
      // It says that it is there, and lives until nobody has the other end of its standard input: until this process ends.
      const words = ["--net", "sh", "-c", "echo; exec cat >/dev/null"];
      const ready = addresses.map(() => {
        const holder = spawn("unshare", words, { stdio: ["pipe", "pipe", "inherit"] });
        holders.push(holder);
        return new Promise((resolve, reject) => {
          holder.stdout.once("data", resolve);
          holder.once("error", reject);
          holder.once("close", () => reject(new Error("unshare has ended")));
        });
      });
      await patiently(Promise.all(ready), () => "there are no namespaces");
      const machines = addresses.map((address, index) => ({
        address,
        enter: ["nsenter", `--net=/proc/${holders[index]!.pid}/ns/net`, "--"],
      }));
      const network = new Network(machines, holders);
      network.#ip(0, "link add bridge up type bridge");
      machines.forEach(({ address }, index) => {
        network.#ip(index, "link set lo up");
        if (index === 0) return network.#ip(0, `address add ${address}/24 dev bridge`);
        network.#ip(0, `link add host${index} master bridge up type veth peer eth0 netns ${holders[index]!.pid}`);
        network.#ip(index, `address add ${address}/24 dev eth0`);
        network.#ip(index, "link set eth0 up");
      });
      return network;
    } catch (error) {
      for (const holder of holders) holder.kill("SIGKILL");
      throw error;
    }
  }

  #ip(index: number, words: string): void {
    const [program, ...rest] = [...this.machines[index]!.enter, IP!, ...words.split(" ")];
    execFileSync(program!, rest, { stdio: "inherit" });
  }

  /** Ends it; what still runs on its machines keeps them. */
  stop(): void {
    for (const holder of this.#holders) holder.kill("SIGKILL");
  }
}
