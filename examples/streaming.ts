// Responses that are made while they are sent: `tricorn serve examples/streaming.ts`, then `curl -N localhost:8000/events`.
import type { Application, Chunk, Environ, StartResponse } from "../src/esgi/mod.ts"; // in your project: "tricorn/esgi"

const sleep = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

// An application may be a generator. Each chunk is asked for when the one before has been written, so a client that reads
// slowly slows this loop down and fills no memory.
async function* countdown(_environ: Environ, startResponse: StartResponse): AsyncGenerator<Chunk, undefined> {
  startResponse("200 OK", [["Content-Type", "text/plain; charset=utf-8"]]);
  for (let n = 5; n > 0; n--) {
    yield `${n}…\n`;
    await sleep(100);
  }
  yield "Lift-off!\n";
}

// Server-sent events: in a browser, `new EventSource("/events").onmessage = (event) => console.log(event.data)`.
async function* events(environ: Environ, startResponse: StartResponse): AsyncGenerator<Chunk, undefined> {
  startResponse("200 OK", [["Content-Type", "text/event-stream"], ["Cache-Control", "no-store"]]);
  // A browser that lost its connection says where it was.
  let id = Number(environ.HTTP_LAST_EVENT_ID ?? 0) || 0;
  yield "retry: 1000\n\n";
  try {
    for (;;) {
      id++;
      yield `id: ${id}\ndata: ${JSON.stringify({ id, time: new Date().toISOString() })}\n\n`;
      await sleep(200);
    }
  } finally {
    environ["esgi.errors"].write(`the reader of events has left after ${id}\n`);
  }
}

export const application: Application = (environ, startResponse) => {
  switch (environ.PATH_INFO) {
    case "/":
      return countdown(environ, startResponse);
    case "/events":
      return events(environ, startResponse);
    default:
      startResponse("404 Not Found", [["Content-Type", "text/plain"]]);
      return "Not Found\n";
  }
};
