// The certificate that is made for development: what openssl and node:crypto read in it, and what TLS makes of it.

import { spawnSync } from "node:child_process";
import { createPrivateKey, createPublicKey, X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, createServer } from "node:tls";
import type { AddressInfo } from "node:net";
import { afterAll, describe, expect, test } from "vitest";
import { DAYS, LOCAL_NAMES, makeCertificate, subjectNames } from "../../src/dev/certificate.ts";

const NOW = new Date("2026-11-22T12:34:56.789Z");
const DAY = 86_400_000;

const folder = mkdtempSync(join(tmpdir(), "tricorn-certificate-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("makeCertificate", () => {
  test("makes what node:crypto reads: names, days, and a key that fits", async () => {
    const { certificate, key } = await makeCertificate(["192.168.1.5", "dev.example", "a.localhost"], NOW);
    const read = new X509Certificate(certificate);
    expect(read.subject).toBe("CN=Tricorn development");
    expect(read.issuer).toBe(read.subject);
    expect(read.ca).toBe(false);
    expect(read.checkPrivateKey(createPrivateKey(key))).toBe(true);
    expect(read.verify(createPublicKey(certificate))).toBe(true);
    expect(Date.parse(read.validFrom)).toBe(Date.parse("2026-11-21T12:34:56Z"));
    expect(Date.parse(read.validTo)).toBe(Date.parse("2026-11-22T12:34:56Z") + DAYS * DAY);
    for (const name of ["localhost", "a.localhost", "dev.example"]) expect(read.checkHost(name), name).toBeDefined();
    for (const name of ["127.0.0.1", "::1", "192.168.1.5"]) expect(read.checkIP(name), name).toBeDefined();
    for (const name of ["example", "other.example"]) expect(read.checkHost(name), name).toBe(undefined);
    expect(read.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1"]);
  });

  test("makes another serial number and another key each time, many times over", async () => {
    const made = await Promise.all(Array.from({ length: 200 }, () => makeCertificate([], NOW)));
    const read = made.map(({ certificate }) => new X509Certificate(certificate));
    expect(new Set(read.map(({ serialNumber }) => serialNumber)).size).toBe(200);
    // One r or s in 128 is shorter than the others, which is where an encoder goes wrong.
    for (const [i, one] of read.entries()) {
      expect(one.verify(createPublicKey(made[i]!.certificate))).toBe(true);
      expect(one.serialNumber).toMatch(/^[4-7][\dA-F]{31}$/);
    }
  });

  test("tells dates after 2049 by GeneralizedTime", async () => {
    const { certificate } = await makeCertificate([], new Date("2049-12-01T00:00:00Z"));
    const read = new X509Certificate(certificate);
    expect(Date.parse(read.validFrom)).toBe(Date.parse("2049-11-30T00:00:00Z"));
    expect(Date.parse(read.validTo)).toBe(Date.parse("2049-12-01T00:00:00Z") + DAYS * DAY);
  });

  test("has room for many names", async () => {
    const names = Array.from({ length: 300 }, (_, i) => `host-${i}.example`);
    const read = new X509Certificate((await makeCertificate(names, NOW)).certificate);
    expect(read.checkHost("host-299.example")).toBeDefined();
  });

  test("openssl reads it, strictly, and trusts it when it is told to", async () => {
    const { certificate, key } = await makeCertificate([], new Date());
    writeFileSync(join(folder, "cert.pem"), certificate);
    writeFileSync(join(folder, "key.pem"), key);
    const openssl = (...words: string[]) => spawnSync("openssl", words, { cwd: folder, encoding: "utf8" });
    const text = openssl("x509", "-in", "cert.pem", "-noout", "-text").stdout;
    expect(text).toContain("Signature Algorithm: ecdsa-with-SHA256");
    expect(text).toContain("ASN1 OID: prime256v1");
    expect(text).toMatch(/X509v3 Basic Constraints: critical\s+CA:FALSE/);
    expect(text).toMatch(/X509v3 Key Usage: critical\s+Digital Signature\s/);
    expect(text).toContain("TLS Web Server Authentication");
    expect(text).toContain("DNS:localhost, DNS:*.localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1");
    const verified = openssl("verify", "-CAfile", "cert.pem", "-purpose", "sslserver", "cert.pem");
    expect(verified.stdout + verified.stderr).toBe("cert.pem: OK\n");
    expect(openssl("pkey", "-in", "key.pem", "-check", "-noout").stdout).toContain("valid");
  });

  test("a client that trusts it shakes hands", async () => {
    const { certificate, key } = await makeCertificate(["app.localhost"], new Date());
    const server = createServer({ cert: certificate, key }, (socket) => socket.end("hello"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    try {
      for (const servername of ["localhost", "app.localhost"]) {
        const text = await new Promise<string>((resolve, reject) => {
          let text = "";
          connect({ port, host: "127.0.0.1", servername, ca: certificate })
            .setEncoding("utf8").on("data", (chunk) => text += chunk).on("end", () => resolve(text)).on(
              "error",
              reject,
            );
        });
        expect(text).toBe("hello");
      }
    } finally {
      server.close();
    }
  });
});

describe("subjectNames", () => {
  test.each([
    ["LOCALHOST", "localhost"],
    ["dev.Example", "dev.example"],
    ["*.dev.example", "*.dev.example"],
    ["bücher.example", "xn--bcher-kva.example"],
    ["*.bücher.example", "*.xn--bcher-kva.example"],
    ["my_host", "my_host"],
    ["192.168.1.5", "192.168.1.5"],
    ["FE80::0:1", "fe80::1"],
    ["::", "::"],
    ["0.0.0.0", "0.0.0.0"],
  ])("%s is %s", (given, name) => expect(subjectNames([given])).toContain(name));

  test("has each name once", () => {
    expect(subjectNames(["localhost", "127.0.0.1", "::1", "0:0::1", "a", "A"])).toEqual([...LOCAL_NAMES, "a"]);
  });

  test.each([
    "",
    "a b",
    "a/b",
    "http://a",
    "a:1",
    "[::1]",
    "*.1.2.3.4",
    "a..b",
    "*",
    "a*",
    "1.2.3",
    "127.1",
    "x\n",
    "@",
    "*.::1",
  ])(
    "%j is none",
    (name) => expect(() => subjectNames([name])).toThrow(RangeError),
  );
});
