// The files that `tricorn init docker` and `tricorn init kubernetes` write. No container runs here, and there is no cluster:
// linters and Kubernetes' own types find nothing wrong in the files, what they refer to is there, and the image's command
// runs as process 1 of namespaces like a container's. It is also run by test/new/projects.test.ts, on installed packages.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { describe, expect, test } from "vitest";
import { validate } from "dockerfile-utils";
import { onEachKind, ROOT, RUNTIMES, type TestRuntime } from "../support/runtimes.ts";
import { eventually } from "../support/wait.ts";
import { Network, networkMissing } from "./network.ts";
import { type Ended, findProgram, nginxMain, Project, run } from "./support.ts";

const bun = RUNTIMES.find(({ name }) => name === "bun");
const nginx = findProgram("nginx");
const node = { kind: "node", program: process.execPath } as TestRuntime;

// deno-lint-ignore no-explicit-any
type Yaml = any;

/** The documents of a file of YAML. Bun has the parser. */
async function parse(path: string): Promise<Yaml[]> {
  const program = "console.log(JSON.stringify(Bun.YAML.parse(await Bun.file(process.argv[1]).text())))";
  const { code, stdout, stderr } = await run([bun!.program, "-e", program, path]);
  expect([code, stderr]).toEqual([0, ""]);
  return [JSON.parse(stdout)].flat();
}

async function withProject(
  config: Record<string, unknown>,
  target: string,
  use: (project: Project) => Promise<void>,
  runtime: TestRuntime = node,
): Promise<void> {
  const project = new Project("shop", { app: "./app.mjs", ...config });
  try {
    project.write("package.json", '{ "name": "@acme/My_Shop", "type": "module" }\n');
    project.write("app.mjs", 'export default { fetch: () => new Response("hello") };\n');
    const { code, stderr } = await project.init(runtime, target);
    expect([code, stderr]).toEqual([0, ""]);
    await use(project);
  } finally {
    project.remove();
  }
}

/** tsc's opinion on the manifests, by the types that are made of Kubernetes' API; what they do not have is a mistake. */
async function checkTypes(project: Project, manifests: readonly Yaml[]): Promise<Ended> {
  const lines = manifests.map((manifest, index) => {
    const from = `${ROOT}node_modules/kubernetes-types/${manifest.apiVersion.replace(/^v1$/, "core/v1")}.d.ts`;
    const type = `import(${JSON.stringify(from)}).${manifest.kind}`;
    return `export const manifest${index}: ${type} = ${JSON.stringify(manifest)};\n`;
  });
  project.write("manifests.ts", lines.join(""));
  const flags = ["--ignoreConfig", "--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext", "--types", ""];
  return await run([
    process.execPath,
    `${ROOT}node_modules/typescript/bin/tsc`,
    ...flags,
    project.path("manifests.ts"),
  ]);
}

/** Tricorn takes the words after `serve`. */
async function isTaken(project: Project, command: readonly string[]): Promise<void> {
  const words = command.slice(command.indexOf("serve"));
  const start = ["--import", `${ROOT}adapters/strip_types.js`, `${ROOT}adapters/bin.ts`];
  const checked = await run([process.execPath, ...start, ...words, "--check-config"], project.folder);
  expect(checked).toMatchObject({ code: 0, stderr: "" });
}

const CONFIGS: readonly (readonly [string, Record<string, unknown>])[] = [
  ["nothing but the application", {}],
  ["its own address and workers", { bind: "127.0.0.1:9", workers: 3, max_requests: 100, drain_delay: 3 }],
  ["one process", { workers: 0, graceful_timeout: 5 }],
];

