// `tricorn init nginx`: the site's part of nginx's configuration. The same text, with another upstream, is what nginx has in
// compose.yaml.

import { ConfigError, quote } from "../../config/error.ts";
import { type Bind, formatBind } from "../../runtime/port.ts";
import { VERSION } from "../version.ts";
import {
  adminOf,
  comment,
  configName,
  type Deployment,
  type DeploymentTemplate,
  indent,
  type Mapping,
  PORT,
  silenceSeconds,
  text,
  upstreamIdleSeconds,
  upstreamOf,
} from "./deployment.ts";

export const nginx: DeploymentTemplate = {
  title: "nginx in front of it",
  folder: "deploy/",
  flags: ["listen", "server-name", "mount", "static", "protected"],
  files: (deployment) => ({ [`${deployment.name}.nginx.conf`]: nginxConf(deployment, "host") }),
  next: ({ name }, folder) => [
    `sudo cp ${folder}${name}.nginx.conf /etc/nginx/conf.d/${name}.conf`,
    "sudo nginx -t && sudo systemctl reload nginx",
  ],
};

/** What the file begins with, by the way to Tricorn. */
const HEADS: Readonly<Record<"tcp" | "unix" | "compose", (name: string) => readonly string[]>> = {
  tcp: (name) => [
    ...origin(name),
    "",
    "Tricorn believes what nginx says of the client when nginx's address is in its setting forwarded_allow_ips, which",
    "has 127.0.0.1 and ::1 by default.",
  ],
  unix: (name) => [
    ...origin(name),
    "",
    "Tricorn believes what nginx says of the client, since whoever reaches the unix socket is trusted. nginx's user",
    "(www-data, or nginx) must be able to: let it be in the socket's group.",
  ],
  compose: (name) => [
    `The nginx of compose.yaml, before ${name}, by "tricorn init docker" (Tricorn ${VERSION}).`,
    "What you may want to change is marked CHANGE.",
  ],
};

function origin(name: string): readonly string[] {
  return [
    `${name} behind nginx, by "tricorn init nginx" (Tricorn ${VERSION}). It belongs into "http { }", where files of`,
    "/etc/nginx/conf.d are. What you may want to change is marked CHANGE.",
  ];
}

/** Every field that Tricorn believes a proxy (src/server/proxy.ts), and what nginx says in it; "" removes it. */
const FORWARDED: readonly (readonly [name: string, value: string])[] = [
  ["X-Forwarded-For", "$remote_addr"],
  ["X-Forwarded-Proto", "$scheme"],
  ["X-Forwarded-Host", '""'],
  ["X-Forwarded-Port", '""'],
  ["X-Forwarded-Protocol", '""'],
  ["X-Forwarded-Ssl", '""'],
  ["X-Real-IP", '""'],
  ["Forwarded", '""'],
];

