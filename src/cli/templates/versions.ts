// What the projects of `tricorn new` depend on beside Tricorn, as ranges. test/cli/new.test.ts holds them against the
// versions that this repository is tested with.

export const VERSIONS = {
  "@swc/wasm-typescript": "^1.16.2",
  "@types/node": "^20.19.43",
  hono: "^4.13.19",
  typescript: "^7.0.2",
} as const;
