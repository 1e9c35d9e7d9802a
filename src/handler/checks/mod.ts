// System checks, for those who add their own: `checks.register(check, ["database"])` (Django's django.core.checks).
export { type CheckLevel, type CheckMessage, isSerious } from "./messages.ts";
export { type Check, isSilenced, register, runChecks, type RunChecksOptions } from "./registry.ts";
