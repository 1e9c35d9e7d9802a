// The command `tricorn`, on whichever runtime runs this file. What builds the package writes the first line that a shell
// wants.
import { main } from "../src/cli/main.ts";
import { context } from "./context.ts";

await main(context);
