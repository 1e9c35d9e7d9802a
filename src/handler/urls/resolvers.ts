// From a path to a view, and from a name to a path: a list of URL patterns with all that it includes, as one table of
// routes (Django's urls/resolvers.py). The table is made when it is first asked, and does not change after that.

import { didYouMean } from "../../config/nearest.ts";
import type { View } from "../base.ts";
import { requireHttpMethods } from "../decorators.ts";
import { ImproperlyConfigured } from "../exceptions.ts";
import type { HttpRequest } from "../request.ts";
import type { Converter } from "./converters.ts";
import { NoReverseMatch, Resolver404 } from "./exceptions.ts";
import { type Conditions, type Match, type Pattern, RoutePattern, URLPattern, type UrlPattern } from "./patterns.ts";
import type { Form } from "./regex_helper.ts";
import { RouteIndex } from "./route_index.ts";
import type { Entry, UrlTypes } from "./types.ts";

type Kwargs = Readonly<Record<string, unknown>>;

/** What of a request chooses a view, beside its path. */
export type Resolvable = Pick<HttpRequest, "method" | "getHost">;

/** A list of patterns, or an object that has one as `patterns`. */
export type PatternList = readonly UrlPattern[] | { readonly patterns: readonly UrlPattern[] };

/** What {@link URLResolver.reverse} is told beside the name. */
export interface ReverseArguments {
  /** The parameters by name, or by number those of groups without one; an array gives all of them in order. */
  readonly params?: object | undefined;
  /** The namespace that the request is in (`resolverMatch.namespace`): of several of an application it is preferred. */
  readonly currentApp?: string | undefined;
  /** Where the application is mounted: SCRIPT_NAME. Default "". */
  readonly prefix?: string | undefined;
}

/** A form of a route, and the parameters in it. */
interface Reversal {
  readonly form: Form;
  readonly params: readonly (string | number)[];
}

/** A way through the table: includes, outermost first, then a pattern with a view. */
class Route {
  readonly includes: readonly URLResolver[];
  readonly pattern: URLPattern;
  readonly patterns: readonly Pattern[];
  readonly route: string;
  readonly appNames: readonly string[];
  readonly namespaces: readonly string[];
  readonly viewName: string;
  readonly extraKwargs: Kwargs;
  readonly hosts: readonly string[];
  #reversals: readonly Reversal[] | null = null;
  #converters: ReadonlyMap<string | number, Converter> | null = null;

  constructor(includes: readonly URLResolver[], pattern: URLPattern) {
    const all = [...includes, pattern];
    this.includes = includes;
    this.pattern = pattern;
    this.patterns = all.map((one) => one.pattern);
    this.route = this.patterns.reduce(
      (route, one) => route + (route === "" ? one.route : one.route.replace(/^\^/, "")),
      "",
    );
    this.appNames = includes.flatMap(({ appName }) => appName ?? []);
    this.namespaces = includes.flatMap(({ namespace }) => namespace ?? []);
    this.viewName = [...this.namespaces, pattern.name ?? (pattern.view.name || "(anonymous)")].join(":");
    this.extraKwargs = Object.assign({}, ...all.map(({ kwargs }) => kwargs));
    this.hosts = all.flatMap(({ host }) => host ?? []);
  }

  /** An include takes what it matches for good: nothing is tried again with less, as one expression for all would. */
  match(path: string): Match[] | null {
    const matches: Match[] = [];
    for (const pattern of this.patterns) {
      const match = pattern.match(path);
      if (match === null) return null;
      matches.push(match);
      path = match.rest;
    }
    return matches;
  }

  /** The path for these arguments, without prefix and not percent-encoded; null: they are not this route's. */
  reverse(args: readonly unknown[], kwargs: Kwargs): string | null {
    for (const { form, params } of this.#reversals ??= reversalsOf(this.patterns)) {
      const values = this.#values(params, args, kwargs);
      if (values === null) continue;
      const texts = form.map((part) =>
        typeof part === "string" ? part : this.#toURL(part.param, values.get(part.param))
      );
      if (texts.includes(undefined)) continue;
      // Django asks one expression that is all of the patterns'. To go through them is to ask for more: that the path
      // leads here again.
      const path = texts.join("");
      if (this.match(path) !== null) return path;
    }
    return null;
  }

