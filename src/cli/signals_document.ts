// docs/signals.md, from the table in signals.ts. scripts/settings_doc.ts writes it, and checks that it is up to date.

import { fold, table } from "../config/document.ts";
import { type Action, ACTIONS, type Role, SIGNALS } from "./signals.ts";

const HEAD = `# Signals

Generated from src/cli/signals.ts; change it there. The same on Node, Deno and Bun.

\`tricorn serve\` with \`workers: 0\` is one process, _alone_. Otherwise the process that was started is the _master_: send
signals to it (\`pidfile\` has its process id), and it tells its _workers_. A signal to a worker concerns that worker
only. With \`handle_signals: false\`, \`serve()\` leaves them to its caller.

Where a process has none of these meanings, the system's stays: most signals end it.
`;

const ROLES: readonly (readonly [Role, string])[] = [["single", "Alone"], ["master", "Master"], ["worker", "Worker"]];

/** The whole text of docs/signals.md. */
export function signalsMarkdown(): string {
  const shown = (action: Action): string => action === "default" ? "-" : `[${action}](#${action})`;
  const rows = SIGNALS.map((row) => [`\`${row.signal}\``, ...ROLES.map(([role]) => shown(row[role]))]);
  const actions = [...new Set(SIGNALS.flatMap((row) => ROLES.map(([role]) => row[role])))].filter((one) =>
    one !== "default"
  );
  const differences = SIGNALS.flatMap(({ signal, differs }) =>
    differs === undefined ? [] : [fold(`- \`${signal}\`: ${differs}`, 118).replaceAll("\n", "\n  ")]
  );
  return [
    HEAD,
    table([["Signal", ...ROLES.map(([, title]) => title)], ...rows]),
    ...actions.map((action) => `## ${action}\n\n${fold(ACTIONS[action].replace(/\s+/g, " "))}\n`),
    "## Where Gunicorn differs\n",
    `${differences.join("\n")}\n`,
  ].join("\n");
}
