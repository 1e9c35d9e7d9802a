#!/usr/bin/env node
// The command `tricorn`, on whichever runtime runs this file.
import { main } from "../src/cli/main.ts";
import { context } from "./context.ts";

await main(context);
