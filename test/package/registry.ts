// A registry of npm with what was packed here and nothing else, so that npm, Deno and Bun install the package as they will
// for its users. What a test asks of the network ends here.

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

/** Listens on a free port of 127.0.0.1. */
export async function startRegistry(packages: readonly Package[]): Promise<Registry> {
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url!);
    const tarball = packages.find(({ packed }) => path === `/tarballs/${packed.filename}`);
    if (tarball !== undefined) return void response.end(tarball.tarball);
    const found = packages.find(({ packed }) => path === `/${packed.name}`);
    if (found === undefined) return void response.writeHead(404).end("{}");
    response.setHeader("Content-Type", "application/json").end(JSON.stringify(packument(found, url)));
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