/** The configuration for the context "http", of an nginx on the same host, or of the one in compose.yaml. */
export function nginxConf(deployment: Deployment, where: "host" | "compose"): string {
  const { name, settings, listen, serverName, mount, static: files, protected: hidden } = deployment;
  const upstream: Bind = where === "host" ? upstreamOf(deployment) : { kind: "tcp", host: "app", port: PORT };
  const id = name.replaceAll("-", "_");
  const scheme = settings.certfile === null ? "http" : "https";
  const address = upstream.kind === "unix" ? word(`unix:${upstream.path}`) : formatBind(upstream);
  const config = configName(deployment);
  return text(
    comment(...HEADS[where === "compose" ? "compose" : upstream.kind === "unix" ? "unix" : "tcp"](name)),
    "",
    `upstream ${name} {`,
    indent(comment("What nginx knows of these hosts, for all of its processes.")),
    `  zone ${name} 64k;`,
    where === "host" && indent(comment(`The address that ${config} has in "bind".`)),
    where === "host" && indent(
      comment("A host that does not answer is left out for a second (of several; a single one is always asked)."),
    ),
    `  server ${address}${where === "host" ? " fail_timeout=1s" : ""};`,
    where === "host" && indent(comment(
      "CHANGE: a second host. Each may then be restarted alone: nginx takes the other one meanwhile.",
      "server 192.0.2.2:8000 fail_timeout=1s;",
    )),
    indent(
      comment("Idle connections that each of nginx's processes keeps, and how long: less than Tricorn's keepalive."),
    ),
    "  keepalive 32;",
    `  keepalive_timeout ${upstreamIdleSeconds(deployment)}s;`,
    "}",
    "",
    comment("WebSocket is passed on, and no other upgrade: what a proxy does not understand, it cannot guard."),
    `map $http_upgrade $${id}_upgrade {`,
    "  websocket websocket;",
    '  default "";',
    "}",
    `map $${id}_upgrade $${id}_connection {`,
    '  "" "";',
    "  default upgrade;",
    "}",
    mount === "" ? null : [
      "",
      comment("What follows the mount point, as the client wrote it."),
      `map $request_uri $${id}_target {`,
      `  ${word(`~^${regExp(mount)}(?<${id}_rest>/.*)$`)} $${id}_rest;`,
      '  default "";',
      "}",
    ],
    "",
    "server {",
    ...listenLines(listen),
    serverName === null && where === "host" && indent(comment(
      "CHANGE: the site's host. Without it nginx's own page may be what is seen, until sites-enabled/default (Debian) or",
      "conf.d/default.conf is removed.",
    )),
    `  server_name ${serverName ?? "_"};`,
    indent(comment(
      'CHANGE: for HTTPS. Before nginx 1.25.1 it is "listen 443 ssl http2", without "http2 on".',
      "listen 443 ssl;",
      "listen [::]:443 ssl;",
      "http2 on;",
      "ssl_certificate /etc/ssl/example.com.pem;",
      "ssl_certificate_key /etc/ssl/example.com.key;",
      "ssl_protocols TLSv1.2 TLSv1.3;",
      "if ($scheme = http) { return 308 https://$host$request_uri; }",
    )),
    "",
    indent(comment("As Tricorn's limit_request_body; 0 is no limit. nginx's own is 1m.")),
    `  client_max_body_size ${settings.limit_request_body};`,
    "",
    indent(comment(
      "CHANGE: compress what the application does not: no page with both a secret and what a client sent (BREACH).",
      "gzip on;",
      "gzip_vary on;",
      "gzip_types text/css text/javascript application/json image/svg+xml;",
    )),
    "",
    ...aliasLocation(files),
    "",
    ...protectedLocation(hidden),
    "",
    ...(where === "host" ? healthLocation(adminOf(deployment)) : []),
    "",
    mount === "" ? null : [`  location = ${word(mount)} {`, `    return 308 ${word(`${mount}/`)}$is_args$args;`, "  }"],
    `  location ${word(`${mount}/`)} {`,
    mount === "" ? null : indent(
      text(
        comment(
          `The application sees paths without ${mount}. It must make its links with it: FORCE_SCRIPT_NAME: ${
            JSON.stringify(mount)
          } in`,
          "the settings of a Handler. One that has the mount point in its own routes (Hono's basePath) takes",
          `proxy_pass ${scheme}://${name}; without what follows the name, and without the "if".`,
        ),
        `if ($${id}_target = "") {`,
        "  return 404;",
        "}",
      ).trimEnd(),
      4,
    ),
    `    proxy_pass ${scheme}://${name}${mount === "" ? "" : `$${id}_target`};`,
    scheme === "http" ? null : indent(
      comment(
        `Tricorn speaks TLS itself (certfile in ${config}). On one machine, or over a unix socket, it need not: leave`,
        'certfile out there, and write "http" here. Its certificate is not verified by nginx without these:',
        "proxy_ssl_verify on;",
        "proxy_ssl_trusted_certificate /etc/ssl/certs/ca-certificates.crt;",
        "proxy_ssl_name example.com;",
      ),
      4,
    ),
    "    proxy_http_version 1.1;",
    `    proxy_set_header Upgrade $${id}_upgrade;`,
    `    proxy_set_header Connection $${id}_connection;`,
    "    proxy_set_header Host $http_host;",
    indent(
      comment(
        "Each of these is set or removed here, so that none is the client's own word. CHANGE: behind a further proxy,",
        "let nginx learn the client from that one (set_real_ip_from, real_ip_header), and keep these lines.",
      ),
      4,
    ),
    ...FORWARDED.map(([field, value]) => `    proxy_set_header ${field} ${value};`),
    "    proxy_redirect off;",
    indent(
      comment(
        "Another host is tried when this one cannot be reached or does not answer. A request that is not idempotent (POST,",
        "PATCH) is only sent again when nothing of it had been sent.",
      ),
      4,
    ),
    "    proxy_next_upstream error timeout;",
    "    proxy_next_upstream_tries 3;",
    where === "host" && indent(
      comment("CHANGE: with several hosts nearby, 1s: so long do requests wait for one that has been unplugged."),
      4,
    ),
    "    proxy_connect_timeout 5s;",
    indent(comment("CHANGE: the longest silence of the application, and of a WebSocket."), 4),
    `    proxy_read_timeout ${silenceSeconds(deployment)}s;`,
    indent(
      comment(
        "Answers are buffered, so that a slow client does not hold the application. One with the field",
        '"X-Accel-Buffering: no" is not: set it on event streams, and on whatever else must arrive piece by piece.',
      ),
      4,
    ),
    "  }",
    "}",
  );
}

