// Runs the fetch suite on the runtime that runs this file, and prints the outcomes as JSON. With the argument "light",
// under the light globals.
import { installLightGlobals } from "../../src/bridges/mod.ts";
import { runFetchCases } from "./fetch_suite.ts";

if (globalThis.process.argv.includes("light")) installLightGlobals();
console.log(JSON.stringify(await runFetchCases()));
globalThis.process.exit(0);
