// The process of `tricorn runserver` that runs the application: loads it, checks it, and wraps it for development. Code that
// cannot be loaded is no reason to end: a page that says why is served in its place, until the next change.

import { quote } from "../config/error.ts";
import { DevPages } from "../dev/debug_pages.ts";
import { adoptHono } from "../dev/hono.ts";
import { oneAtATime } from "../dev/one_at_a_time.ts";
import { editorTemplate } from "../dev/pages/editor.ts";
import { type Build, liveRefresh, type Refresh } from "../dev/refresh.ts";
import { logRequests } from "../dev/request_log.ts";
import type { Settings } from "../config/settings.ts";
import type { Application } from "../esgi/application.ts";
import type { HandlerSettings, Settings as SiteSettings } from "../handler/settings.ts";
import { settingsOf } from "../handler/site.ts";
import { EventBus } from "../observe/events.ts";
import { describeError, escapeLine } from "../observe/text.ts";
import { ListenError, type Parent, urlOf } from "../runtime/port.ts";
import { Server } from "../server/server.ts";
import { toApplication } from "./application.ts";
import { type ConfigFile, loadHooks } from "./config_file.ts";
import type { DevHost } from "./dev_host.ts";
import { CheckError, explain } from "./failure.ts";
import { BindError, readListenOptions } from "./listen.ts";
import { loadApplication, LoadError, oneLine, parseTarget } from "./load.ts";
import type { Command, Project } from "./project.ts";
import type { Context } from "./run.ts";
import { explainDevListenError, type Terminal } from "./runserver_terminal.ts";
import { obeySignals } from "./signals.ts";
import { VERSION } from "./version.ts";
import { work } from "./worker.ts";

/** What is served, and how it is wrapped. */
export interface Assignment {
  /** `MODULE[:NAME]`; null for the site of `settingsModule`. */
  readonly app: string | null;
  readonly settingsModule: string | null;
  readonly hooks: ConfigFile | null;
  readonly build: Build;
  /** What led to this build, and when (milliseconds since 1970); null at the start. */
  readonly change: { readonly files: readonly string[]; readonly at: number } | null;
  /** Why this build could not even be started; null where it has not been tried. */
  readonly problem: string | null;
  readonly options: {
    readonly refresh: boolean;
    readonly static: boolean;
    readonly checks: boolean;
    readonly oneAtATime: boolean;
    readonly colour: boolean;
  };
}

/** Serves as the child of a `tricorn runserver` until that ends it. */
export async function workForDevelopment(parent: Parent, context: Context): Promise<void> {
  const { host } = context;
  const dev = await context.dev();
  // While this may still be a spare that waits.
  void dev.warmUp();
  let development!: Development;
  /** What is wrong in the configuration file. */
  let mistake: unknown = null;
  /** Until there is a log, and where there will be none: why it does not start, as each command says it. */
  let hush!: () => void;
  const sayErrors = (events: EventBus): () => void =>
    events.on("notice", ({ level, message }) => level === "error" ? host.stderr(`tricorn: ${message}\n`) : undefined);
  const running = await work(parent, context, {
    loadHooks: async ({ extra }) => {
      try {
        return await loadHooks((extra as Assignment).hooks, host);
      } catch (error) {
        mistake = error;
        return {};
      }
    },
    openLogs: (settings, events) => {
      development = new Development(context, dev, settings, events);
      hush = sayErrors(events);
      return { reopen: () => {}, close: () => {} };
    },
    load: async ({ settings, extra, binds }) => {
      const assignment = extra as Assignment;
      hush();
      const silence = development.log(() => urlOf(binds[0]!, settings.certfile !== null), assignment);
      try {
        return await development.loadOrExplain(assignment, mistake);
      } catch (error) {
        silence();
        hush = sayErrors(development.events);
        throw error;
      }
    },
    ready: () => development.sayReloaded(),
    draining: () => development.refresh?.close(),
  });
  await running.finished;
}