function listenLines(listen: string): readonly string[] {
  if (!/^\d+$/.test(listen)) return [`  listen ${listen};`];
  return [`  listen ${listen};`, `  listen [::]:${listen};`];
}

function aliasLocation(files: Mapping | null): readonly string[] {
  if (files === null) {
    return [indent(comment(
      "CHANGE: files that nginx sends by itself.",
      "location /static/ {",
      "  alias /srv/shop/static/;",
      "}",
    ))];
  }
  return [
    indent(comment("Files that nginx sends by itself; its user must be able to read them.")),
    `  location ${word(files.url)} {`,
    `    alias ${word(files.folder)};`,
    "  }",
  ];
}

function protectedLocation(hidden: Mapping | null): readonly string[] {
  const about = 'the response\'s field "X-Accel-Redirect" names one below this path. No client can ask for them.';
  if (hidden === null) {
    return [indent(comment(
      "CHANGE: files that nginx sends when the application says so:",
      about,
      "location /protected/ {",
      "  internal;",
      "  alias /srv/shop/files/;",
      "}",
    ))];
  }
  return [
    indent(comment("Files that nginx sends when the application says so:", about)),
    `  location ${word(hidden.url)} {`,
    "    internal;",
    `    alias ${word(hidden.folder)};`,
    "  }",
  ];
}

function healthLocation(admin: string | null): readonly string[] {
  if (admin === null) {
    return [indent(comment(
      "Whoever watches this machine may ask whether Tricorn is ready: give it an admin_bind, and run init again.",
    ))];
  }
  return [
    indent(comment("CHANGE: who may ask whether Tricorn is ready: 200, or 503. Never the world.")),
    "  location = /readyz {",
    "    allow 127.0.0.1;",
    "    allow ::1;",
    "    deny all;",
    `    proxy_pass http://${admin};`,
    "  }",
  ];
}

/** `text` as one word of nginx's configuration. */
function word(value: string): string {
  if (/^[\w/.:@%+,=-]+$/.test(value)) return value;
  // A variable cannot be told from a dollar that is meant, but at the end of an expression.
  // deno-lint-ignore no-control-regex
  if (/[\x00-\x1f\x7f]|\$(?!$)/.test(value)) {
    throw new ConfigError(
      `init: nginx's configuration cannot have ${quote(value)}: leave "$" and control characters out`,
    );
  }
  return `"${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}

/** `text` in a regular expression, as itself. */
function regExp(value: string): string {
  return value.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
