// The style sheet of each project's first page: readable on a phone and in the dark, and short enough to be replaced.

import { dedent } from "./template.ts";

export const STYLE: string = dedent(`
  :root {
    color-scheme: light dark;
    font: 1rem / 1.5 system-ui, sans-serif;
  }

  body {
    max-width: 40rem;
    margin: 3rem auto;
    padding: 0 1rem;
  }
`);
