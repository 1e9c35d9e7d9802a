#!/usr/bin/env node
// The command `tricorn`, on whichever runtime runs this file.
import { main } from "../src/cli/main.ts";
import { processHost } from "./process.ts";
import { runtime } from "./runtime.ts";

await main(processHost, runtime);
