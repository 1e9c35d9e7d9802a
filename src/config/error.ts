// What a user configured wrongly. The message is one line that names the setting or flag as the user wrote it, and says
// what to write instead.

/** A flag, option, environment variable or address that cannot be used. The command exits with 2. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  /** The stack, where it was the configuration file's own code that threw; else null. */
  readonly detail: string | null;

  constructor(message: string, detail: string | null = null) {
    super(message);
    this.detail = detail;
  }
}

/** `text` as it may stand in a one-line message: quoted, controls escaped, not endless. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}...` : text);
}
