// The files that each project has, whatever its template: how it is installed, run, tested, checked and put into an image.
// Where runtimes differ, there is a row for each.

import { VERSION } from "../version.ts";
import { dedent, type Files, type Project, type Target, type Template } from "./template.ts";
import { VERSIONS } from "./versions.ts";

/** What differs between the runtimes. */
interface Row {
  /** As people call it. */
  readonly title: string;
  /** Development and tests, for whoever has the project made on another runtime. */
  readonly dev: string;
  readonly tests: string;
  /** The script `test` of package.json; Deno's tasks are in deno.json, for whoever has both. */
  readonly testScript: string;
  /** The base of the Docker image; `{{major}}` and `{{version}}` are the runtime's. */
  readonly image: string;
  /** The user in the image that is not root. */
  readonly user: string;
  /** That user's number, which Kubernetes wants to see that it is not root's. */
  readonly uid: number;
  /** What is copied before the dependencies are installed, so that they are a layer of their own. */
  readonly manifests: string;
  readonly install: string;
  /** The words that run the command `tricorn`, as process 1. */
  readonly command: readonly string[];
  /** The words that run a line of JavaScript, which follows. */
  readonly evaluate: readonly string[];
  /** The function that ends a process with a code. */
  readonly exit: string;
}

/** The loader does nothing on a Node that loads TypeScript itself. */
const NODE_TEST = "node --import tricorn/typescript --test test/*.test.ts";

const ROWS: Readonly<Record<Target, Row>> = {
  node: {
    title: "Node 20.12 or later",
    dev: "npm run dev",
    tests: "npm test",
    testScript: NODE_TEST,
    image: "node:{{major}}-slim",
    user: "node",
    uid: 1000,
    manifests: "package*.json",
    install: "npm install --omit=dev && npm cache clean --force",
    command: ["node", "node_modules/.bin/tricorn"],
    evaluate: ["node", "-e"],
    exit: "process.exit",
  },
  deno: {
    title: "Deno",
    dev: "deno task dev",
    tests: "deno task test",
    testScript: NODE_TEST,
    image: "denoland/deno:{{version}}",
    user: "deno",
    uid: 1993,
    manifests: "package.json deno.json deno.lock*",
    install: "deno install --prod",
    // The container is the sandbox: a master with workers needs --allow-run, and that is as much.
    command: ["deno", "run", "--allow-all", "npm:tricorn"],
    evaluate: ["deno", "eval"],
    exit: "Deno.exit",
  },
  bun: {
    title: "Bun",
    dev: "bun --bun run dev",
    tests: "bun test",
    testScript: "bun test",
    image: "oven/bun:{{major}}-slim",
    user: "bun",
    uid: 1000,
    manifests: "package.json bunfig.toml bun.lock*",
    install: "bun install --production",
    command: ["bun", "node_modules/.bin/tricorn"],
    evaluate: ["bun", "-e"],
    exit: "process.exit",
  },
};

const README: string = dedent(`
  # {{name}}

  {{title}}, served by Tricorn.

  \`\`\`sh
  {{install}}
  {{dev}}
  \`\`\`

  Then it is at <http://127.0.0.1:8000>.

  {{commands}}

  It runs elsewhere as it is:

  {{others}}

  The package \`@swc/wasm-typescript\` is for Node before 22.18, which does not load
  TypeScript by itself. Where that is not needed, remove it.

  ## Files

  {{files}}

  {{readme}}

  ## Docker

  \`\`\`sh
  docker build -t {{name}} .
  docker run --rm -p 8000:8000{{environment}} {{name}}
  \`\`\`
`);

const CONFIG: string = dedent(`
  // What \`tricorn runserver\` and \`tricorn serve\` do, unless a flag says otherwise.
  // All settings: tricorn serve --help
  import { defineConfig } from "tricorn";

  export default defineConfig({
    app: "{{app}}",
  });
`);

const BUNFIG: string = dedent(`
  # The scripts of package.json run on Bun, whatever their programs were made for.
  [run]
  bun = true
`);

const GITIGNORE: string = dedent(`
  node_modules/
  .env
  .env.production
`);

/** What an image does not need, or must not have. */
export const DOCKERIGNORE: string = dedent(`
  .dockerignore
  .env*
  .git
  .gitignore
  Dockerfile
  README.md
  compose.yaml
  deploy
  node_modules
  test
`);

const DOCKERFILE: string = dedent(`
  FROM {{image}}
  WORKDIR /app

  # A layer that stays as it is until they change.
  COPY {{manifests}} ./
  RUN {{install}}

  COPY . .

  # The server listens on this port of all addresses. It obeys the signals of
  # docker stop as process 1; add docker run --init if the application starts
  # programs that start others.
  ENV NODE_ENV=production PORT=8000
  EXPOSE 8000
  USER {{user}}
  HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \\
    CMD {{probe}}
  CMD {{serve}}
`);

/** Where a container asks its own server whether it is ready. */
const ADMIN = "127.0.0.1:8001";

/** Containers are replaced and not reloaded, so nobody asks for the control socket. */
const SERVE: readonly string[] = ["--workers", "auto", "--admin-bind", ADMIN, "--no-control-socket"];

/** How a script of package.json, or a task of deno.json, is run by the project's package manager. */
export function scriptCommand({ manager }: Project, script: string): string {
  return manager === "deno" ? `deno task ${script}` : `${manager} run ${script}`;
}

