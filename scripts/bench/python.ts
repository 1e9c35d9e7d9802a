// Finds a Python that has Django and Gunicorn: the first one in PATH, or the system's.
import { spawnSync } from "node:child_process";

export const DJANGO_MISSING =
  "Django on Gunicorn is left out: no python3 has both (apt-get install python3-django gunicorn)";

/** The word that starts it, or null where there is none. */
export function findPython(): string | null {
  const has = (python: string): boolean =>
    spawnSync(python, ["-c", "import django, gunicorn"], { stdio: "ignore" }).status === 0;
  return ["python3", "/usr/bin/python3"].find(has) ?? null;
}
