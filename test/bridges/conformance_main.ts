// Runs the conformance table on the runtime that runs this file, and prints the outcomes as JSON.
import { runConformance } from "./conformance_kits.ts";

const outcomes = await runConformance();
console.log(JSON.stringify(outcomes));
