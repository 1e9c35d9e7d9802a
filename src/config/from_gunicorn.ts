// docs/from-gunicorn.md, from the tables of the settings and of what is known of Gunicorn's. scripts/settings_doc.ts writes
// it, and checks that it is up to date.

import { fold, table } from "./document.ts";
import { paragraph, shown } from "./flags.ts";
import { ABSENT, OWN } from "./gunicorn.ts";
import { type Setting, SETTING_NAMES, SETTINGS } from "./settings.ts";

const HEAD = `# From Gunicorn

Generated from src/config/settings.ts and src/config/gunicorn.ts by scripts/settings_doc.ts; change it there.

Settings, flags, signals, hooks and the formats of the logs have Gunicorn's names and meanings, as Gunicorn 26 has them.
`;

const IN_SHORT: readonly (readonly [string, string])[] = [
  ["Gunicorn", "Tricorn"],
  ["`gunicorn -w 4 module:app`", "`tricorn serve module.ts:app -w 4`"],
  ["`gunicorn.conf.py`, `-c`", "`tricorn.config.ts` (also `.js`, `.mjs`, `.json`), `-c`"],
  ["`GUNICORN_CMD_ARGS`", "`TRICORN_CMD_ARGS`"],
  ["`PORT`, `WEB_CONCURRENCY`", "the same"],
  ["`FORWARDED_ALLOW_IPS`", "the same"],
  ["`--check-config`, `--print-config`", "the same; a name that does not exist is an error"],
  ["HUP, USR1, USR2, TTIN, TTOU, QUIT", "the same ([signals.md](signals.md)); a reload that fails changes nothing"],
  [
    "`timeout` as the limit of a request (sync workers)",
    "`request_timeout`; `timeout` is what it is with asynchronous workers",
  ],
  ["`gunicornc`", "`tricorn ctl` ([production.md](production.md#tricorn-ctl))"],
  ["`gunicorn --reload`", "`tricorn runserver`"],
  ["a worker without `-w`", "one process without a master; say `-w 1` for both"],
  ["the files of nginx, systemd, ...", "`tricorn init` writes them ([deployment.md](deployment.md))"],
];

/** The whole text of docs/from-gunicorn.md. */
export function fromGunicornMarkdown(): string {
  const same = SETTING_NAMES.filter((name) => !OWN.includes(name));
  const differing = same.flatMap((name) => {
    const notes = notesOf(SETTINGS[name]);
    return notes === "" ? [] : [[`\`${name}\``, code(shown(SETTINGS[name])), notes]];
  });
  const alike = same.filter((name) => notesOf(SETTINGS[name]) === "").map((name) => `\`${name}\``);
  const absent = ABSENT.map(({ names, reason }) => [names.map((name) => `\`${name}\``).join(", "), reason]);
  const own = OWN.map((name) => `\`${name}\``);
  return [
    HEAD,
    table(IN_SHORT),
    "## Settings that differ\n",
    "Each one's exact meaning is in [settings.md](settings.md).\n",
    table([["Setting", "Default", "What differs"], ...differing]),
    "## Settings that are the same\n",
    `${fold(`${alike.join(", ")}.`)}\n`,
    "## Settings that are not here\n",
    table([["Gunicorn", "Instead"], ...absent]),
    "## What Gunicorn has not\n",
    `${fold(`${own.join(", ")}.`)}\n`,
  ].join("\n");
}

function code(text: string): string {
  return text === "" ? "none" : `\`${text}\``;
}

/** The sentences of a setting's description that are about Gunicorn. */
function notesOf(setting: Setting): string {
  // A period ends a sentence where white space follows it.
  const sentences = paragraph(setting).split(/(?<=[.;:])\s+(?=[A-Z`])/);
  return sentences.filter((sentence) => sentence.includes("Gunicorn")).map((sentence) => sentence.replace(/[;:]$/, "."))
    .join(" ");
}
