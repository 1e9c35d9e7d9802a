// Checks of ROOT_URLCONF: its error views here, its patterns in src/handler/urls/ (Django's checks/urls.py).

import { nearest } from "../../config/nearest.ts";
import type { Settings } from "../settings.ts";
import { checkUrls } from "../urls/checks.ts";
import type { CheckMessage } from "./messages.ts";

const NAMES = ["patterns", "handler400", "handler403", "handler404", "handler500"];

/** urls.E007, urls.E008 and urls.W102, which is Tricorn's own, and what the patterns' own check has to say. */
export function checkURLs(settings: Settings): CheckMessage[] {
  return [...checkErrorViews(settings.ROOT_URLCONF), ...checkUrls(settings.ROOT_URLCONF, settings)];
}

function checkErrorViews(urlconf: Settings["ROOT_URLCONF"]): CheckMessage[] {
  if (!("patterns" in urlconf)) return [];
  // Others may be there: a module with more exports is a ROOT_URLCONF, too.
  const misspelt = Object.keys(urlconf).filter((name) => !NAMES.includes(name)).flatMap((name): CheckMessage[] => {
    const meant = nearest(name, NAMES);
    if (meant === null) return [];
    return [{
      level: "warning",
      id: "urls.W102",
      message: `ROOT_URLCONF has ${JSON.stringify(name)}, which means nothing.`,
      hint: `Did you mean ${JSON.stringify(meant)}?`,
    }];
  });
  const views = ([400, 403, 404, 500] as const).flatMap((status): CheckMessage[] => {
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
  return [...misspelt, ...views];
}
