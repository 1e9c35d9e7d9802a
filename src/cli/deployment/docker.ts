// `tricorn init docker`: the image of a project (the one that `tricorn new` gives to a new one), and a compose.yaml that runs
// it behind nginx.

import { ConfigError } from "../../config/error.ts";
import { dockerfile, DOCKERIGNORE, imageUser } from "../templates/common.ts";
import type { Target } from "../templates/template.ts";
import { VERSION } from "../version.ts";
import {
  comment,
  configWords,
  type Deployment,
  type DeploymentTemplate,
  PORT,
  stopSeconds,
  text,
} from "./deployment.ts";
import { nginxConf } from "./nginx.ts";

/** The port of livez and readyz: in the image of this container alone, in Kubernetes for the node. */
export const ADMIN_PORT = 8001;

export const docker: DeploymentTemplate = {
  title: "an image, and compose.yaml with nginx before it",
  folder: "",
  flags: ["server-name"],
  files: (deployment) => ({
    "Dockerfile": dockerfile(deployment, imageOptions(deployment)),
    ".dockerignore": DOCKERIGNORE,
    "compose.yaml": compose(deployment),
    "deploy/compose.nginx.conf": nginxConf(deployment, "compose"),
  }),
  next: ({ name }, folder) => [
    ...(folder === "" || folder === "./" ? [] : [`cp -R ${folder}. .   # they are read where package.json is`]),
    `docker build -t ${name} .`,
    "docker compose up --build --detach   # http://127.0.0.1:8080",
  ],
};

/** The words after `tricorn serve` in a container: address and user are the container's, whatever the configuration says. */
export function containerFlags(deployment: Deployment, admin: string, more: readonly string[] = []): readonly string[] {
  const { settings, origins, target } = deployment;
  const uid = String(imageUser(target));
  return [
    ...(origins.app === "default" ? [deployment.app] : []),
    ...configWords(deployment),
    ...(origins.bind === "default" ? [] : ["--bind", `0.0.0.0:${PORT}`]),
    ...(settings.protocol === "http" ? [] : ["--protocol", "http"]),
    ...(origins.workers === "default" ? ["--workers", "auto"] : []),
    // The image's own, who is not root and can become nobody else.
    ...(settings.user === null ? [] : ["--user", uid]),
    ...(settings.group === null ? [] : ["--group", uid]),
    "--admin-bind",
    admin,
    ...(settings.workers === 0 ? [] : ["--no-control-socket"]),
    ...more,
  ];
}

/** The lists of dependencies that there may be, by the runtime that installs them. */
const MANIFESTS: Readonly<Record<Target, readonly string[]>> = {
  node: ["package.json", "package-lock.json", "npm-shrinkwrap.json", ".npmrc"],
  deno: ["package.json", "deno.json", "deno.jsonc", "deno.lock"],
  bun: ["package.json", "bunfig.toml", "bun.lock", "bun.lockb"],
};
/** With the names of `tricorn new`, so that a project that it made has its Dockerfile already. */
const OF_NEW: Readonly<Record<Target, readonly string[]>> = {
  node: ["package.json"],
  deno: ["package.json", "deno.json"],
  bun: ["package.json", "bunfig.toml"],
};

function imageOptions(deployment: Deployment): { readonly manifests?: string; readonly flags: readonly string[] } {
  const { names, target } = deployment;
  if (!names.has("package.json")) {
    throw new ConfigError(
      'docker: there is no package.json, by which the image gets Tricorn; write one with "npm install tricorn", or begin ' +
        'with "tricorn new"',
    );
  }
  const flags = containerFlags(deployment, `127.0.0.1:${ADMIN_PORT}`);
  if (OF_NEW[target].every((name) => names.has(name))) return { flags };
  return { flags, manifests: MANIFESTS[target].filter((name) => names.has(name)).join(" ") };
}

function compose(deployment: Deployment): string {
  const { name } = deployment;
  return text(
    comment(
      `${name} behind nginx in containers, by "tricorn init docker" (Tricorn ${VERSION}).`,
      "What you may want to change is marked CHANGE.",
    ),
    `name: ${name}`,
    "",
    "services:",
    "  app:",
    "    build: .",
    "    environment:",
    "      # The port is published nowhere: only nginx is in this network.",
    '      FORWARDED_ALLOW_IPS: "*"',
    "    # CHANGE: SECRET_KEY and the like. The image does not have this file, and neither should git.",
    "    env_file:",
    "      - path: .env.production",
    "        required: false",
    "    networks:",
    "      - front",
    "    restart: unless-stopped",
    "    cap_drop:",
    "      - ALL",
    "    # The server is the container's only process but for its workers; an init reaps what the application leaves.",
    "    init: true",
    "    # CHANGE: what the application writes needs a volume.",
    "    read_only: true",
    "    security_opt:",
    "      - no-new-privileges:true",
    "    # More than drain_delay, keepalive_grace and graceful_timeout.",
    `    stop_grace_period: ${stopSeconds(deployment)}s`,
    "    tmpfs:",
    "      - /tmp",
    "",
    "  nginx:",
    "    image: nginx:stable",
    "    depends_on:",
    "      app:",
    "        condition: service_healthy",
    "        # nginx looks the address of app up once; a new container may have another.",
    "        restart: true",
    "    volumes:",
    "      - ./deploy/compose.nginx.conf:/etc/nginx/conf.d/default.conf:ro",
    "    ports:",
    "      # CHANGE: 80:80, and 443:443 with a certificate.",
    "      - '127.0.0.1:8080:80'",
    "    networks:",
    "      - front",
    "    restart: unless-stopped",
    "",
    "networks:",
    "  front: {}",
  );
}
