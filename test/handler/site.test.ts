// examples/site in process: what its tests over sockets cannot bring about. Those are in test/runtimes/site.test.ts.

import { expect, test } from "vitest";
import { settings } from "../../examples/site/settings.ts";
import { urlconf, urlpatterns } from "../../examples/site/urls.ts";
import { call } from "../../src/esgi/testing.ts";
import { runChecks } from "../../src/handler/checks/mod.ts";
import { Handler } from "../../src/handler/handler.ts";
import { path } from "../../src/handler/urls/mod.ts";

test("its settings pass the system checks", async () => {
  expect(await runChecks(settings)).toEqual([]);
});

test("a view that breaks: 500 in the site's words, in JSON below /api/, and nothing of why", async () => {
  const broken = (): never => {
    throw new Error("secret");
  };
  const patterns = [path("broken/", broken), path("api/broken/", broken), ...urlpatterns];
  const { application } = new Handler({ ...settings, ROOT_URLCONF: { ...urlconf, patterns }, LOGGER: () => {} });
  const page = await call(application, "/broken/");
  expect([page.status, page.text().includes("<h1>Our fault</h1>")]).toEqual([500, true]);
  const json = await call(application, "/api/broken/");
  expect([json.status, json.json()]).toEqual([500, { error: "Our fault" }]);
  expect(page.text() + json.text()).not.toContain("secret");
});
