// Checks of ROOT_URLCONF: its error views here, its patterns in src/handler/urls/ (Django's checks/urls.py).

import type { Settings } from "../settings.ts";
import { checkUrls } from "../urls/checks.ts";
import type { CheckMessage } from "./messages.ts";

/** urls.E007 and urls.E008, and what the patterns' own check has to say. */
export function checkURLs(settings: Settings): CheckMessage[] {
  return [...checkErrorViews(settings.ROOT_URLCONF), ...checkUrls(settings.ROOT_URLCONF, settings)];
}

function checkErrorViews(urlconf: Settings["ROOT_URLCONF"]): CheckMessage[] {
  if (!("patterns" in urlconf)) return [];
  return ([400, 403, 404, 500] as const).flatMap((status): CheckMessage[] => {
    const view: unknown = urlconf[`handler${status}`];
    if (view === undefined) return [];
    if (typeof view !== "function") {
      return [{
        level: "error",
        id: "urls.E008",
        message: `handler${status} of ROOT_URLCONF is no view.`,
        hint: "Give a function (request, error) => HttpResponse.",
      }];
    }
    if (view.length <= 2) return [];
    return [{
      level: "error",
      id: "urls.E007",
      message: `handler${status} of ROOT_URLCONF, ${view.name || "a function"}, takes ${view.length} arguments.`,
      hint: "It is called with two: the request and what was thrown.",
    }];
  });
}
