// `tricorn init systemd`: a service that starts Tricorn from the project's folder, with as little power as its runtime needs,
// and the sockets that systemd holds for it.

import { parseBind } from "../../config/bind.ts";
import { ConfigError, quote } from "../../config/error.ts";
import { formatBind } from "../../runtime/port.ts";
import { VERSION } from "../version.ts";
import {
  absolute,
  comment,
  configName,
  configWords,
  type Deployment,
  type DeploymentTemplate,
  stopSeconds,
  text,
} from "./deployment.ts";

export const systemd: DeploymentTemplate = {
  title: "a systemd service and its sockets",
  folder: "deploy/",
  flags: [],
  files: (deployment) => {
    const socket = socketUnit(deployment);
    return {
      [`${deployment.name}.service`]: serviceUnit(deployment, socket !== null),
      ...(socket === null ? {} : { [`${deployment.name}.socket`]: socket }),
    };
  },
  next: (deployment, folder) => {
    const { name } = deployment;
    const sockets = hasSocket(deployment);
    return [
      ...(deployment.settings.user === null ? [`sudo useradd --system ${name}   # or change User=`] : []),
      `sudo cp ${folder}${name}.service ${sockets ? `${folder}${name}.socket ` : ""}/etc/systemd/system/`,
      `sudo systemctl daemon-reload && sudo systemctl enable --now ${sockets ? `${name}.socket ` : ""}${name}.service`,
    ];
  },
};

const hasSocket = ({ settings }: Deployment): boolean => !settings.bind.some((bind) => parseBind(bind).kind === "fd");

