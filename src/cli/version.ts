// The version, for the commands and the first line of the log. test/cli/main.test.ts holds it against package.json.

export const VERSION = "0.1.0";
