// What the site keeps: notes and files, in SQLite where the runtime has it (Node from 22.13 on, Deno, Bun), else in
// memory. SITE_DATABASE is the path of the database; without it, that is in memory, too.

import process from "node:process";

export interface Note {
  readonly id: number;
  readonly author: string;
  readonly text: string;
}

export interface StoredFile {
  readonly id: number;
  readonly author: string;
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface Storage {
  /** The latest first. */
  notes(): Note[];
  note(id: number): Note | null;
  addNote(author: string, text: string): Note;
  /** False when there is no such note. */
  removeNote(id: number): boolean;
  /** The latest first, without their bytes. */
  files(): Omit<StoredFile, "bytes">[];
  file(id: number): StoredFile | null;
  addFile(file: Omit<StoredFile, "id">): number;
}

/** What is used of node:sqlite; Node 20, whose types this project is checked with, has none. */
interface Database {
  exec(sql: string): void;
  prepare(sql: string): {
    all(...values: unknown[]): unknown[];
    get(...values: unknown[]): unknown;
    run(...values: unknown[]): { changes: number | bigint };
  };
}

const SCHEMA = `
  PRAGMA journal_mode = WAL;
  PRAGMA busy_timeout = 5000;
  CREATE TABLE IF NOT EXISTS notes (
    id INTEGER PRIMARY KEY AUTOINCREMENT, author TEXT NOT NULL, text TEXT NOT NULL
  );
  CREATE TABLE IF NOT EXISTS files (
    id INTEGER PRIMARY KEY AUTOINCREMENT, author TEXT NOT NULL, name TEXT NOT NULL, bytes BLOB NOT NULL
  );
`;

class SqliteStorage implements Storage {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
    database.exec(SCHEMA);
  }

  notes(): Note[] {
    return this.#database.prepare("SELECT id, author, text FROM notes ORDER BY id DESC").all() as Note[];
  }

  note(id: number): Note | null {
    return (this.#database.prepare("SELECT id, author, text FROM notes WHERE id = ?").get(id) ?? null) as Note | null;
  }

  addNote(author: string, text: string): Note {
    const insert = this.#database.prepare("INSERT INTO notes (author, text) VALUES (?, ?) RETURNING id, author, text");
    return insert.get(author, text) as Note;
  }

  removeNote(id: number): boolean {
    return Number(this.#database.prepare("DELETE FROM notes WHERE id = ?").run(id).changes) > 0;
  }

  files(): Omit<StoredFile, "bytes">[] {
    return this.#database.prepare("SELECT id, author, name FROM files ORDER BY id DESC").all() as StoredFile[];
  }

  file(id: number): StoredFile | null {
    const select = this.#database.prepare("SELECT id, author, name, bytes FROM files WHERE id = ?");
    return (select.get(id) ?? null) as StoredFile | null;
  }

  addFile({ author, name, bytes }: Omit<StoredFile, "id">): number {
    const insert = this.#database.prepare(
      "INSERT INTO files (author, name, bytes) VALUES (?, ?, ?) RETURNING id",
    );
    return (insert.get(author, name, bytes) as { id: number }).id;
  }
}

class MemoryStorage implements Storage {
  #notes: Note[] = [];
  #files: StoredFile[] = [];
  #last = 0;

  notes(): Note[] {
    return this.#notes.toReversed();
  }

  note(id: number): Note | null {
    return this.#notes.find((note) => note.id === id) ?? null;
  }

  addNote(author: string, text: string): Note {
    const note = { id: ++this.#last, author, text };
    this.#notes.push(note);
    return note;
  }

  removeNote(id: number): boolean {
    const before = this.#notes.length;
    this.#notes = this.#notes.filter((note) => note.id !== id);
    return this.#notes.length < before;
  }

  files(): StoredFile[] {
    return this.#files.toReversed();
  }

  file(id: number): StoredFile | null {
    return this.#files.find((file) => file.id === id) ?? null;
  }

  addFile(file: Omit<StoredFile, "id">): number {
    this.#files.push({ id: ++this.#last, ...file });
    return this.#last;
  }
}

async function open(path: string): Promise<Storage> {
  const name = "node:sqlite";
  const sqlite = await import(name).catch(() => null) as { DatabaseSync: new (path: string) => Database } | null;
  return sqlite === null ? new MemoryStorage() : new SqliteStorage(new sqlite.DatabaseSync(path));
}

export const storage: Storage = await open(process.env.SITE_DATABASE ?? ":memory:");
