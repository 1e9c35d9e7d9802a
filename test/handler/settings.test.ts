// Settings have Django's names and defaults, and a wrong one is told at once, with the remedy.

import { describe, expect, test } from "vitest";
import { ImproperlyConfigured } from "../../src/handler/exceptions.ts";
import { type HandlerSettings, resolveSettings } from "../../src/handler/settings.ts";

describe("resolveSettings", () => {
  test("the defaults are Django's", () => {
    expect(resolveSettings()).toMatchObject({
      DEBUG: false,
      ALLOWED_HOSTS: [],
      APPEND_SLASH: true,
      PREPEND_WWW: false,
      DATA_UPLOAD_MAX_MEMORY_SIZE: 2_621_440,
      DATA_UPLOAD_MAX_NUMBER_FIELDS: 1000,
      DATA_UPLOAD_MAX_NUMBER_FILES: 100,
      FILE_UPLOAD_MAX_MEMORY_SIZE: 2_621_440,
      X_FRAME_OPTIONS: "DENY",
      SECURE_REFERRER_POLICY: "same-origin",
      CSRF_COOKIE_AGE: 31_449_600,
      CSRF_HEADER_NAME: "HTTP_X_CSRFTOKEN",
      DEFAULT_CHARSET: "utf-8",
    });
  });

  test("what is given wins; the result is frozen", () => {
    const settings = resolveSettings({ DEBUG: true, ALLOWED_HOSTS: ["example.com"] });
    expect(settings.DEBUG).toBe(true);
    expect(settings.ALLOWED_HOSTS).toEqual(["example.com"]);
    expect(Object.isFrozen(settings)).toBe(true);
  });

  test("resolved settings can be given again", () => {
    const settings = resolveSettings({ DEBUG: true });
    expect(resolveSettings(settings)).toEqual(settings);
  });

  test.each([
    [{ ALOWED_HOSTS: [] }, 'there is no setting "ALOWED_HOSTS"; did you mean "ALLOWED_HOSTS"?'],
    [{ debug: true }, 'there is no setting "debug"; did you mean "DEBUG"?'],
    [{ NOTHING_LIKE_IT: 1 }, 'there is no setting "NOTHING_LIKE_IT"'],
    [{ ALLOWED_HOSTS: "example.com" }, "the setting ALLOWED_HOSTS is a string; it must be an array"],
    [{ DEBUG: "false" }, "the setting DEBUG is a string; it must be a boolean"],
    [{ DEBUG: undefined }, "the setting DEBUG is undefined; it must be a boolean"],
    [{ SECURE_HSTS_SECONDS: -1 }, "the setting SECURE_HSTS_SECONDS is -1; it must be 0 or more"],
    [{ SECURE_HSTS_SECONDS: NaN }, "the setting SECURE_HSTS_SECONDS is NaN; it must be 0 or more"],
    [{ LOGGER: 1 }, "the setting LOGGER is a number; it must be a function or null"],
    [{ __proto__: { toString: 1 }, toString: 1 }, 'there is no setting "toString"'],
  ])("%j is refused: %s", (given, message) => {
    expect(() => resolveSettings(given as unknown as HandlerSettings)).toThrow(new ImproperlyConfigured(message));
  });

  test("null switches a limit off, as in Django", () => {
    expect(resolveSettings({ DATA_UPLOAD_MAX_MEMORY_SIZE: null }).DATA_UPLOAD_MAX_MEMORY_SIZE).toBe(null);
  });
});
