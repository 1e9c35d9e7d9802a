// docs/getting-started.md: from nothing to an answer on each runtime, as it stands there.

import { describe } from "vitest";
import { testWalkthrough } from "./walkthrough.ts";

describe("docs/getting-started.md", () => {
  testWalkthrough("docs/getting-started.md", {
    "Save another greeting": (reading) => reading.edit("app.ts", "Hello from", "Good morning from"),
  }, ["curl"]);
});
