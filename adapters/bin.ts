#!/usr/bin/env node
// The command `tricorn`, on whichever runtime runs this file.
import { main } from "../src/cli/main.ts";
import { runtime } from "./mod.ts";
import { processHost } from "./process.ts";

await main(processHost, runtime);
