// The files that `tricorn init docker` and `tricorn init kubernetes` write. No container runs here, and there is no cluster:
// the files are parsed, what they refer to is there, and the command in them is one that Tricorn takes. The commands of the
// Dockerfile itself are run by test/new/projects.test.ts, which has the same one.

import { mkdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { describe, expect, test } from "vitest";
import { ROOT, RUNTIMES, type TestRuntime } from "../support/runtimes.ts";
import { findProgram, nginxMain, Project, run } from "./support.ts";

const bun = RUNTIMES.find(({ name }) => name === "bun");
const nginx = findProgram("nginx");
const kubectl = findProgram("kubectl");
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

  test.runIf(kubectl !== null)("kubectl, without a cluster, reads the manifests", async () => {
    await withProject({}, "kubernetes", async (project) => {
      project.write("deploy/kustomization.yaml", "resources: [kubernetes.yaml]\n");
      const { code, stdout, stderr } = await run([kubectl!, "kustomize", project.path("deploy")]);
      expect([code, stderr]).toEqual([0, ""]);
      expect(stdout.match(/^kind: /gm)).toHaveLength(3);
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