  /** A value for each parameter; null when there are too few or too many arguments. */
  #values(
    params: readonly (string | number)[],
    args: readonly unknown[],
    kwargs: Kwargs,
  ): ReadonlyMap<string | number, unknown> | null {
    const isExtra = (name: string): boolean => Object.hasOwn(this.extraKwargs, name);
    if (args.length > 0) {
      const fits = args.length === params.length && !args.includes(undefined) &&
        Object.keys(kwargs).every((name) => isExtra(name) && kwargs[name] === this.extraKwargs[name]);
      return fits ? new Map(params.map((param, i) => [param, args[i]])) : null;
    }
    for (const name in kwargs) {
      if (!params.includes(name) && !(isExtra(name) && kwargs[name] === this.extraKwargs[name])) return null;
    }
    const values = new Map<string | number, unknown>();
    for (const param of params) {
      const from = Object.hasOwn(kwargs, param) ? kwargs : isExtra(`${param}`) ? this.extraKwargs : null;
      if (from === null) return null;
      values.set(param, from[param]);
    }
    return values;
  }

  #toURL(param: string | number, value: unknown): string | undefined {
    this.#converters ??= new Map(this.patterns.flatMap(({ converters }) => [...converters]));
    const converter = this.#converters.get(param);
    return converter === undefined ? String(value) : converter.toURL(value);
  }
}

/** All ways to put the forms of the patterns behind each other. Groups without a name are numbered through. */
function reversalsOf(patterns: readonly Pattern[]): Reversal[] {
  let forms: Form[] = [[]];
  for (const { forms: more } of patterns) {
    forms = forms.flatMap((form) => {
      const groups = new Set(form.map((part) => typeof part === "string" ? null : part.param));
      const before = [...groups].filter((param) => typeof param === "number").length;
      return more.map((tail) => [
        ...form,
        ...tail.map((part) =>
          typeof part === "string" || typeof part.param === "string" ? part : { param: part.param + before }
        ),
      ]);
    });
  }
  return forms.map((form) => ({
    form,
    params: [...new Set(form.flatMap((part) => typeof part === "string" ? [] : [part.param]))],
  }));
}

/** What a path resolved to (Django's ResolverMatch). */
export class ResolverMatch {
  readonly #route: Route;
  readonly #matches: readonly Match[];
  readonly #tried: () => UrlPattern[][];
  /** What is called: the pattern's view, or one that answers 405 where the path has views for other methods only. */
  readonly view: View;
  /**
   * What the view gets: what the URL gave, converted, and extra arguments, which replace it; what is further in replaces
   * what is further out. Groups of rePath() without a name are at 0, 1, ..., unless there are parameters with one.
   */
  readonly params: Record<string, unknown>;

  /** @internal */
  constructor(route: Route, matches: readonly Match[], tried: () => UrlPattern[][], view: View = route.pattern.view) {
    this.#route = route;
    this.#matches = matches;
    this.#tried = tried;
    this.view = view;
    const { includes, pattern } = route;
    // Loops, since this is on the way of every request: most of these objects are empty.
    const params: Record<string, unknown> = {};
    let hasArgs = false;
    for (let i = 0; i < matches.length; i++) {
      const { args, kwargs } = matches[i]!;
      const extra = i < includes.length ? includes[i]!.kwargs : pattern.kwargs;
      for (const name in kwargs) params[name] = kwargs[name];
      for (const name in extra) params[name] = extra[name];
      hasArgs ||= args.length > 0;
    }
    this.params = hasArgs ? Object.assign(params, positional(route, matches)) : params;
  }

  /** The name of the pattern, or null (Django's url_name). */
  get urlName(): string | null {
    return this.#route.pattern.name;
  }

  /** The name with its namespaces, as reverse() takes it; of a pattern without one the name of its view. */
  get viewName(): string {
    return this.#route.viewName;
  }

  /** The application namespaces, outermost first. */
  get appNames(): readonly string[] {
    return this.#route.appNames;
  }

  /** The application namespaces joined with ":". */
  get appName(): string {
    return this.appNames.join(":");
  }

  /** The instance namespaces, outermost first. */
  get namespaces(): readonly string[] {
    return this.#route.namespaces;
  }

  /** The instance namespaces joined with ":": reverse()'s `currentApp`. */
  get namespace(): string {
    return this.namespaces.join(":");
  }

