// The entry `tricorn/typescript`, as in `node --import tricorn/typescript app.ts`: strip_types.js for whoever asks for it by
// name, and is told so when it cannot be had. Elsewhere than on an older Node it does nothing.
// @ts-self-types="./typescript.d.ts"
import { stripTypesProblem } from "./strip_types.js";

if (stripTypesProblem !== null) throw new Error(stripTypesProblem);
