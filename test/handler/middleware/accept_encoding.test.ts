import { describe, expect, test } from "vitest";
import { acceptedEncodings } from "../../../src/handler/middleware/accept_encoding.ts";

describe("acceptedEncodings (RFC 9110 §12.5.3)", () => {
  test.each<[string | undefined, string[]]>([
    [undefined, []],
    ["", []],
    ["gzip", ["gzip"]],
    ["gzip, deflate, br, zstd", ["br", "gzip"]],
    ["GZip;Q=0.5,\tBR ; q=0.4", ["gzip", "br"]],
    ["gzip;q=0, br;q=0.000", []],
    ["*", ["br", "gzip"]],
    ["*;q=0", []],
    ["*, br;q=0", ["gzip"]],
    ["gzip;q=1, *;q=0", ["gzip"]],
    ["identity", []],
    ["identity;q=1, *;q=0.5", []],
    ["identity;q=0.5, gzip;q=0.5", ["gzip"]],
    ["identity;q=0, gzip", ["gzip"]],
    ["deflate", []],
    ["gzipper, xgzip, br2", []],
    // What is malformed is passed over.
    ["gzip;q=2, br;q=a", []],
    ["gzip;level=9, br", ["br"]],
    ["gzip br", []],
    [",,gzip,,", ["gzip"]],
  ])("%j: %o", (field, encodings) => {
    expect(acceptedEncodings(field)).toEqual(encodings);
  });
});