  /** The route as it was written, all includes together. */
  get route(): string {
    return this.#route.route;
  }

  /** What the URL itself gave by name. (Django's lacks what the includes took.) */
  get capturedKwargs(): Kwargs {
    return Object.assign({}, ...this.#matches.map(({ kwargs }) => kwargs));
  }

  /** The extra arguments of the pattern and its includes. */
  get extraKwargs(): Kwargs {
    return this.#route.extraKwargs;
  }

  /** What was tried before, and the pattern itself: see {@link Resolver404.tried}. */
  get tried(): UrlPattern[][] {
    return this.#tried();
  }
}

/** Groups without a name count as long as nothing has one: in the pattern, then in the includes from the inside out. */
function positional({ includes, pattern }: Route, matches: readonly Match[]): (string | undefined)[] {
  let args: readonly (string | undefined)[] = matches.at(-1)!.args;
  const isNamed = (i: number): boolean =>
    Object.keys(matches[i]!.kwargs).length > 0 || Object.keys((includes[i] ?? pattern).kwargs).length > 0;
  if (isNamed(includes.length)) return [...args];
  for (let i = includes.length - 1; i >= 0 && !isNamed(i); i--) args = [...matches[i]!.args, ...args];
  return [...args];
}

/** What can be reversed by the same namespaces. */
class Scope {
  readonly routes = new Map<string | View, Route[]>();
  readonly namespaces = new Map<string, Scope>();
  /** The instance namespaces of each application. */
  readonly apps = new Map<string, string[]>();

  add(key: string | View, route: Route): void {
    const routes = this.routes.get(key);
    if (routes === undefined) this.routes.set(key, [route]);
    else routes.push(route);
  }

  /** The scope of an include that has namespaces. Of two with the same the first one counts. */
  enter(appName: string, namespace: string): Scope {
    const inner = new Scope();
    if (!this.namespaces.has(namespace)) this.namespaces.set(namespace, inner);
    const instances = this.apps.get(appName);
    if (instances === undefined) this.apps.set(appName, [namespace]);
    else instances.push(namespace);
    return inner;
  }
}

/** All routes of a list of patterns and what it includes. */
class Table {
  readonly scope = new Scope();
  readonly #routes: Route[] = [];
  readonly #index = new RouteIndex();
  /**
   * Paths that need no search, with what they match: they are text alone, for all methods and hosts, and nothing before may
   * match them.
   */
  readonly exact = new Map<string, { readonly route: Route; readonly matches: readonly Match[] }>();

  /** @param prefix what all paths begin with */
  constructor(prefix: Pattern, patterns: readonly UrlPattern[]) {
    this.#add(patterns, [], this.scope);
    for (const [i, route] of this.#routes.entries()) {
      const outline = route.patterns.flatMap(({ outline }) => outline);
      const isText = [...prefix.outline, ...outline].every((part) => typeof part === "string");
      if (!isText || route.hosts.length > 0 || route.pattern.methods !== null) continue;
      const rest = outline.join("");
      const matches = this.#index.candidates(rest)[0] === i ? route.match(rest) : null;
      if (matches !== null) this.exact.set(prefix.outline.join("") + rest, { route, matches });
    }
  }

  #add(patterns: readonly UrlPattern[], includes: readonly URLResolver[], scope: Scope): void {
    for (const pattern of patterns) {
      if (pattern instanceof URLPattern) {
        const route = new Route(includes, pattern);
        this.#index.add(route.patterns.flatMap(({ outline }) => outline), this.#routes.length);
        this.#routes.push(route);
        scope.add(pattern.view, route);
        if (pattern.name !== null) scope.add(pattern.name, route);
      } else if (pattern instanceof URLResolver) {
        if (includes.some((one) => one.patterns === pattern.patterns)) {
          throw new ImproperlyConfigured(`the URL patterns included at ${pattern.describe()} include themselves`);
        }
        const { appName, namespace } = pattern;
        const inner = appName === null || namespace === null ? scope : scope.enter(appName, namespace);
        this.#add(pattern.patterns, [...includes, pattern], inner);
      } else {
        throw new ImproperlyConfigured(`${show(pattern)} among the URL patterns is none: write path() or rePath()`);
      }
    }
  }

  /** The routes that may match, in order. */
  candidates(path: string): readonly Route[] {
    return this.#index.candidates(path).map((i) => this.#routes[i]!);
  }
}