/** `--noreload`: this process alone, with the code as it is now. */
export async function serveOnce(
  { bind, flags }: Command,
  { settings, env }: Project,
  assignment: Assignment,
  terminal: Terminal,
  context: Context,
  dev: DevHost,
): Promise<void> {
  const { host, runtime, control } = context;
  for (const [name, value] of Object.entries(env)) control.setEnv(name, value);
  const events = new EventBus();
  const development = new Development(context, dev, settings, events);
  const application = await development.load(assignment);
  let url = "";
  development.log(() => url, assignment);
  const server = new Server(application, runtime, settings, events);
  const listenOptions = readListenOptions(settings, host);
  try {
    const listener = await server.listen(bind, listenOptions);
    url = urlOf(listener.bind, listenOptions.tls !== undefined);
  } catch (error) {
    server.close();
    if (error instanceof ListenError) throw new BindError(await explainDevListenError(error, dev));
    throw error;
  }
  await new Promise<void>((resolve) => {
    obeySignals(host, "single", {
      drain: async () => {
        development.refresh?.close();
        await server.drain();
        resolve();
      },
      close: () => server.close(),
      reopenLogs: () => {},
      notice: () => {},
      uncaught: (error) =>
        events.emit("fault", { error, message: "Uncaught error outside of a request", environ: null }),
    });
    terminal.banner(context, assignment, url, null);
    if (flags.open) void terminal.open(url, dev);
  });
}

class Development {
  refresh: Refresh | null = null;
  readonly #context: Context;
  readonly #dev: DevHost;
  readonly #settings: Settings;
  readonly events: EventBus;
  #assignment!: Assignment;
  #failed = false;

  constructor(context: Context, dev: DevHost, settings: Settings, events: EventBus) {
    this.#context = context;
    this.#dev = dev;
    this.#settings = settings;
    this.events = events;
  }

  /** A line for each request from now on, until the returned function is called. `url` tells where the server is reached. */
  log(url: () => string, { options: { colour } }: Assignment): () => void {
    const { host } = this.#context;
    const options = {
      colour,
      get url(): string {
        return url();
      },
    };
    return logRequests(this.events, { write: (text) => host.stderr(text) }, options);
  }

  /** The application, or what stands in its place when it cannot be had. */
  async loadOrExplain(assignment: Assignment, mistake: unknown): Promise<Application> {
    try {
      if (mistake !== null) throw mistake;
      if (assignment.problem !== null) throw new LoadError(assignment.problem);
      return await this.load(assignment);
    } catch (error) {
      // A module that is not there at the start is a word that was mistyped; later, a file that is just being moved.
      const mistyped = error instanceof LoadError && error.stage === "boot" && error.cause === undefined;
      if (assignment.change === null && (mistyped || !(error instanceof LoadError))) throw error;
      return await this.#standIn(assignment, error);
    }
  }