if (bun === undefined || bun.missing !== null) test.skip("bun, which parses YAML, is not here: npm ci", () => {});
else {
  describe.each(CONFIGS)("docker: %s", (_, config) => {
    test("the image's command, and compose.yaml with nginx", async () => {
      await withProject(config, "docker", async (project) => {
        const dockerfile = readFileSync(project.path("Dockerfile"), "utf8");
        expect(validate(dockerfile)).toEqual([]);
        // Its complaint that "stable" is no version is the only one.
        const linter = [process.execPath, `${ROOT}node_modules/.bin/dclint`, project.path("compose.yaml")];
        const words = [...linter, "--max-warnings=0", "--disable-rule=service-image-require-explicit-tag"];
        expect(await run(words)).toMatchObject({ code: 0, stderr: "" });
        const command = JSON.parse(/^CMD (.*)$/m.exec(dockerfile)![1]!) as string[];
        expect(command.slice(0, 2)).toEqual(["node", "node_modules/.bin/tricorn"]);
        // The container's own address, whatever the configuration says.
        expect(command.includes("0.0.0.0:8000")).toBe("bind" in config);
        await isTaken(project, command);
        const [compose] = await parse(project.path("compose.yaml"));
        const { app, nginx: front } = compose.services as Yaml;
        expect(compose.name).toBe("my-shop");
        expect(app.ports).toBeUndefined();
        expect(app.networks).toEqual(front.networks);
        expect(Object.keys(compose.networks)).toEqual(app.networks);
        expect(front.depends_on.app.condition).toBe("service_healthy");
        const stop = Number(/^(\d+)s$/.exec(app.stop_grace_period)![1]);
        const { drain_delay = 0, graceful_timeout = 30 } = config as Record<string, number>;
        expect(stop).toBeGreaterThan(drain_delay + graceful_timeout);
        const [mounted] = (front.volumes as string[]).map((volume) => volume.split(":")[0]!);
        expect(readFileSync(project.path(mounted!), "utf8")).toContain("server app:8000;");
      });
    });
  });

  test.runIf(nginx !== null)("nginx is content with what compose.yaml gives it, where app has an address", async () => {
    await withProject({}, "docker", async (project) => {
      const conf = readFileSync(project.path("deploy/compose.nginx.conf"), "utf8");
      // Docker resolves it there.
      project.write("nginx/site.conf", conf.replace("server app:8000", "server localhost:8000"));
      mkdirSync(project.path("nginx"), { recursive: true });
      const main = nginxMain(project.path("nginx"), project.path("nginx/site.conf"));
      expect((await run([nginx!, "-e", "stderr", "-t", "-p", project.path("nginx"), "-c", main])).stderr)
        .toContain("test is successful");
    });
  });

  describe.each(CONFIGS)("kubernetes: %s", (_, config) => {
    test("a Deployment, a Service and a PodDisruptionBudget that mean the same pods", async () => {
      await withProject(config, "kubernetes", async (project) => {
        const documents = await parse(project.path("deploy/kubernetes.yaml"));
        expect(documents.map(({ apiVersion, kind, metadata }) => [apiVersion, kind, metadata.name])).toEqual([
          ["apps/v1", "Deployment", "my-shop"],
          ["v1", "Service", "my-shop"],
          ["policy/v1", "PodDisruptionBudget", "my-shop"],
        ]);
        const { code, stdout } = await checkTypes(project, documents);
        expect(code, stdout).toBe(0);
        const [deployment, service, budget] = documents;
        const pod = deployment.spec.template;
        const { labels } = pod.metadata;
        expect(deployment.spec.selector.matchLabels).toEqual(labels);
        expect(service.spec.selector).toEqual(labels);
        expect(budget.spec.selector.matchLabels).toEqual(labels);
        const [container] = pod.spec.containers;
        const ports = new Map<string, number>(container.ports.map((port: Yaml) => [port.name, port.containerPort]));
        expect(ports.has(service.spec.ports[0].targetPort)).toBe(true);
        for (const probe of ["startupProbe", "readinessProbe", "livenessProbe"]) {
          expect(container[probe].httpGet.port).toBe("admin");
        }
        const args = container.args as string[];
        expect(args[args.indexOf("--admin-bind") + 1]).toBe(`0.0.0.0:${ports.get("admin")}`);
        const drainDelay = Number((config as { drain_delay?: number }).drain_delay ?? args.at(-1));
        const graceful = (config as { graceful_timeout?: number }).graceful_timeout ?? 30;
        expect(pod.spec.terminationGracePeriodSeconds).toBeGreaterThan(drainDelay + 5 + graceful);
        // By number: of a name Kubernetes cannot know whether it is root's.
        expect(pod.spec.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 1000 });
        const volumes = pod.spec.volumes.map(({ name }: Yaml) => name);
        for (const { name } of container.volumeMounts) expect(volumes).toContain(name);
        await isTaken(project, args);
      });
    });
  });

  test("what Kubernetes does not know, and what is of another type, would be found", async () => {
    await withProject({}, "kubernetes", async (project) => {
      const [deployment, service] = await parse(project.path("deploy/kubernetes.yaml"));
      deployment.spec.template.spec.containers[0].readynessProbe = {};
      service.spec.ports[0].port = "80";
      const { code, stdout } = await checkTypes(project, [deployment, service]);
      expect(code).not.toBe(0);
      expect(stdout).toContain("'\"readynessProbe\"' does not exist");
      expect(stdout).toContain("Type 'string' is not assignable to type 'number'");
    });
  });
}

