// `tricorn init apache`: a virtual host of Apache 2.4 that speaks HTTP to Tricorn, by mod_proxy_http. What mod_wsgi's
// WSGIScriptAlias says with a path, --mount says here.

import { ConfigError, quote } from "../../config/error.ts";
import { formatBind } from "../../runtime/port.ts";
import { VERSION } from "../version.ts";
import {
  comment,
  configName,
  type Deployment,
  type DeploymentTemplate,
  indent,
  type Mapping,
  silenceSeconds,
  text,
  upstreamIdleSeconds,
  upstreamOf,
} from "./deployment.ts";

export const apache: DeploymentTemplate = {
  title: "Apache in front of it",
  folder: "deploy/",
  flags: ["listen", "server-name", "mount", "static"],
  files: (deployment) => ({ [`${deployment.name}.apache.conf`]: apacheConf(deployment) }),
  next: ({ name }, folder) => [
    `sudo cp ${folder}${name}.apache.conf /etc/apache2/sites-available/${name}.conf`,
    `sudo a2enmod proxy_http headers && sudo a2ensite ${name}`,
    "sudo apache2ctl configtest && sudo systemctl reload apache2",
  ],
};

/** What Tricorn believes a proxy (src/server/proxy.ts), but for what is set. */
const REMOVED: readonly string[] = [
  "Forwarded",
  "X-Forwarded-Host",
  "X-Forwarded-Port",
  "X-Forwarded-Protocol",
  "X-Forwarded-Ssl",
  "X-Real-IP",
];

function apacheConf(deployment: Deployment): string {
  const { name, settings, listen, serverName, mount, static: files } = deployment;
  const upstream = upstreamOf(deployment);
  const scheme = settings.certfile === null ? "http" : "https";
  const config = configName(deployment);
  const unix = upstream.kind === "unix";
  // The host after a unix socket is only a name for it.
  const target = unix ? `unix:${upstream.path}|${scheme}://${name}/` : `${scheme}://${formatBind(upstream)}/`;
  return text(
    comment(
      `${name} behind Apache 2.4, by "tricorn init apache" (Tricorn ${VERSION}). It needs the modules proxy_http and`,
      "headers. What you may want to change is marked CHANGE.",
      "",
      unix
        ? "Tricorn believes what Apache says of the client, since whoever reaches the unix socket is trusted. Apache's user"
        : "Tricorn believes what Apache says of the client when its address is in the setting forwarded_allow_ips, which has",
      unix ? "(www-data) must be able to: let it be in the socket's group." : "127.0.0.1 and ::1 by default.",
    ),
    "",
    ...listenLines(listen),
    `<VirtualHost ${/^\d+$/.test(listen) ? `*:${listen}` : listen}>`,
    indent(
      serverName === null
        ? comment(
          "CHANGE: the site's host. Without it Apache's own page is what is seen, until a2dissite 000-default.",
          "ServerName example.com",
        )
        : `ServerName ${serverName}`,
    ),
    indent(comment(
      "CHANGE: for HTTPS, in a virtual host of port 443 with the module ssl.",
      "SSLEngine on",
      "SSLCertificateFile /etc/ssl/example.com.pem",
      "SSLCertificateKeyFile /etc/ssl/example.com.key",
    )),
    "",
    indent(comment("The application sees the client's Host, and its path as it was written (%2F stays %2F).")),
    "  ProxyPreserveHost On",
    "  AllowEncodedSlashes NoDecode",
    "",
    indent(comment("Each field that Tricorn believes is set or removed here, so that none is the client's own word.")),
    "  ProxyAddHeaders Off",
    ...REMOVED.map((field) => `  RequestHeader unset ${field}`),
    '  RequestHeader set X-Forwarded-For "expr=%{REMOTE_ADDR}"',
    '  RequestHeader set X-Forwarded-Proto "expr=%{REQUEST_SCHEME}"',
    "",
    indent(comment("As Tricorn's limit_request_body; 0 is no limit.")),
    `  LimitRequestBody ${settings.limit_request_body}`,
    "",
    ...aliasLines(files),
    "",
    mount === "" ? null : indent(comment(
      `The application sees paths without ${mount}. It must make its links with it: FORCE_SCRIPT_NAME: ${
        JSON.stringify(mount)
      } in the`,
      "settings of a Handler. One that has the mount point in its own routes (Hono's basePath) takes it at the end of the",
      "second address, too.",
    )),
    scheme === "https" && indent(
      text(
        comment(
          `Tricorn speaks TLS itself (certfile in ${config}). On one machine, or over a unix socket, it need not: leave certfile`,
          'out there, and write "http" here. Otherwise it needs the module ssl; the certificate is verified with the last two:',
        ),
        "SSLProxyEngine on",
        comment("SSLProxyVerify require", "SSLProxyCACertificateFile /etc/ssl/certs/ca-certificates.crt"),
      ).trimEnd(),
    ),
    indent(comment(
      "WebSocket is passed on. Idle connections are given up (ttl) before Tricorn gives them up (keepalive). After an error",
      "Apache asks again at once (retry). CHANGE: timeout is the longest silence of the application.",
    )),
    `  ProxyPass ${word(`${mount}/`)} ${word(target)} nocanon upgrade=websocket retry=0 connectiontimeout=5 timeout=${
      silenceSeconds(deployment)
    } ttl=${upstreamIdleSeconds(deployment)}`,
    mount === "" ? null : `  Redirect 308 ${word(mount)} ${word(`${mount}/`)}`,
    "</VirtualHost>",
  );
}

function listenLines(listen: string): readonly string[] {
  if (/^(?:80|443)$/.test(listen)) return [];
  return [comment("Where nothing else in Apache's configuration says so."), `Listen ${listen}`, ""];
}

function aliasLines(files: Mapping | null): readonly string[] {
  if (files === null) {
    return [indent(comment(
      "CHANGE: files that Apache sends by itself.",
      "Alias /static/ /srv/shop/static/",
      "ProxyPass /static/ !",
      "<Directory /srv/shop/static/>",
      "  Require all granted",
      "</Directory>",
    ))];
  }
  return [
    indent(comment("Files that Apache sends by itself; its user must be able to read them.")),
    `  Alias ${word(files.url)} ${word(files.folder)}`,
    `  ProxyPass ${word(files.url)} !`,
    `  <Directory ${word(files.folder)}>`,
    "    Require all granted",
    "  </Directory>",
  ];
}

/** `text` as one word of Apache's configuration. */
function word(value: string): string {
  // Variables of the environment and of Define are put in, quoted or not.
  // deno-lint-ignore no-control-regex
  if (/[\x00-\x1f\x7f]|\$\{|%\{/.test(value)) {
    throw new ConfigError(
      `init: Apache's configuration cannot have ${quote(value)}: leave "\${", "%{" and control characters out`,
    );
  }
  return /^[\w/.:@%+,=|-]+$/.test(value) ? value : `"${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}
