// Writes, reads and deletes a temporary file in the folder that is its argument, and prints what it saw as JSON.

import { readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { temporaryFileStorage } from "../../adapters/file_storage.ts";

const directory = process.argv[2]!;
const file = await temporaryFileStorage.create(directory);
for (const size of [100_000, 0, 3]) await file.write(new Uint8Array(size).fill(size));
await file.close();

const [name] = readdirSync(directory);
const mode = (statSync(join(directory, name!)).mode & 0o777).toString(8);

async function read(): Promise<number[]> {
  let length = 0;
  let sum = 0;
  for await (const chunk of file.open()) {
    length += chunk.length;
    for (const byte of chunk) sum += byte;
  }
  return [length, sum];
}

const reads = [await read(), await read()];
// A reader who leaves early must not keep the file open: that shows on no runtime but Windows'.
for await (const _ of file.open()) break;
await file.remove();
await file.remove();

const abandoned = await temporaryFileStorage.create(directory);
await abandoned.write(new Uint8Array(1));
await abandoned.remove();

writeFileSync(1, JSON.stringify({ name, mode, reads, left: readdirSync(directory) }));
