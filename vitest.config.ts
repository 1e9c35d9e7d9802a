import { defineConfig, type ViteUserConfig } from "vitest/config";

// Limits are there for what hangs. No test measures time, so a slow machine only makes the suite slow.
const config: ViteUserConfig = defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // The suite over sockets starts processes of its own beside each of these.
    maxWorkers: 2,
    // Most concurrent tests wait: for a timeout, or for a server to have done nothing.
    maxConcurrency: 20,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    teardownTimeout: 10_000,
  },
});

export default config;
