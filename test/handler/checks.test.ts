// System checks: the registry, and each rule by its id, which is Django's where Django has it.

import { describe, expect, test } from "vitest";
import type { ErrorView, Middleware, URLConf } from "../../src/handler/base.ts";
import { isSerious } from "../../src/handler/checks/messages.ts";
import { isSilenced, register, runChecks } from "../../src/handler/checks/registry.ts";
import { ImproperlyConfigured } from "../../src/handler/exceptions.ts";
import { XFrameOptionsMiddleware } from "../../src/handler/middleware/clickjacking.ts";
import { CsrfViewMiddleware } from "../../src/handler/middleware/csrf.ts";
import { SecurityMiddleware } from "../../src/handler/middleware/security.ts";
import { HttpResponse } from "../../src/handler/response.ts";
import type { HandlerSettings } from "../../src/handler/settings.ts";
import { path } from "../../src/handler/urls/conf.ts";

/** A project that no check has anything to say of, deployed or not. */
const GOOD: HandlerSettings = {
  SECRET_KEY: "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOP",
  ALLOWED_HOSTS: ["example.com"],
  ROOT_URLCONF: [path("", () => new HttpResponse("ok"))],
  MIDDLEWARE: [SecurityMiddleware, CsrfViewMiddleware, XFrameOptionsMiddleware],
  SECURE_HSTS_SECONDS: 3600,
  SECURE_HSTS_INCLUDE_SUBDOMAINS: true,
  SECURE_HSTS_PRELOAD: true,
  SECURE_SSL_REDIRECT: true,
  CSRF_COOKIE_SECURE: true,
};

const ids = async (settings: HandlerSettings, deploy = false): Promise<string[]> =>
  (await runChecks({ ...GOOD, ...settings }, { deploy })).map(({ id }) => id);

test("nothing is said of a project in which nothing is wrong", async () => {
  expect(await ids({})).toEqual([]);
  expect(await ids({}, true)).toEqual([]);
});

describe("the registry", () => {
  test("an application's own check is run, chosen by its tags, and may be async; added twice, it is run once", async () => {
    const check = async (): Promise<{ level: "warning"; id: string; message: string }[]> =>
      await [{ level: "warning", id: "app.W001", message: "a migration is pending" }];
    register(check, ["test:database"]);
    register(check, ["test:database"]);
    expect(await ids({})).toEqual(["app.W001"]);
    expect(await runChecks(GOOD, { tags: ["test:database"] })).toHaveLength(1);
    expect(await runChecks(GOOD, { tags: ["security"] })).toEqual([]);
  });

  test("a check for deployment is run only then", async () => {
    register(({ DEBUG }) => DEBUG ? [{ level: "error", id: "app.E002", message: "x" }] : [], ["test:deploy"], {
      deploy: true,
    });
    expect(await runChecks({ ...GOOD, DEBUG: true }, { tags: ["test:deploy"] })).toEqual([]);
    expect(await runChecks({ ...GOOD, DEBUG: true }, { tags: ["test:deploy"], deploy: true })).toHaveLength(1);
  });

  test("a tag that no check has is an error", async () => {
    await expect(runChecks(GOOD, { tags: ["secruity"] })).rejects.toThrow(ImproperlyConfigured);
  });

  test("settings that cannot be resolved are the only message: settings.E001", async () => {
    expect(await runChecks({ ALOWED_HOSTS: [] } as HandlerSettings)).toEqual([{
      level: "critical",
      id: "settings.E001",
      message: 'there is no setting "ALOWED_HOSTS"; did you mean "ALLOWED_HOSTS"?',
    }]);
  });

  test("SILENCED_SYSTEM_CHECKS", () => {
    const message = { level: "error", id: "urls.E004", message: "x" } as const;
    expect(isSilenced(message, { SILENCED_SYSTEM_CHECKS: ["urls.E004"] })).toBe(true);
    expect(isSilenced(message, {})).toBe(false);
  });

  test("serious is what is an error or worse", () => {
    expect((["debug", "info", "warning", "error", "critical"] as const)
      .map((level) => isSerious({ level, id: "x", message: "x" }))).toEqual([false, false, false, true, true]);
  });
});

// The checks that other tests have registered say nothing of these, but for app.W001.
const own = (found: string[]): string[] => found.filter((id) => !id.startsWith("app."));

