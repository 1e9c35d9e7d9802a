// `tricorn runserver`: the parent, which owns the socket and watches the files. It is a master (src/arbiter) with one worker
// (runserver_child.ts), and a change is a reload: the new code boots beside the old one and takes over when it is ready, so
// no request is refused or lost.

import type { Launch } from "../arbiter/launch.ts";
import { Master } from "../arbiter/master.ts";
import { ConfigError, quote } from "../config/error.ts";
import { type Batch, Changes } from "../dev/changes.ts";
import type { Build } from "../dev/refresh.ts";
import { EDITOR_NAMES, editorTemplate } from "../dev/pages/editor.ts";
import { Ignored } from "../dev/ignored.ts";
import { EventBus } from "../observe/events.ts";
import { escapeLine } from "../observe/text.ts";
import { ListenError } from "../runtime/port.ts";
import { reasonOf } from "./attempt.ts";
import { CONFIG_FILES } from "./config_file.ts";
import type { DevCertificate, DevHost, Watch } from "./dev_host.ts";
import { BindError } from "./listen.ts";
import { type Command, DOT_ENV, DotEnv, type Project, readCommand, readProject } from "./project.ts";
import { parseTarget } from "./load.ts";
import { type Context, prepare } from "./run.ts";
import { type Assignment, serveOnce, workForDevelopment } from "./runserver_child.ts";
import { explainDevListenError, runserverHelp, Terminal } from "./runserver_terminal.ts";
import { obeySignals } from "./signals.ts";
import { sparing, type SparingSupervisor } from "./spare.ts";

/** Milliseconds that new code may take to load before a further change ends its attempt. */
const HURRY = 1000;
/** Milliseconds after which it is said that the code is still being loaded. */
const SLOW = 3000;

/** Serves until a signal ends it. */
export async function runserver(words: readonly string[], context: Context): Promise<void> {
  const { host, parent } = context;
  if (parent !== null) return await workForDevelopment(parent, context);
  const command = readCommand(words, host);
  if (command.flags.help) return host.stdout(runserverHelp());
  const dev = await context.dev();
  const pair = command.flags.https ? await certificateFor(command.bind.host, dev) : null;
  const directory = host.startDirectory;
  const dotEnv = new DotEnv(host.env);
  const read = (): Promise<Project> => readProject(command, pair, directory, host, dev, dotEnv);
  const project = await read();
  prepare(project.settings, context);
  const terminal = new Terminal(command, host);
  const { TRICORN_EDITOR: editor } = host.env;
  if (editor && editorTemplate(editor) === null) {
    terminal.warn(
      `TRICORN_EDITOR: ${quote(editor)} is neither a URL with {file} nor one of ${EDITOR_NAMES.join(", ")}`,
    );
  }
  if (pair?.isNew === true) terminal.say(`Made a certificate for localhost: ${pair.certfile}`);
  if (pair !== null && pair.problem !== null) terminal.warn(`The certificate is for this run only: ${pair.problem}`);
  const reloader = new Reloader(command, project, read, terminal, context, dev);
  if (!command.flags.noreload) return await reloader.run();
  return await serveOnce(command, project, reloader.assignment, terminal, context, dev);
}

/** @throws {ConfigError} when it cannot be written. */
async function certificateFor(name: string, dev: DevHost): Promise<DevCertificate> {
  try {
    return await dev.certificate([name]);
  } catch (error) {
    throw new ConfigError(
      `--https: the certificate cannot be written: ${reasonOf(error)} (Deno: allow it, --allow-write)`,
    );
  }
}

/** What has changed since the last build. */
type Change = NonNullable<Assignment["change"]> & { readonly styles: boolean };

class Reloader {
  readonly #command: Command;
  readonly #read: () => Promise<Project>;
  readonly #terminal: Terminal;
  readonly #context: Context;
  readonly #dev: DevHost;
  readonly #events: EventBus = new EventBus();
  #build: Build = { life: crypto.randomUUID().slice(0, 8), build: 0, styledFrom: 0 };
  #project: Project;
  /** What the next child is told. */
  assignment: Assignment;
  #supervisor!: SparingSupervisor;
  #master!: Master;
  /** What has changed while a reload was on its way. */
  #waiting: Change | null = null;
  #reloading = false;
  #changes: Changes | null = null;
  #watch: Watch | null = null;
  /** What that was asked for. */
  #watched = "";
  #ending = false;

  constructor(
    command: Command,
    project: Project,
    read: () => Promise<Project>,
    terminal: Terminal,
    context: Context,
    dev: DevHost,
  ) {
    this.#command = command;
    this.#project = project;
    this.#read = read;
    this.#terminal = terminal;
    this.#context = context;
    this.#dev = dev;
    this.assignment = this.#assign(null, null);
  }