/** All files of a project. */
export function filesOf(template: Template, project: Project): Files {
  const { name, target, secretKey } = project;
  return {
    "README.md": readme(template, project),
    ...mapValues(template.files, (text) => fill(text, { name, secretKey })),
    "tricorn.config.ts": fill(CONFIG, { app: template.app }),
    "package.json": packageJson(template, project),
    "deno.json": denoJson(template),
    ...(target === "bun" ? { "bunfig.toml": BUNFIG } : {}),
    "tsconfig.json": tsconfig(),
    ".gitignore": GITIGNORE,
    "Dockerfile": dockerfile(project),
    ".dockerignore": DOCKERIGNORE,
  };
}

function readme(template: Template, project: Project): string {
  const { name, target, manager } = project;
  const command = (script: string, what: string): string[] => [`\`${scriptCommand(project, script)}\``, what];
  const others = Object.entries(ROWS).filter(([key]) => key !== target).map(([key, { title, dev, tests }]) => [
    title,
    `\`${dev}\``,
    // In a project of Bun, npm's script is Bun's.
    `\`${key === "node" && target === "bun" ? NODE_TEST : tests}\``,
  ]);
  const text = fill(README, {
    name,
    title: template.title.charAt(0).toUpperCase() + template.title.slice(1),
    install: `${manager} install`,
    dev: scriptCommand(project, "dev"),
    commands: table([
      ["Command", "What it does"],
      command("dev", "serves it for development, and anew after each change"),
      command("start", "serves it as in production"),
      command("test", "runs the tests"),
      command("check", template.settings === null ? "checks the types" : "checks the types and the settings"),
    ]),
    others: table([["On", "Development", "Tests"], ...others]),
    files: table([
      ["File", "What is in it"],
      ...template.tour.map(([path, what]) => [`\`${path}\``, what]),
      ["`test/`", "the tests"],
      ["`tricorn.config.ts`", "how it is served: address, workers, limits, logs"],
    ]),
    readme: template.readme.trimEnd(),
    environment: template.settings === null ? "" : " -e SECRET_KEY -e ALLOWED_HOSTS",
  });
  return text.replaceAll(/\n{3,}/g, "\n\n");
}

function packageJson({ dependencies, settings }: Template, { name, target }: Project): string {
  return json({
    name,
    private: true,
    type: "module",
    engines: { node: ">=20.12" },
    scripts: {
      // npm's SIGTERM goes to the shell, which would die of it and leave the server behind.
      dev: "exec tricorn runserver",
      start: "exec tricorn serve",
      test: ROWS[target].testScript,
      check: settings === null ? "tsc" : `tsc && tricorn check --settings ${settings}`,
    },
    dependencies: {
      "@swc/wasm-typescript": VERSIONS["@swc/wasm-typescript"],
      ...dependencies,
      tricorn: `^${VERSION}`,
    },
    devDependencies: {
      "@types/node": VERSIONS["@types/node"],
      typescript: VERSIONS.typescript,
    },
  });
}

function denoJson({ settings }: Template): string {
  const tricorn = "deno run --allow-net --allow-read --allow-env npm:tricorn";
  return json({
    tasks: {
      // It starts processes, watches files and opens browsers.
      dev: "deno run --allow-all npm:tricorn runserver",
      start: `${tricorn} serve`,
      test: "deno test --allow-read --allow-env",
      check: settings === null ? "deno check" : `deno check && ${tricorn} check --settings ${settings}`,
    },
    // It would take those of tsconfig.json, which has no types of Deno.
    compilerOptions: { lib: ["deno.window"] },
  });
}

function tsconfig(): string {
  return json({
    compilerOptions: {
      target: "ES2023",
      module: "NodeNext",
      lib: ["ES2023"],
      types: ["node"],
      strict: true,
      noUncheckedIndexedAccess: true,
      // What all three runtimes load without a build.
      erasableSyntaxOnly: true,
      verbatimModuleSyntax: true,
      allowImportingTsExtensions: true,
      noEmit: true,
      skipLibCheck: true,
    },
  });
}

/** The user, by number, that the image of a runtime has for what is not root's. */
export function imageUser(target: Target): number {
  return ROWS[target].uid;
}

/** How a project's image differs from that of a new one. */
export interface ImageOptions {
  /** What is copied before the dependencies are installed; the files that a new project has when not given. */
  readonly manifests?: string;
  /** The words after `tricorn serve`. */
  readonly flags?: readonly string[];
}

export function dockerfile(
  { target, version }: Pick<Project, "target" | "version">,
  options: ImageOptions = {},
): string {
  const { image, user, manifests, install, evaluate, exit } = ROWS[target];
  const probe = `fetch('http://${ADMIN}/readyz').then(({ ok }) => ${exit}(ok ? 0 : 1))`;
  return fill(DOCKERFILE, {
    image: fill(image, { version, major: version.split(".")[0]! }),
    user,
    manifests: options.manifests ?? manifests,
    install,
    probe: execForm([...evaluate, probe]),
    serve: execForm(imageCommand(target, options.flags)),
  });
}

/** The command of an image, with the words after `tricorn serve`. */
export function imageCommand(target: Target, flags: readonly string[] = SERVE): readonly string[] {
  return [...ROWS[target].command, "serve", ...flags];
}

/** `text` with a value for each `{{name}}` in it. */
function fill(text: string, values: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => values[name]!);
}

function mapValues(record: Files, change: (text: string) => string): Files {
  return Object.fromEntries(Object.entries(record).map(([key, text]) => [key, change(text)]));
}

/** A table as formatters of Markdown have it; the first row is the head. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const lines = rows.map((row) => `| ${row.map((cell, column) => cell.padEnd(widths[column]!)).join(" | ")} |`);
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`;
  return [lines[0]!, rule, ...lines.slice(1)].join("\n");
}

/** A command that no shell reads: a JSON array on one line. */
function execForm(words: readonly string[]): string {
  return `[${words.map((word) => JSON.stringify(word)).join(", ")}]`;
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
