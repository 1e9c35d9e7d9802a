// The list of system checks, and how they are run (Django's checks/registry.py). An application adds its own: of its
// database's migrations, say. No check is here.

import type { MaybePromise } from "../../esgi/application.ts";
import { ImproperlyConfigured } from "../exceptions.ts";
import { type HandlerSettings, resolveSettings, type Settings } from "../settings.ts";
import { checkMiddleware } from "./middleware.ts";
import type { CheckMessage } from "./messages.ts";
import { checkSecurity, checkSecurityForDeployment } from "./security.ts";
import { checkSettings } from "./settings.ts";
import { checkURLs } from "./urls.ts";

/** Looks at a project, and says what is wrong with it. */
export type Check = (settings: Settings) => MaybePromise<readonly CheckMessage[]>;

interface RegisteredCheck {
  readonly check: Check;
  readonly tags: readonly string[];
  readonly deploy: boolean;
}

const registered: RegisteredCheck[] = [
  { check: checkSettings, tags: ["settings"], deploy: false },
  { check: checkMiddleware, tags: ["middleware"], deploy: false },
  { check: checkURLs, tags: ["urls"], deploy: false },
  { check: checkSecurity, tags: ["security"], deploy: false },
  { check: checkSecurityForDeployment, tags: ["security"], deploy: true },
];

/**
 * Adds a check, with the tags that it can be chosen by.
 *
 * @param options `deploy`: it is for what is to be deployed, and run only when that is asked for; default false
 */
export function register(
  check: Check,
  tags: readonly string[],
  { deploy = false }: { readonly deploy?: boolean } = {},
): void {
  if (!registered.some((one) => one.check === check)) registered.push({ check, tags, deploy });
}

/** Which checks are run. */
export interface RunChecksOptions {
  /** Only those that have one of these. Default: all. */
  readonly tags?: readonly string[];
  /** Those for what is to be deployed, too. Default false. */
  readonly deploy?: boolean;
}

/**
 * What the checks say of `given`, in their order; silenced messages, too: see {@link isSilenced}. Settings that cannot be
 * resolved are a message, and the only one.
 *
 * @throws {ImproperlyConfigured} for a tag that no check has.
 */
export async function runChecks(
  given: HandlerSettings,
  { tags, deploy = false }: RunChecksOptions = {},
): Promise<CheckMessage[]> {
  const known = new Set(registered.flatMap((one) => one.tags));
  const unknown = tags?.find((tag) => !known.has(tag));
  if (unknown !== undefined) {
    throw new ImproperlyConfigured(
      `no check has the tag ${JSON.stringify(unknown)}; tags are ${[...known].join(", ")}`,
    );
  }
  let settings: Settings;
  try {
    settings = resolveSettings(given);
  } catch (error) {
    if (!(error instanceof ImproperlyConfigured)) throw error;
    return [{ level: "critical", id: "settings.E001", message: error.message }];
  }
  const messages: CheckMessage[] = [];
  for (const one of registered) {
    if (one.deploy && !deploy) continue;
    if (tags !== undefined && !one.tags.some((tag) => tags.includes(tag))) continue;
    messages.push(...await one.check(settings));
  }
  return messages;
}

/** True for what SILENCED_SYSTEM_CHECKS names. What is serious can be silenced, too, as in Django. */
export function isSilenced({ id }: CheckMessage, settings: HandlerSettings): boolean {
  return settings.SILENCED_SYSTEM_CHECKS?.includes(id) ?? false;
}
