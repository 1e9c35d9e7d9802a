// Finds the few routes of many that a path may match, in the order in which they were declared. It knows only that a route
// has segments of text, segments of one parameter or more, and perhaps an end that may be anything. What it finds has to
// be matched still; what it does not find cannot match. Its cost is that of the path's segments, not of the routes.
//
// Why hono's routers are not used: a Django route may have several parameters in a segment, parameters that match "/", "",
// or only what can be converted, an include that takes what it matches for good, and text with ":", "*" or "?" in it.
// Hono's patterns cannot say most of these, so it could find candidates only, and each would have to be matched again.

import type { Outline } from "./patterns.ts";

interface Node {
  readonly texts: Map<string, Node>;
  /** A segment that is not text. */
  parameter: Node | null;
  /** Routes that end here. */
  readonly ends: number[];
  /** Routes that go on with anything. */
  readonly open: number[];
}

const makeNode = (): Node => ({ texts: new Map(), parameter: null, ends: [], open: [] });

/** A trie of segments. Routes are numbers, in the order in which they are added. */
export class RouteIndex {
  readonly #root = makeNode();

  /** Adds `route`, which is greater than those before it. */
  add(outline: Outline, route: number): void {
    let node = this.#root;
    /** The segment that is not complete yet: null when it is not text. */
    let segment: string | null = "";
    const close = (): void => {
      if (segment === null) {
        node = node.parameter ??= makeNode();
      } else {
        let next = node.texts.get(segment);
        if (next === undefined) node.texts.set(segment, next = makeNode());
        node = next;
      }
    };
    for (const part of outline) {
      if (typeof part !== "string") {
        if (part.matches === "any") {
          node.open.push(route);
          return;
        }
        segment = null;
        continue;
      }
      const [first, ...others] = part.split("/");
      if (segment !== null) segment += first!;
      for (const text of others) {
        close();
        segment = text;
      }
    }
    close();
    node.ends.push(route);
  }

  /** The routes that `path` (without its first "/") may match, in order. */
  candidates(path: string): number[] {
    const found: number[] = [];
    collect(this.#root, path, 0, found);
    return found.length > 1 ? found.sort((a, b) => a - b) : found;
  }
}

// It goes as deep as the longest route has segments, whatever the path is.
function collect(node: Node, path: string, start: number, found: number[]): void {
  add(node.open, found);
  const slash = path.indexOf("/", start);
  const text = node.texts.get(slash < 0 ? path.slice(start) : path.slice(start, slash));
  if (slash < 0) {
    if (text !== undefined) add(text.ends, found);
    if (node.parameter !== null) add(node.parameter.ends, found);
  } else {
    if (text !== undefined) collect(text, path, slash + 1, found);
    if (node.parameter !== null) collect(node.parameter, path, slash + 1, found);
  }
}

/** Not by push(...routes): that takes longer than all else here, and mostly there are none. */
function add(routes: readonly number[], found: number[]): void {
  for (const route of routes) found.push(route);
}