function serviceUnit(deployment: Deployment, sockets: boolean): string {
  const { name, folder, settings, origins, command, target } = deployment;
  const config = configName(deployment);
  const master = settings.workers !== 0;
  const control = settings.control_socket ?? `/run/${name}/ctl`;
  const words = [
    ...command,
    "serve",
    ...(origins.app === "default" ? [deployment.app] : []),
    ...configWords(deployment),
    ...(origins.workers === "default" ? ["--workers", "auto"] : []),
    ...(master && settings.control_socket === null && !settings.control_socket_disable
      ? ["--control-socket", control]
      : []),
  ];
  const reload = settings.control_socket_disable
    ? ["/bin/kill", "-HUP", "$MAINPID"]
    : [...command, "ctl", "--socket", absolute(control, settings.chdir ?? folder), "reload"];
  const home = [folder, command[0]!].some((path) => /^\/(?:home|root|run\/user)\//.test(path));
  const temporary = [folder, command[0]!].some((path) => /^\/(?:var\/)?tmp\//.test(path));
  const user = settings.user ?? name;
  return text(
    comment(
      `${name}, by "tricorn init systemd" (Tricorn ${VERSION}). It belongs into /etc/systemd/system.`,
      "What you may want to change is marked CHANGE.",
    ),
    "[Unit]",
    `Description=${specifier(name)}`,
    "After=network-online.target",
    "Wants=network-online.target",
    sockets && [`Requires=${name}.socket`, `After=${name}.socket`],
    "",
    "[Service]",
    comment("Started when the first worker is ready, as Tricorn says by systemd-notify, a process of its own."),
    "Type=notify",
    "NotifyAccess=all",
    comment(
      settings.user === null
        ? `CHANGE: the user; "useradd --system ${name}" makes it. It must be able to read the folder.`
        : `The user that ${config} names. Tricorn has no other then, so it is better left out there.`,
    ),
    `User=${specifier(user)}`,
    settings.group !== null && `Group=${specifier(settings.group)}`,
    `WorkingDirectory=${specifier(folder)}`,
    comment(
      `CHANGE: what the application finds in its environment (SECRET_KEY and the like), in a file of mode 0600.`,
      `EnvironmentFile=/etc/${name}.env`,
    ),
    "Environment=NODE_ENV=production",
    `ExecStart=${words.map(word).join(" ")}`,
    master
      ? [
        comment(
          settings.control_socket_disable
            ? "New code, and a new configuration. With a control socket it would wait and tell how it went."
            : "New code, and a new configuration; it waits, and fails when the reload does, while the old code serves on.",
        ),
        `ExecReload=${reload.map((one) => one === "$MAINPID" ? one : word(one)).join(" ")}`,
      ]
      : comment("With workers there would be reloads (ExecReload); one process is restarted."),
    comment("SIGTERM to the master alone, which tells its workers."),
    "KillMode=mixed",
    comment("More than boot_timeout; more than drain_delay, keepalive_grace and graceful_timeout."),
    `TimeoutStartSec=${settings.boot_timeout === 0 ? "infinity" : Math.ceil(settings.boot_timeout) + 30}`,
    `TimeoutStopSec=${stopSeconds(deployment)}`,
    comment("Wrong usage, and an application that does not load, do not get better."),
    "Restart=on-failure",
    "RestartPreventExitStatus=2 3 4",
    comment("A master that hangs is restarted."),
    "WatchdogSec=30",
    master &&
      [
        comment("A worker that the system kills for want of memory is replaced, and the others serve on."),
        "OOMPolicy=continue",
      ],
    "LimitNOFILE=65536",
    "",
    comment(`Folders of its own: /run/${name} and, for what the application keeps, /var/lib/${name}.`),
    `RuntimeDirectory=${name}`,
    sockets && "RuntimeDirectoryPreserve=restart",
    `StateDirectory=${name}`,
    comment("CHANGE: all else is read-only; name here what the application writes.", "ReadWritePaths="),
    "ProtectSystem=strict",
    home && comment('The project, or the runtime, is in a home folder. Below /srv and /usr/local it could be "true".'),
    `ProtectHome=${home ? "read-only" : "true"}`,
    temporary ? comment("PrivateTmp=true would hide the project, or the runtime.") : "PrivateTmp=true",
    "",
    comment(
      "What it has no need of. MemoryDenyWriteExecute=true is not here and cannot be: a JavaScript engine compiles at run",
      "time, into memory that it then executes.",
    ),
    "NoNewPrivileges=true",
    "CapabilityBoundingSet=",
    "AmbientCapabilities=",
    "PrivateDevices=true",
    "ProtectClock=true",
    "ProtectControlGroups=true",
    "ProtectHostname=true",
    "ProtectKernelLogs=true",
    "ProtectKernelModules=true",
    "ProtectKernelTunables=true",
    "ProtectProc=invisible",
    "RestrictNamespaces=true",
    "RestrictRealtime=true",
    "RestrictSUIDSGID=true",
    "LockPersonality=true",
    "RemoveIPC=true",
    "UMask=0027",
    comment("AF_NETLINK: name resolution asks which addresses this machine has."),
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
    "SystemCallArchitectures=native",
    comment(`A call that is not in the list fails in ${TITLES[target]}, and does not end it.`),
    "SystemCallFilter=@system-service",
    "SystemCallErrorNumber=EPERM",
    "",
    "[Install]",
    "WantedBy=multi-user.target",
    sockets && `Also=${name}.socket`,
  );
}

const TITLES = { node: "Node", deno: "Deno", bun: "Bun" } as const;

function socketUnit(deployment: Deployment): string | null {
  const { name, folder, settings } = deployment;
  if (!hasSocket(deployment)) return null;
  const binds = settings.bind.map(parseBind);
  const unix = binds.some(({ kind }) => kind === "unix");
  const mode = settings.unix_socket_mode ?? 0o660;
  return text(
    comment(
      `The sockets of ${name}, by "tricorn init systemd": systemd holds them, so nobody is refused while the service starts`,
      'again, and Tricorn needs no right to low ports. They are used in the place of "bind", and are the same.',
    ),
    "[Unit]",
    `Description=Sockets of ${specifier(name)}`,
    "",
    "[Socket]",
    ...binds.map((bind) => {
      if (bind.kind === "unix") return `ListenStream=${specifier(absolute(bind.path, settings.chdir ?? folder))}`;
      if (bind.kind === "fd") throw new Error("a socket of somebody else");
      return `ListenStream=${formatBind({ kind: "tcp", host: ipOf(bind.host), port: bind.port })}`;
    }),
    `Backlog=${settings.backlog}`,
    unix && [
      comment(
        "CHANGE: who may connect: the group of the web server. Whoever may is believed what it says of its clients.",
      ),
      "SocketGroup=www-data",
      `SocketMode=0${mode.toString(8)}`,
    ],
    "",
    "[Install]",
    "WantedBy=sockets.target",
  );
}

/** systemd resolves no names. */
function ipOf(host: string): string {
  if (host === "localhost") return "127.0.0.1";
  if (host.includes(":") || /^[\d.]+$/.test(host)) return host;
  throw new ConfigError(`bind: systemd listens on addresses, and ${quote(host)} is a name; write its address`);
}

/** `text` where systemd puts its specifiers in (systemd.unit(5)). */
function specifier(value: string): string {
  // deno-lint-ignore no-control-regex
  if (/[\x00-\x1f\x7f]/.test(value)) {
    throw new ConfigError(`init: a unit cannot have ${quote(value)}: it has control characters`);
  }
  return value.replaceAll("%", "%%");
}

/** `text` as one word of a command line (systemd.service(5)). */
function word(value: string): string {
  const escaped = specifier(value).replaceAll("$", "$$$$");
  return /^[\w/.:@%+,=-]+$/.test(escaped) ? escaped : `"${escaped.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}
