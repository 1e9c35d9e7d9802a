// Takes an upload of any size without holding it: `tricorn serve examples/upload.ts`, then `curl -T FILE localhost:8000`.
import { createHash } from "node:crypto";
import type { Application, StartResponse } from "../src/esgi/mod.ts"; // in your project: "tricorn/esgi"

const MAX_SIZE = 1_000_000_000;

export const application: Application = async (environ, startResponse) => {
  if (environ.REQUEST_METHOD !== "PUT" && environ.REQUEST_METHOD !== "POST") {
    startResponse("405 Method Not Allowed", [["Content-Type", "text/plain"], ["Allow", "PUT, POST"]]);
    return "Send a file: curl -T FILE http://localhost:8000\n";
  }
  // Answered before the body is read: a client that waits for "100 Continue" never sends it.
  if (Number(environ.CONTENT_LENGTH ?? 0) > MAX_SIZE) return tooLarge(startResponse);

  let size = 0;
  const hash = createHash("sha256");
  for await (const chunk of environ["esgi.input"]) {
    size += chunk.length;
    if (size > MAX_SIZE) return tooLarge(startResponse);
    // To keep the file, write `chunk` here, and await the write: the client then sends no faster than the disk takes it.
    hash.update(chunk);
  }
  // A body that breaks off throws in the loop above, so what gets here is whole.

  // Whatever name the client gave, in the path or in a field, is text and never a path: a file kept is named by its hash.
  const sha256 = hash.digest("hex");
  startResponse("201 Created", [["Content-Type", "application/json"], ["Location", `/${sha256}`]]);
  return `${JSON.stringify({ name: environ.PATH_INFO.split("/").at(-1), size, sha256 })}\n`;
};

function tooLarge(startResponse: StartResponse): string {
  startResponse("413 Content Too Large", [["Content-Type", "text/plain"]]);
  return `No more than ${MAX_SIZE} bytes\n`;
}
