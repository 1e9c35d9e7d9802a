// XFrameOptionsMiddleware, by the cases of Django's tests/middleware.

import { expect, test } from "vitest";
import type { Middleware, View } from "../../../src/handler/base.ts";
import {
  xframeOptionsDeny,
  xframeOptionsExempt,
  XFrameOptionsMiddleware,
  xframeOptionsSameorigin,
} from "../../../src/handler/middleware/clickjacking.ts";
import { HttpResponse } from "../../../src/handler/response.ts";
import type { HandlerSettings } from "../../../src/handler/settings.ts";
import { makeSite } from "./site.ts";

const plain: View = () => new HttpResponse("ok");
const VIEWS: Readonly<Record<string, View>> = {
  "": plain,
  "own/": () => new HttpResponse("ok", { headers: { "x-frame-options": "ALLOWALL" } }),
  "deny/": xframeOptionsDeny(plain),
  "same/": xframeOptionsSameorigin(plain),
  "exempt/": xframeOptionsExempt(plain),
  "fails/": () => {
    throw new Error("no");
  },
};

const all: readonly Middleware[] = [XFrameOptionsMiddleware];
test.each<[string, readonly Middleware[], HandlerSettings, string | null]>([
  ["/", all, {}, "DENY"],
  ["/", all, { X_FRAME_OPTIONS: "SAMEORIGIN" }, "SAMEORIGIN"],
  ["/", all, { X_FRAME_OPTIONS: "sameorigin" }, "SAMEORIGIN"],
  ["/own/", all, {}, "ALLOWALL"],
  ["/same/", all, {}, "SAMEORIGIN"],
  ["/deny/", all, { X_FRAME_OPTIONS: "SAMEORIGIN" }, "DENY"],
  ["/exempt/", all, {}, null],
  ["/fails/", all, {}, "DENY"],
  ["/nowhere/", all, {}, "DENY"],
  ["/", [], {}, null],
  ["/same/", [], {}, "SAMEORIGIN"],
])("%s, %o, %j: %s", async (path, middleware, settings, expected) => {
  expect((await makeSite(middleware, VIEWS, settings).get(path)).header("X-Frame-Options")).toBe(expected);
});