  /** @throws {LoadError} or {CheckError}. */
  async load(assignment: Assignment): Promise<Application> {
    this.#assignment = assignment;
    // Ten is little where eight are ours. (V8; Bun takes it, too.)
    (Error as { stackTraceLimit?: number }).stackTraceLimit = 50;
    const { app, settingsModule, options } = assignment;
    const { host, runtime } = this.#context;
    const pages = this.#pages();
    let application: Application;
    if (app === null) {
      const { findSettings } = await import("./settings_module.ts");
      const given = await findSettings(settingsModule, "runserver: whose settings?", host);
      // First, since they say what a Handler would not be made of.
      if (options.checks) await this.#check(given, assignment);
      application = await makeSite(given, settingsModule);
    } else {
      const loaded = await loadApplication(app, this.#settings.factory, host);
      if (loaded.kind === "fetch") adoptHono(loaded.application, pages);
      application = toApplication(loaded, this.#settings.override_globals, runtime);
    }
    const site = settingsOf(application);
    if (site !== null && app !== null && options.checks) await this.#check(site, assignment);
    if (site !== null && !site.DEBUG && site.ALLOWED_HOSTS.length === 0) {
      throw new CheckError("with DEBUG false nobody is served while ALLOWED_HOSTS is []; set one of them");
    }
    if (site !== null && options.static) application = await this.#withStaticFiles(application, site);
    return this.#wrap(application, pages);
  }

  async #withStaticFiles(application: Application, settings: SiteSettings): Promise<Application> {
    const { STATIC_URL: prefix, STATIC_ROOT: root, STATICFILES_DIRS } = settings;
    const folders = [...STATICFILES_DIRS, ...(root === null ? [] : [root])];
    if (prefix === null || !prefix.startsWith("/") || folders.length === 0) return application;
    const { staticFiles } = await import("./static_files.ts");
    return staticFiles({ prefix, folders, openFile: this.#dev.openFileBelow })(application);
  }

  /** The system checks of a site. @throws {CheckError} when they have found errors. */
  async #check(settings: HandlerSettings, { change }: Assignment): Promise<void> {
    const [{ runChecks, isSilenced }, { isSerious }, { report }] = await Promise.all([
      import("../handler/checks/registry.ts"),
      import("../handler/checks/messages.ts"),
      import("./check.ts"),
    ]);
    const all = await runChecks(settings).catch((error: unknown) => {
      throw new LoadError(`a system check threw ${oneLine(error)}`, describeError(error), "application", {
        cause: error,
      });
    });
    const messages = all.filter((message) => !isSilenced(message, settings));
    const text = report(messages, all.length - messages.length).trimEnd();
    if (messages.some(isSerious)) throw new CheckError("the system checks have found errors", text);
    // What has been said once is not said again at each change.
    if (change === null || messages.length > 0) this.#say(text);
  }

  #wrap(inner: Application, pages: DevPages): Application {
    const { options, build } = this.#assignment;
    const application = pages.wrap(
      options.oneAtATime ? oneAtATime(inner) : inner,
      (error, environ) => this.events.emit("fault", { error: null, message: pages.text(error), environ }),
    );
    if (!options.refresh) return application;
    this.refresh = liveRefresh(build);
    return this.refresh.wrap(application);
  }

  /** What is served while the code does not load. */
  async #standIn(assignment: Assignment, error: unknown): Promise<Application> {
    this.#assignment = assignment;
    this.#failed = true;
    const pages = this.#pages();
    const { message, detail } = explain(error);
    const thrown = error instanceof Error ? error.cause : undefined;
    if (thrown instanceof SyntaxError) await this.#locate(thrown);
    const text = thrown === undefined ? detail ?? "" : pages.text(thrown);
    this.events.emit("notice", { level: "error", message: `${message}\n${text}`.trimEnd() });
    this.#say("Save a file, and it goes on.");
    return this.#wrap(pages.failedApplication(message, thrown, thrown === undefined ? detail : null), pages);
  }

  /** Gives a syntax error that does not say where it is the words of somebody who knows. */
  async #locate(error: SyntaxError): Promise<void> {
    // Where it is known, it is said before the first frame.
    if (/^(?:\/|file:|[A-Za-z]:\\)/.test(error.stack ?? "")) return;
    const { app, settingsModule, change } = this.#assignment;
    const entry = this.#context.host.resolve(parseTarget(app ?? settingsModule ?? "").module);
    for (const file of new Set([...change?.files ?? [], entry])) {
      const text = await this.#dev.checkSyntax(file);
      if (text === null || !text.includes(error.message)) continue;
      error.stack = text;
      return;
    }
  }

  #pages(): DevPages {
    const { host, runtime } = this.#context;
    const { module } = parseTarget(this.#assignment.app ?? this.#assignment.settingsModule ?? "");
    return new DevPages({
      root: host.startDirectory,
      editor: editorTemplate(host.env.TRICORN_EDITOR ?? "") ?? editorTemplate("vscode")!,
      versions: [`tricorn ${VERSION}`, `${runtime.name} ${runtime.version}`],
      readSource: (path) => this.#dev.readSource(path),
      file: host.resolve(module),
    });
  }

  /** New requests come here from now on: what it took since the change. */
  sayReloaded(): void {
    const { change } = this.#assignment;
    if (change === null || this.#failed) return;
    const { startDirectory } = this.#context.host;
    const names = change.files.map((file) =>
      escapeLine(file.startsWith(`${startDirectory}/`) ? file.slice(startDirectory.length + 1) : file)
    );
    const shown = names.length > 3 ? [...names.slice(0, 3), `${names.length - 3} more`] : names;
    this.#say(`Reloaded in ${Date.now() - change.at} ms${shown.length === 0 ? "" : `: ${shown.join(", ")}`}`);
  }

  #say(text: string): void {
    this.#context.host.stderr(`${text}\n`);
  }
}

/** The site of settings. @throws {LoadError} when they are none to make one of. */
async function makeSite(settings: HandlerSettings, target: string | null): Promise<Application> {
  const { Handler } = await import("../handler/handler.ts");
  try {
    return new Handler(settings).application;
  } catch (error) {
    const message = `cannot serve the site of ${quote(target ?? "")}: ${oneLine(error)}`;
    throw new LoadError(message, describeError(error), "application", { cause: error });
  }
}