/** A list of URL patterns behind a prefix: what path() makes of an include(), and the root (Django's URLResolver). */
export class URLResolver<E extends Entry = Entry, Outer = unknown> implements UrlTypes<E, Outer>, Conditions {
  declare readonly "~entry": E;
  declare readonly "~outer": (outer: Outer) => void;
  readonly pattern: Pattern;
  readonly patterns: readonly UrlPattern[];
  readonly appName: string | null;
  readonly namespace: string | null;
  /** Extra arguments of all views within (Django's default_kwargs). */
  readonly kwargs: Kwargs;
  readonly host: string | null;
  #table: Table | null = null;

  constructor(
    pattern: Pattern,
    patterns: readonly UrlPattern[],
    { appName, namespace }: { readonly appName: string | null; readonly namespace: string | null },
    { kwargs, host }: Conditions,
  ) {
    this.pattern = pattern;
    this.patterns = patterns;
    this.appName = appName;
    this.namespace = namespace;
    this.kwargs = kwargs;
    this.host = host;
  }

  /** The pattern as messages name it (Django's describe). */
  describe(): string {
    return `'${this.pattern.route}'`;
  }

  /**
   * The view for a path: that of the first pattern that matches. With a request its host and method count too; where the
   * path has views for other methods alone, the view answers 405.
   *
   * @throws {Resolver404} when no pattern matches.
   * @throws {DisallowedHost} when patterns ask for the host and it is not allowed.
   */
  resolve(path: string, request?: Resolvable): ResolverMatch {
    const match = this.find(path, request);
    if (match === null) throw new Resolver404(path, () => this.#tried(path, null));
    return match;
  }

  /** As {@link resolve}, but null when no pattern matches (Django's is_valid_path). */
  find(path: string, request?: Resolvable): ResolverMatch | null {
    const table = this.#table ??= new Table(this.pattern, this.patterns);
    const exact = table.exact.get(path);
    if (exact !== undefined) {
      const { route, matches } = exact;
      return new ResolverMatch(route, matches, () => this.#tried(path, route));
    }
    const rest = this.pattern.match(path)?.rest;
    if (rest === undefined) return null;
    let host: string | null = null;
    let other: { readonly route: Route; readonly matches: Match[]; readonly methods: Set<string> } | null = null;
    for (const route of table.candidates(rest)) {
      if (request !== undefined && route.hosts.length > 0) {
        const given = host ??= hostOf(request);
        if (!route.hosts.every((wanted) => matchesHost(given, wanted))) continue;
      }
      const matches = route.match(rest);
      if (matches === null) continue;
      const { methods } = route.pattern;
      if (request === undefined || methods === null || methods.includes(request.method)) {
        return new ResolverMatch(route, matches, () => this.#tried(path, route));
      }
      other ??= { route, matches, methods: new Set() };
      for (const method of methods) other.methods.add(method);
    }
    if (other === null) return null;
    const { route, matches, methods } = other;
    const view = requireHttpMethods([...methods])(route.pattern.view);
    return new ResolverMatch(route, matches, () => this.#tried(path, route), view);
  }

  /** Goes through all patterns as they were declared, as Django does, until one matches that is `route`'s. */
  #tried(path: string, route: Route | null): UrlPattern[][] {
    const tried: UrlPattern[][] = [];
    const go = (patterns: readonly UrlPattern[], path: string, behind: UrlPattern[]): boolean =>
      patterns.some((one) => {
        const match = one.pattern.match(path);
        if (one instanceof URLResolver && match !== null) return go(one.patterns, match.rest, [...behind, one]);
        tried.push([...behind, one]);
        return match !== null && one === route?.pattern;
      });
    const match = this.pattern.match(path);
    if (match !== null) go(this.patterns, match.rest, []);
    return tried;
  }

  /**
   * The path that leads to a view, by the name of its pattern, behind its namespaces (`"polls:detail"`), or by itself.
   * Where several patterns have the name, the last one counts that the arguments fit.
   *
   * @throws {NoReverseMatch} when there is no such name, or no pattern of that name takes the arguments.
   */
  reverse(name: string | View, { params = {}, currentApp, prefix = "" }: ReverseArguments = {}): string {
    const [scope, key] = this.#scopeOf(name, currentApp);
    const routes = scope.routes.get(key) ?? [];
    const [args, kwargs] = split(params);
    for (let i = routes.length - 1; i >= 0; i--) {
      const path = routes[i]!.reverse(args, kwargs);
      if (path !== null) return quote(`${prefix.replace(/\/$/, "")}/${path}`);
    }
    const wanted = typeof name === "string" ? name : name.name || "(anonymous)";
    if (routes.length === 0) {
      const names = [...scope.routes.keys()].filter((key) => typeof key === "string");
      const near = typeof key === "string" ? didYouMean(key, names) : "";
      throw new NoReverseMatch(`Reverse for '${wanted}' not found: it is not a view, or the name of a pattern${near}`);
    }
    const given = Object.entries(params).map(([name, value]) => `${name}: ${show(value)}`).join(", ");
    throw new NoReverseMatch(
      `Reverse for '${wanted}' with ${given === "" ? "no arguments" : `{ ${given} }`} not found. ` +
        `${routes.length} pattern(s) tried: ${routes.map(({ route }) => `'${route}'`).reverse().join(", ")}`,
    );
  }

  /** Where a name is looked for when its namespaces are gone. Of Django's reverse(), word for word. */
  #scopeOf(name: string | View, currentApp: string | undefined): [Scope, string | View] {
    let { scope } = this.#table ??= new Table(this.pattern, this.patterns);
    if (typeof name !== "string") return [scope, name];
    const namespaces = name.split(":");
    const key = namespaces.pop()!;
    let current = currentApp === undefined || currentApp === "" ? [] : currentApp.split(":");
    for (const [i, wanted] of namespaces.entries()) {
      const instance = current.shift();
      const instances = scope.apps.get(wanted);
      let namespace = wanted;
      // The name of an application: the instance we are in, or else the one of the same name, or else the last one.
      if (instances !== undefined) {
        if (instance !== undefined && instances.includes(instance)) namespace = instance;
        else if (!instances.includes(wanted)) namespace = instances.at(-1)!;
      }
      if (namespace !== instance) current = [];
      const inner = scope.namespaces.get(namespace);
      if (inner === undefined) {
        const outer = namespaces.slice(0, i).join(":");
        throw new NoReverseMatch(
          `Reverse for '${name}' not found: '${wanted}' is not a registered namespace${outer && ` inside '${outer}'`}` +
            didYouMean(wanted, scope.namespaces.keys()),
        );
      }
      scope = inner;
    }
    return [scope, key];
  }
}

/** Arguments without a name, and those with one. What is undefined or null was not given. */
function split(params: object): [args: unknown[], kwargs: Kwargs] {
  const args: unknown[] = [];
  const kwargs: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(params)) {
    if (value === undefined || value === null) continue;
    if (/^\d+$/.test(name)) args[Number(name)] = value;
    else kwargs[name] = value;
  }
  return [args, kwargs];
}

/**
 * Percent-encodes all but what RFC 3986 §3.3 lets be in a path. A path of another host ("//") cannot come out of it, nor
 * can what a prefix or an argument has encoded already.
 */
function quote(path: string): string {
  try {
    return encodeURI(path).replace(/[?#]/g, encodeURIComponent).replace(/^\/\//, "/%2F");
  } catch {
    throw new NoReverseMatch(`there is no URL for ${JSON.stringify(path)}: it has half of a surrogate pair`);
  }
}

function hostOf(request: Resolvable): string {
  return request.getHost().toLowerCase().replace(/:\d*$/, "").replace(/\.$/, "");
}

/** As ALLOWED_HOSTS has it: `.example.com` is example.com and all below it. */
function matchesHost(host: string, wanted: string): boolean {
  return wanted.startsWith(".") ? host === wanted.slice(1) || host.endsWith(wanted) : host === wanted;
}

function show(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}

const RESOLVERS = new WeakMap<object, URLResolver>();

/** The root resolver of a list of patterns, the same one each time (Django's get_resolver). */
export function getResolver(urlconf: PatternList): URLResolver {
  let resolver = RESOLVERS.get(urlconf);
  if (resolver === undefined) {
    const patterns = "patterns" in urlconf ? urlconf.patterns : urlconf;
    const none = { appName: null, namespace: null };
    resolver = new URLResolver(new RoutePattern("/", false), patterns, none, { kwargs: {}, host: null });
    RESOLVERS.set(urlconf, resolver);
  }
  return resolver;
}
