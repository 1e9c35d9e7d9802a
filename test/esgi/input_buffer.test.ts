// The buffer behind esgi.input: what waits for its reader keeps its order and its bytes, and costs about as much as these.

import { expect, test } from "vitest";
import { InputBuffer } from "../../src/esgi/input.ts";

const SOURCE = { wanted: (): void => {} };

test("small chunks that wait are put together, in order, between large ones", async () => {
  const input = new InputBuffer(SOURCE);
  const all: number[] = [];
  let next = 0;
  const push = (size: number): void => {
    const chunk = Uint8Array.from({ length: size }, () => next++ & 255);
    all.push(...chunk);
    input.push(chunk);
  };
  for (const size of [1, 1, 2000, 3, 512, 513, 1, 4000, 500, 500]) push(size);
  for (let n = 0; n < 10_000; n++) push(1 + n % 3);
  expect(input.buffered).toBe(all.length);
  const read: number[] = [];
  let chunks = 0;
  // Partly read chunks are behind others too.
  read.push(...await input.read(1), ...await input.read(700));
  push(5);
  input.end();
  for await (const chunk of input) {
    chunks++;
    read.push(...chunk);
  }
  expect(read).toEqual(all);
  expect(chunks).toBeLessThan(30);
});

test("what was read does not change when more comes", async () => {
  const input = new InputBuffer(SOURCE);
  input.push(Uint8Array.of(1));
  input.push(Uint8Array.of(2));
  input.push(Uint8Array.of(3));
  const first = await input.read(2);
  input.push(Uint8Array.of(4));
  const rest = await input.read();
  input.push(Uint8Array.of(5));
  input.push(Uint8Array.of(6));
  expect([[...first], [...rest]]).toEqual([[1], [2, 3, 4]]);
});

test("stream() gives its reader memory of its own, also where a chunk is a Buffer", async () => {
  const shared = Buffer.from("one two");
  const input = new InputBuffer(SOURCE);
  input.push(shared.subarray(0, 4));
  input.push(shared.subarray(4));
  input.end();
  const chunks: Uint8Array[] = [];
  for await (const chunk of input.stream() as unknown as AsyncIterable<Uint8Array>) chunks.push(chunk);
  expect(Buffer.concat(chunks).toString()).toBe("one two");
  expect(shared.toString()).toBe("one two");
  expect(chunks.every((chunk) => chunk.buffer !== shared.buffer)).toBe(true);
});