  async run(): Promise<void> {
    const { host, runtime } = this.#context;
    this.#supervisor = sparing(await this.#context.supervisor());
    let serving!: () => void;
    const served = new Promise<void>((resolve) => {
      serving = resolve;
    });
    const master = this.#master = new Master({
      launch: this.#launch(),
      relaunch: () => this.#relaunch(),
      supervisor: this.#supervisor,
      events: this.#events,
      pid: host.pid,
      every: (milliseconds, callback) => runtime.every(milliseconds, callback),
      inherited: new Map(),
      onServing: serving,
      onBootFailed: ({ end, hopeless }) => {
        if (this.#reloading || this.#ending) return true;
        // Who can say what is wrong has said it.
        if (end === null) return hopeless;
        if (hopeless) this.#terminal.warn(`The code could not be started: ${end}`);
        // The code ends the process: as after a change, a page says so, until it does not any more.
        // Not here: this is told while the machine takes its step.
        else setTimeout(() => void this.#change({ files: [], at: Date.now(), styles: false }));
        return true;
      },
    });
    this.#events.on("notice", ({ level, message }) => {
      // What there is to say of a reload, and of the end, is said elsewhere.
      if ((level !== "error" && level !== "critical") || this.#reloading || this.#ending) return;
      this.#terminal.warn(message);
    });
    this.#events.on("fault", ({ error, message }) => this.#terminal.warn(`${message}: ${reasonOf(error)}`));
    try {
      await master.bind();
    } catch (error) {
      if (error instanceof ListenError) throw new BindError(await explainDevListenError(error, this.#dev));
      throw error;
    }
    let exitCode = 0;
    const finished = master.finished.then((code) => {
      exitCode = code;
      this.#supervisor.discard();
    });
    const end = (graceful: boolean): Promise<void> => {
      this.#ending = true;
      this.#supervisor.discard();
      master.stop(graceful);
      return finished;
    };
    obeySignals(host, "master", {
      drain: () => end(true),
      close: () => end(false),
      reopenLogs: () => {},
      notice: () => {},
      uncaught: (error) => this.#terminal.warn(`A bug of tricorn, please report it: ${reasonOf(error)}`),
      exitCode: () => exitCode,
      // The terminal was closed.
      actions: { reload: () => void end(true).then(() => host.exit(exitCode)) },
    });
    const watching = this.#watchProject();
    const slow = this.#sayWhenSlow();
    const keys = this.#obeyKeys(end);
    master.start();
    // The child has said why, where there is something to say.
    void finished.then(() => this.#ending ? undefined : host.exit(exitCode));
    await Promise.race([served, finished]);
    slow();
    if (this.#ending || exitCode !== 0) return await finished;
    await watching;
    this.#supervisor.prepare();
    const url = master.urls[0]!;
    this.#terminal.banner(this.#context, this.#project, url, this.#watch);
    keys(url);
    if (this.#command.flags.open) void this.#terminal.open(url, this.#dev);
    await finished;
    this.#watch?.close();
  }

  /**
   * Only q until the returned function is called with where it serves. Before the first child is started: each that runs on
   * Bun leaves the terminal, when it ends, as it was when it began.
   */
  #obeyKeys(end: (graceful: boolean) => Promise<void>): (url: string) => void {
    const keys: Record<string, () => void> = { q: () => void end(true).then(() => this.#context.host.exit(0)) };
    const off = this.#dev.keys((key) => keys[key.toLowerCase()]?.());
    void this.#master.finished.then(() => off?.());
    return (url) => {
      if (off === null) return;
      keys.r = () => void this.#change({ files: [], at: Date.now(), styles: false });
      keys.o = () => void this.#terminal.open(url, this.#dev);
      keys.c = () => this.#terminal.clear();
      this.#terminal.say("Keys: r reload, o open in a browser, c clear, q quit");
    };
  }

  /** Watches what the project is made of, unless that is what is watched. */
  async #watchProject(): Promise<void> {
    const { host } = this.#context;
    const { reload_extra_files: extra } = this.#project.settings;
    const { app, settingsModule } = this.#project;
    // Where the program is, is source: though it be outside, or in a folder that .gitignore names.
    const needed = [app, settingsModule].flatMap((target) => {
      if (target === null) return [];
      const path = host.resolve(parseTarget(target).module);
      const folder = path.slice(0, path.lastIndexOf("/"));
      return this.#dev.exists(folder) ? folder : [];
    });
    const folders = [...new Set([host.startDirectory, host.cwd, ...needed])].filter((folder, _, all) =>
      !all.some((other) => folder.startsWith(`${other}/`))
    );
    const files = [...CONFIG_FILES, DOT_ENV].map((name) => `${host.startDirectory}/${name}`)
      .concat(this.#project.file?.path ?? [], extra.map((path) => host.resolve(path)));
    const wanted = JSON.stringify([folders, files]);
    if (wanted === this.#watched) return;
    this.#watched = wanted;
    const ignored = new Ignored(folders, (path) => this.#dev.readSource(path), needed);
    const outputs = this.#dev.outputFiles();
    let watch: Watch | null = null;
    const changes = this.#changes ??= new Changes({
      onBatch: ({ paths, styles, at }: Batch) => {
        // By now it has been written as a whole; Bun may have told of its beginning alone.
        if (paths.filter((path) => ignored.changed(path)).length > 0) void watch?.rescan();
        void this.#change({ files: paths, at, styles });
      },
      onEndless: (paths) =>
        this.#terminal.warn(
          `Changes with each reload: ${
            paths.map(escapeLine).join(", ")
          }; if the application writes it, put it into .gitignore`,
        ),
    });
    watch = await this.#dev.watch({
      folders,
      files,
      ignored: (path, isFolder) => ignored.has(path, isFolder),
      onEvent: (path) => {
        // Else each line that is said would be a change.
        if (!outputs.includes(path)) changes.add(path);
      },
      onProblem: (sentence) => this.#terminal.warn(sentence),
    });
    // Afterwards, so that nothing is missed.
    this.#watch?.close();
    this.#watch = watch;
  }

  /** One reload at a time; what changes meanwhile is the next one's. */
  async #change(change: Change): Promise<void> {
    if (this.#ending) return;
    const { files = [], styles = true } = this.#waiting ?? {};
    this.#waiting = {
      files: [...new Set([...files, ...change.files])],
      at: change.at,
      styles: styles && change.styles,
    };
    if (this.#reloading) return this.#hurry();
    this.#reloading = true;
    for (let next = this.#take(); next !== null; next = this.#take()) {
      this.assignment = this.#assign(next, null);
      const slow = this.#sayWhenSlow();
      const problem = await this.#master.reload();
      slow();
      // Code that could not even say what is wrong with it: somebody else has to.
      if (problem !== null && this.#waiting === null && !this.#ending) {
        this.assignment = this.#assign(next, `the new code could not be started: ${problem}`);
        const still = await this.#master.reload();
        if (still !== null) this.#terminal.warn(`The code could not be started: ${still}`);
      }
      await this.#watchProject();
      this.#changes?.ready();
      this.#supervisor.prepare();
    }
    this.#reloading = false;
  }

  #take(): Change | null {
    const next = this.#ending ? null : this.#waiting;
    this.#waiting = null;
    return next;
  }

  /** Gives the code that is being loaded a moment; then it is given up, since it is not what is wanted any more. */
  #hurry(): void {
    const canary = (): number | null => this.#master.state.reload?.canary ?? null;
    const hurried = canary();
    setTimeout(() => {
      const worker = hurried === null ? undefined : this.#master.state.workers.get(hurried);
      if (worker !== undefined && canary() === hurried) this.#master.kill(worker.pid);
    }, HURRY);
  }

