// The registries npm and JSR with what was made here and nothing else, so that npm, Deno and Bun get the package as they
// will for its users. What a test asks of the network ends here.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

/** What `npm pack --json` tells of a package. */
export interface Packed {
  readonly name: string;
  readonly version: string;
  readonly filename: string;
  /** Bytes, packed and unpacked. */
  readonly size: number;
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string; readonly mode: number }[];
  readonly integrity: string;
  readonly shasum: string;
}

export interface Package {
  readonly packed: Packed;
  /** The bytes of the tarball. */
  readonly tarball: Uint8Array;
  /** Its package.json. */
  readonly manifest: Readonly<Record<string, unknown>>;
}

export interface Registry {
  readonly url: string;
  close(): Promise<void>;
}

/** Reads what `npm pack` made of `source` in `folder`. */
export function readPacked(packed: Packed, source: string, folder: string): Package {
  return {
    packed,
    tarball: readFileSync(`${folder}/${packed.filename}`),
    manifest: JSON.parse(readFileSync(`${source}/package.json`, "utf8")),
  };
}

/** npm, on a free port of 127.0.0.1. */
export function startRegistry(packages: readonly Package[]): Promise<Registry> {
  return listen((path, url) => {
    const tarball = packages.find(({ packed }) => path === `/tarballs/${packed.filename}`);
    if (tarball !== undefined) return ["application/octet-stream", tarball.tarball];
    const found = packages.find(({ packed }) => path === `/${packed.name}`);
    return found === undefined ? null : ["application/json", JSON.stringify(packument(found, url))];
  });
}

/** What JSR is given: deno.json's fields, and the files by their paths (`/src/esgi/mod.ts`). */
export interface Publication {
  /** With its scope. */
  readonly name: string;
  readonly version: string;
  readonly exports: Readonly<Record<string, string>>;
  readonly files: ReadonlyMap<string, string>;
}

/** JSR, on a free port of 127.0.0.1. */
export function startJSR({ name, version, exports, files }: Publication): Promise<Registry> {
  const manifest = Object.fromEntries([...files].map(([path, text]) => {
    const checksum = `sha256-${createHash("sha256").update(text).digest("hex")}`;
    return [path, { size: new TextEncoder().encode(text).length, checksum }];
  }));
  const answers = new Map([
    [`/${name}/meta.json`, JSON.stringify({ versions: { [version]: {} } })],
    [`/${name}/${version}_meta.json`, JSON.stringify({ manifest, exports })],
    ...[...files].map(([path, text]) => [`/${name}/${version}${path}`, text] as const),
  ]);
  const types: Readonly<Record<string, string>> = { ts: "text/typescript", js: "text/javascript" };
  return listen((path) => {
    const answer = answers.get(path);
    return answer === undefined ? null : [types[path.slice(path.lastIndexOf(".") + 1)] ?? "application/json", answer];
  });
}

type Answer = readonly [type: string, body: string | Uint8Array];

async function listen(answer: (path: string, url: string) => Answer | null): Promise<Registry> {
  const server = createServer((request, response) => {
    const found = answer(decodeURIComponent(request.url!), url);
    if (found === null) return void response.writeHead(404).end("{}");
    response.setHeader("Content-Type", found[0]).end(found[1]);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  return {
    url: `${url}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function packument({ packed, manifest }: Package, url: string): unknown {
  const { name, version, filename, integrity, shasum } = packed;
  const dist = { integrity, shasum, tarball: `${url}/tarballs/${filename}` };
  return { name, "dist-tags": { latest: version }, versions: { [version]: { ...manifest, dist } } };
}
