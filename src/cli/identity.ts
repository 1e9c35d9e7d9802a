// Who the workers are: the settings user, group and initgroups, resolved to numbers and then taken on. Names are looked up
// in /etc/passwd and /etc/group, which needs no native code and means the same on all runtimes; a number needs neither.

import { quote } from "../config/error.ts";
import { reasonOf } from "./attempt.ts";
import { type Identity, type ProcessControl, ProcessError } from "./process_control.ts";

interface IdentitySettings {
  /** A name, or a number in digits. */
  readonly user: string | null;
  readonly group: string | null;
  readonly initgroups: boolean;
}

/**
 * The user and the group that the settings mean; null when they mean nobody, or who this process is anyway. Without
 * `group` it is the user's own: in Gunicorn it would stay the master's, which is root's most of the time.
 *
 * @throws {ProcessError} when there is no such user or group.
 */
export function resolveIdentity(settings: IdentitySettings, control: ProcessControl): Identity | null {
  const { user, group } = settings;
  if (user === null && group === null) return null;
  const owner = attempt(settings, control.owner);
  const entry = user === null ? null : find("/etc/passwd", user, control, settings);
  const uid = user === null ? owner.uid : idOf("user", user, entry);
  let gid = owner.gid;
  if (group !== null) {
    gid = isNumber(group) ? Number(group) : idOf("group", group, find("/etc/group", group, control, settings));
  } else if (uid !== owner.uid) {
    // name:password:uid:gid:...
    if (entry === null) throw new ProcessError(`user: ${user} is not in /etc/passwd, so give its --group too`);
    gid = Number(entry[3]);
  }
  if (settings.initgroups && entry === null) {
    throw new ProcessError(`initgroups: user ${user} is not in /etc/passwd, so it has no groups`);
  }
  const same = uid === owner.uid && gid === owner.gid && !settings.initgroups;
  return same ? null : { uid, gid, initgroups: settings.initgroups ? entry![0]! : null };
}

/**
 * Whether the runtime can do what the settings ask of it for the user. That there is such a user is not asked.
 *
 * @throws {ProcessError}
 */
export function checkIdentity(settings: IdentitySettings, control: ProcessControl): void {
  if (settings.initgroups) attempt(settings, () => control.checkInitgroups());
}

/**
 * Becomes who the settings say, for good. To be called before any code of the application is loaded, and after what only
 * the master's user may read has been read (the TLS key).
 *
 * @throws {ProcessError} when there is no such user or group, or the process may not become it.
 */
export function dropPrivileges(settings: IdentitySettings, control: ProcessControl): void {
  const identity = resolveIdentity(settings, control);
  if (identity !== null) attempt(settings, () => control.become(identity));
}

/** The fields of the line of `file` that has this name, or this number. */
function find(
  file: string,
  wanted: string,
  control: ProcessControl,
  settings: IdentitySettings,
): readonly string[] | null {
  const text = attempt(settings, () => control.readFile(file)) ?? "";
  const entries = text.split("\n").map((line) => line.split(":"));
  return entries.find((entry) => entry[isNumber(wanted) ? 2 : 0] === wanted) ?? null;
}

function isNumber(text: string): boolean {
  return /^\d+$/.test(text);
}

function idOf(kind: "user" | "group", wanted: string, entry: readonly string[] | null): number {
  if (isNumber(wanted)) return Number(wanted);
  if (entry !== null) return Number(entry[2]);
  const file = kind === "user" ? "/etc/passwd" : "/etc/group";
  throw new ProcessError(`${kind}: there is no ${kind} ${quote(wanted)} in ${file}; a number would be taken as it is`);
}

function attempt<T>({ user, group }: IdentitySettings, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof ProcessError) throw error;
    const whom = [user && `user ${quote(user)}`, group && `group ${quote(group)}`].filter(Boolean).join(" and ");
    throw new ProcessError(`cannot become ${whom}: ${explain(error)}`);
  }
}

function explain(error: unknown): string {
  const { code, name } = error as { code?: string; name?: string };
  if (code === "EPERM") return "not permitted; only root may, so start Tricorn as root or leave it out";
  if (name === "NotCapable") {
    // Its names for setuid and setgid are none that --allow-sys takes.
    return "Deno may not; add --allow-sys, and for names --allow-read=/etc/passwd,/etc/group";
  }
  return reasonOf(error);
}