test.each(
  RUNTIMES.filter(({ name, kind, missing }) => name === kind && missing === null).map((one) => [one.name, one]),
)(
  "the image is of the runtime that init ran on: %s",
  async (_, runtime) => {
    await withProject({}, "docker", async (project) => {
      const text = readFileSync(project.path("Dockerfile"), "utf8");
      expect(text).toMatch(
        { node: /^FROM node:20-slim$/m, deno: /^FROM denoland\/deno:\d/m, bun: /^FROM oven\/bun:1-slim$/m }[
          (runtime as TestRuntime).kind
        ],
      );
      // Only what is there is copied: docker fails for what is not.
      expect(text).toMatch(/^COPY package(?:\*)?\.json \.\/$/m);
    }, runtime as TestRuntime);
  },
);

const noNetwork = networkMissing();
const setpriv = findProgram("setpriv");

onEachKind("the image's command", (runtime) => {
  if (noNetwork !== null || setpriv === null) {
    test.skip(`as process 1: ${noNetwork ?? "apt-get install util-linux"}`, () => {});
    return;
  }

  test("serves as process 1, with ports of its own and without capabilities; its health is asked, and SIGTERM ends it", async () => {
    await withProject({}, "docker", async (project) => {
      const dockerfile = readFileSync(project.path("Dockerfile"), "utf8").replaceAll("\\\n", "");
      const instruction = (name: string): string => new RegExp(`^${name} (.*)$`, "m").exec(dockerfile)![1]!;
      const command = JSON.parse(instruction("CMD")) as string[];
      const health = JSON.parse(/ CMD (.*)$/.exec(instruction("HEALTHCHECK"))![1]!) as string[];
      const env = Object.fromEntries(instruction("ENV").split(" ").map((pair) => pair.split("=")));
      const network = await Network.of("192.0.2.1");
      const { enter } = network.machines[0]!;
      // Deno has all permissions in a container. What is installed there is this repository here.
      const start = {
        node: ["--import", `${ROOT}adapters/strip_types.js`],
        deno: ["run", "--allow-all"],
        bun: ["run"],
      };
      const words = [...start[runtime.kind], `${ROOT}adapters/bin.ts`, ...command.slice(command.indexOf("serve"))];
      const inside = [
        setpriv,
        "--bounding-set",
        "-all",
        "--inh-caps",
        "-all",
        "--no-new-privs",
        runtime.program,
        ...words,
      ];
      const outside = [...enter, "unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];
      const child = spawn(outside[0]!, [...outside.slice(1), ...inside], {
        cwd: project.folder,
        env: { ...process.env, ...env },
        stdio: ["ignore", "pipe", "pipe"],
      });
      let log = "";
      let ended: number | string | null = null;
      for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => log += text);
      child.on("close", (code, signal) => ended = code ?? signal ?? "?");
      const healthy = async () => (await run([...enter, runtime.program, ...health.slice(1)])).code === 0;
      try {
        expect(await healthy()).toBe(false);
        await eventually(() => log.includes("is ready") || ended !== null, () => log);
        await eventually(healthy, () => log);
        expect(log).toContain("] [1] [INFO] Starting tricorn ");
        const curl = await run([...enter, "curl", "--silent", "--noproxy", "*", "http://127.0.0.1:8000/"]);
        expect(curl.stdout).toBe("hello");
        process.kill(await first(child), "SIGTERM");
        await eventually(() => ended !== null, () => log);
        expect(ended, log).toBe(0);
      } finally {
        child.kill("SIGKILL");
        network.stop();
      }
    }, runtime);
  });
});

/** The process that is number 1 for itself: the child of unshare. */
async function first({ pid }: ChildProcess): Promise<number> {
  return Number((await run(["ps", "-o", "pid=", "--ppid", String(pid)])).stdout);
}
