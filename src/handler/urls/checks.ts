// What system checks say of URL patterns (Django's checks of the same ids, from core/checks/urls.py and
// urls/resolvers.py). Nothing is resolved, so that a list that cannot be used can be told about.

import type { CheckMessage } from "../checks/messages.ts";
import { countOverlaps, RegexPattern, RoutePattern, URLPattern, type UrlPattern } from "./patterns.ts";
import { type PatternList, URLResolver } from "./resolvers.ts";

/** Routes with more parameters that run into each other than this can be made slow by a client: see urls.W101. */
const MAX_OVERLAPS = 1;

/**
 * Checks a ROOT_URLCONF: urls.W001, W002, W003, W005, W010, E004, E009, 2_0.W001; of our own urls.W101.
 *
 * @param settings with APPEND_SLASH false, routes may begin with "/".
 */
export function checkUrls(urlconf: PatternList, settings: { readonly APPEND_SLASH?: boolean } = {}): CheckMessage[] {
  const { APPEND_SLASH = true } = settings;
  const patterns = "patterns" in urlconf ? urlconf.patterns : urlconf;
  return [...checkPatterns(patterns, APPEND_SLASH, []), ...checkNamespaces(patterns)];
}

function warning(id: string, message: string, hint: string): CheckMessage {
  return { level: "warning", id: `urls.${id}`, message, hint };
}

function checkPatterns(
  patterns: readonly UrlPattern[],
  appendSlash: boolean,
  around: readonly (readonly UrlPattern[])[],
): CheckMessage[] {
  if (around.includes(patterns)) {
    const hint = "Take the include() out: a path would have to be endless.";
    return [{ level: "error", id: "urls.E004", message: "A list of URL patterns includes itself.", hint }];
  }
  return patterns.flatMap((pattern: UrlPattern): CheckMessage[] => {
    if (pattern instanceof URLPattern) return [...checkView(pattern), ...checkRoute(pattern, appendSlash)];
    if (!(pattern instanceof URLResolver)) {
      const hint = "Make each of them with path() or rePath().";
      return [{ level: "error", id: "urls.E004", message: `URL pattern ${String(pattern)} is invalid.`, hint }];
    }
    // As Django: what is wrong within comes first, and may be why this seems wrong.
    const within = checkPatterns(pattern.patterns, appendSlash, [...around, patterns]);
    return within.length > 0 ? within : checkRoute(pattern, appendSlash);
  });
}

function checkView(pattern: URLPattern): CheckMessage[] {
  const messages: CheckMessage[] = [];
  if (pattern.name?.includes(":")) {
    messages.push(warning(
      "W003",
      `URL pattern ${pattern.describe()} has a name with a ":".`,
      'Take the ":" out: before it reverse() looks for a namespace.',
    ));
  }
  if (/^class\b/.test(Function.prototype.toString.call(pattern.view))) {
    messages.push({
      level: "error",
      id: "urls.E009",
      message: `URL pattern ${pattern.describe()} has a class as its view: ${pattern.view.name}.`,
      hint: "Give a function (request, params) => response.",
    });
  }
  return messages;
}

function checkRoute(one: UrlPattern, appendSlash: boolean): CheckMessage[] {
  const messages: CheckMessage[] = [];
  const { pattern } = one;
  const { route } = pattern;
  // As in Django a slash at the end lets it pass.
  if (appendSlash && /^(?:\/|\^\/|\^\\\/)/.test(route) && !route.endsWith("/")) {
    messages.push(warning(
      "W002",
      `URL pattern ${one.describe()} begins with a "/".`,
      'Take it out: a path\'s first "/" is gone already. Where this is in an include(), let that end with a "/".',
    ));
  }
  if (pattern instanceof RegexPattern && one instanceof URLResolver && /[^\\]\$$|^\$$/.test(route)) {
    messages.push(warning(
      "W001",
      `URL pattern ${one.describe()} is an include() and ends with a "$".`,
      "Take it out: nothing is left for the patterns within.",
    ));
  }
  if (!(pattern instanceof RoutePattern)) return messages;
  if (/\(\?P?<|^\^|\$$/.test(route)) {
    messages.push({
      ...warning(
        "",
        `URL pattern ${one.describe()} looks like a regular expression.`,
        'Write it with rePath(), or as "<int:year>".',
      ),
      id: "2_0.W001",
    });
  }
  for (const bracket of unmatchedBrackets(route)) {
    messages.push(warning(
      "W010",
      `URL pattern ${one.describe()} has a "${bracket}" without its counterpart.`,
      'A parameter is written "<type:name>".',
    ));
  }
  if (countOverlaps(pattern) > MAX_OVERLAPS) {
    messages.push(warning(
      "W101",
      `URL pattern ${one.describe()} has parameters that run into each other: which characters belong to which can be tried in too ` +
        "many ways, and a client can make that slow.",
      "Separate them with something that none of them matches, or take them apart in the view.",
    ));
  }
  return messages;
}

function unmatchedBrackets(route: string): string[] {
  const unmatched: string[] = [];
  let open = 0;
  for (const [bracket] of route.matchAll(/[<>]/g)) {
    if (bracket === "<") open++;
    else if (open > 0) open--;
    else unmatched.push(bracket);
  }
  return open > 0 ? [...unmatched, "<"] : unmatched;
}

function checkNamespaces(patterns: readonly UrlPattern[]): CheckMessage[] {
  const counts = new Map<string, number>();
  const count = (patterns: readonly UrlPattern[], behind: string, around: readonly (readonly UrlPattern[])[]): void => {
    if (around.includes(patterns)) return;
    for (const pattern of patterns) {
      if (!(pattern instanceof URLResolver)) continue;
      const { namespace } = pattern;
      if (namespace !== null) counts.set(behind + namespace, (counts.get(behind + namespace) ?? 0) + 1);
      count(pattern.patterns, namespace === null ? behind : `${behind}${namespace}:`, [...around, patterns]);
    }
  };
  count(patterns, "", []);
  return [...counts].filter(([, count]) => count > 1).map(([namespace]) =>
    warning(
      "W005",
      `URL namespace "${namespace}" is there more than once: reverse() finds the patterns of the first one only.`,
      "Give each include() of an application its own: include({ patterns, appName }, { namespace }).",
    )
  );
}
