// What resolving and reversing throw (Django's urls/exceptions.py).

import { Http404 } from "../exceptions.ts";
import type { UrlPattern } from "./patterns.ts";

/** No pattern matches the path: 404 (Django's Resolver404). */
export class Resolver404 extends Http404 {
  override readonly name = "Resolver404";
  /** The path that was resolved, as PATH_INFO has it. */
  readonly path: string;
  readonly #tried: () => UrlPattern[][];

  constructor(path: string, tried: () => UrlPattern[][]) {
    super(`no URL pattern matches ${JSON.stringify(path)}`);
    this.path = path;
    this.#tried = tried;
  }

  /**
   * What did not match, in order: each pattern behind the includes that lead to it. It is found out when somebody looks,
   * which is the debug page alone.
   */
  get tried(): UrlPattern[][] {
    return this.#tried();
  }
}

/** There is no URL for a name and its arguments (Django's NoReverseMatch). */
export class NoReverseMatch extends Error {
  override readonly name = "NoReverseMatch";
}
