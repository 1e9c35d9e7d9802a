// `tricorn init` asks in a real terminal, which script(1) of util-linux makes, before it overwrites; with no more of Deno's
// permissions than init needs. The rules are in test/cli/init.test.ts.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { onEachKind } from "../support/runtimes.ts";
import { spawnInTerminal } from "../support/terminal.ts";
import { eventually } from "../support/wait.ts";
import { Project } from "./support.ts";

onEachKind("tricorn init in a terminal", (runtime) => {
  test.each([["Ctrl-C", "\x03", "no", 2], ["y", "y", "yes", 0]] as const)(
    "%s answers whether to overwrite, and the terminal is left as it was",
    async (_, key, answer, code) => {
      const project = new Project("shop", { app: "./app.mjs" });
      project.write("deploy/shop.nginx.conf", "mine\n");
      const command = project.initWords(runtime, "nginx").map((word) => `'${word}'`).join(" ");
      const text = `stty -a > before; ${command}; code=$?; stty -a > after; exit $code`;
      const child = spawnInTerminal(text, { cwd: project.folder, stdio: ["pipe", "pipe", "inherit"] });
      let output = "";
      let ended: number | null = null;
      child.stdout!.setEncoding("utf8").on("data", (chunk: string) => output += chunk);
      child.on("close", (status) => ended = status ?? -1);
      try {
        await eventually(() => output.includes("Overwrite it? [y/N] ") || ended !== null, () => output);
        child.stdin!.write(key);
        await eventually(() => ended !== null, () => output);
        expect(output).toContain(`[y/N] ${answer}\r\n`);
        expect(ended, output).toBe(code);
        expect(readFileSync(project.path("deploy/shop.nginx.conf"), "utf8") === "mine\n").toBe(answer === "no");
        expect(readFileSync(project.path("after"), "utf8")).toBe(readFileSync(project.path("before"), "utf8"));
      } finally {
        if (ended === null) child.kill("SIGKILL");
        project.remove();
      }
    },
  );
});