describe("every day", () => {
  test.each<[string, HandlerSettings]>([
    ["security.W020", { ALLOWED_HOSTS: [] }],
    ["security.E023", { SECURE_REFERRER_POLICY: "none" }],
    ["security.E023", { SECURE_REFERRER_POLICY: ["origin", "same-orign"] }],
    ["security.E024", { SECURE_CROSS_ORIGIN_OPENER_POLICY: "none" }],
    ["settings.W001", { ALLOWED_HOSTS: ["https://example.com"] }],
    ["settings.W001", { ALLOWED_HOSTS: ["example.com:8000"] }],
    ["settings.W001", { ALLOWED_HOSTS: ["*.example.com"] }],
    ["settings.W002", { SECURE_PROXY_SSL_HEADER: ["X-Forwarded-Proto", "https"] }],
    ["settings.W002", { CSRF_HEADER_NAME: "X-CSRFToken" }],
    ["4_0.E001", { CSRF_TRUSTED_ORIGINS: ["example.com"] }],
    ["4_0.E001", { CSRF_TRUSTED_ORIGINS: ["https://example.com/"] }],
    ["urls.E006", { STATIC_URL: "/static" }],
    ["staticfiles.E002", { STATIC_ROOT: "/srv/static", STATICFILES_DIRS: ["/srv/static"] }],
    ["middleware.E001", { MIDDLEWARE: ["CommonMiddleware" as unknown as Middleware] }],
    ["middleware.E001", { MIDDLEWARE: [null as unknown as Middleware] }],
    ["middleware.W002", { MIDDLEWARE: [SecurityMiddleware, SecurityMiddleware] }],
    ["urls.W002", { ROOT_URLCONF: [path("/polls", () => new HttpResponse())] }],
    ["urls.E007", {
      ROOT_URLCONF: {
        patterns: [],
        handler404: ((_a: unknown, _b: unknown, _c: unknown) => new HttpResponse()) as unknown as ErrorView,
      },
    }],
    ["urls.W102", { ROOT_URLCONF: { patterns: [], handlr404: () => new HttpResponse() } as unknown as URLConf }],
    ["urls.E008", { ROOT_URLCONF: { patterns: [], handler500: "polls.views.error" as unknown as ErrorView } }],
  ])("%s: %j", async (id, settings) => {
    expect(own(await ids(settings))).toEqual([id]);
  });

  test.each<HandlerSettings>([
    { ALLOWED_HOSTS: ["*"] },
    { ALLOWED_HOSTS: [".example.com", "127.0.0.1", "[::1]"] },
    { ALLOWED_HOSTS: [], DEBUG: true },
    { SECURE_PROXY_SSL_HEADER: ["HTTP_X_FORWARDED_PROTO", "https"] },
    { CSRF_TRUSTED_ORIGINS: ["https://*.example.com", "http://localhost:8000"] },
    { SECURE_REFERRER_POLICY: "no-referrer, strict-origin" },
    { SECURE_CROSS_ORIGIN_OPENER_POLICY: null },
    { STATIC_URL: "https://static.example.com/" },
    {
      ROOT_URLCONF: {
        patterns: [],
        handler404: () => new HttpResponse(),
        handler500: (_request, _error) => new HttpResponse(),
      },
    },
    // A module that exports more.
    { ROOT_URLCONF: { patterns: [], index: () => new HttpResponse() } as unknown as URLConf },
  ])("nothing is wrong with %j", async (settings) => {
    expect(own(await ids(settings))).toEqual([]);
  });
});

describe("--deploy", () => {
  test.each<[string, HandlerSettings]>([
    ["security.W001", { MIDDLEWARE: [CsrfViewMiddleware, XFrameOptionsMiddleware] }],
    ["security.W002", { MIDDLEWARE: [SecurityMiddleware, CsrfViewMiddleware] }],
    ["security.W003", { MIDDLEWARE: [SecurityMiddleware, XFrameOptionsMiddleware] }],
    ["security.W004", { SECURE_HSTS_SECONDS: 0 }],
    ["security.W005", { SECURE_HSTS_INCLUDE_SUBDOMAINS: false }],
    ["security.W006", { SECURE_CONTENT_TYPE_NOSNIFF: false }],
    ["security.W008", { SECURE_SSL_REDIRECT: false }],
    ["security.W009", { SECRET_KEY: "" }],
    ["security.W009", { SECRET_KEY: "a".repeat(60) }],
    ["security.W009", { SECRET_KEY: `django-insecure-${GOOD.SECRET_KEY}` }],
    ["security.W016", { CSRF_COOKIE_SECURE: false }],
    ["security.W018", { DEBUG: true }],
    ["security.W019", { X_FRAME_OPTIONS: "SAMEORIGIN" }],
    ["security.W020", { ALLOWED_HOSTS: [] }],
    ["security.W021", { SECURE_HSTS_PRELOAD: false }],
    ["security.W022", { SECURE_REFERRER_POLICY: null }],
  ])("%s", async (id, settings) => {
    expect(own(await ids(settings, true))).toEqual([id]);
  });

  test("each message has a hint", async () => {
    const messages = await runChecks({ DEBUG: true }, { deploy: true });
    expect(messages.filter(({ hint, id }) => !hint && !id.startsWith("app."))).toEqual([]);
    expect(messages.length).toBeGreaterThan(4);
  });
});