  #sayWhenSlow(): () => void {
    const timer = setTimeout(() => this.#terminal.say("Still loading..."), SLOW);
    return () => clearTimeout(timer);
  }

  /** The next build. */
  #assign(change: Change | null, problem: string | null): Assignment {
    const { flags } = this.#command;
    const { app, settingsModule, file } = this.#project;
    const { life, build: last, styledFrom } = this.#build;
    const build = last + 1;
    this.#build = { life, build, styledFrom: change?.styles === true ? styledFrom : build };
    return {
      app,
      settingsModule,
      hooks: file,
      build: this.#build,
      change,
      problem,
      options: {
        refresh: !flags.norefresh,
        static: !flags.nostatic,
        checks: !flags["skip-checks"],
        oneAtATime: flags.nothreading,
        colour: this.#terminal.colour,
      },
    };
  }

  #launch(): Launch {
    const { settings, env } = this.#project;
    return { settings, binds: [this.#command.bind], extra: this.assignment, env, workers: 1 };
  }

  async #relaunch(): Promise<Launch> {
    const { change } = this.assignment;
    const { startDirectory } = this.#context.host;
    const configured = [...CONFIG_FILES, DOT_ENV].map((name) => `${startDirectory}/${name}`).concat(
      this.#project.file?.path ?? [],
    );
    if (change !== null && (change.files.length === 0 || change.files.some((file) => configured.includes(file)))) {
      try {
        this.#project = await this.#read();
        const { app, settingsModule, file: hooks } = this.#project;
        this.assignment = { ...this.assignment, app, settingsModule, hooks };
      } catch (error) {
        this.assignment = { ...this.assignment, problem: reasonOf(error) };
      }
    }
    return this.#launch();
  }
}
