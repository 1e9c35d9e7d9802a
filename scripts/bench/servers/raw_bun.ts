import { Counter } from "./fixed.ts";
import { hostname, port } from "./settings.ts";

interface State {
  readonly counter: Counter;
  rest: Uint8Array | null;
}

Bun.listen<State>({
  hostname,
  port,
  socket: {
    open(socket) {
      socket.data = { counter: new Counter(), rest: null };
    },
    data(socket, chunk) {
      const responses = socket.data.counter.take(chunk.length);
      if (responses === null) return;
      const written = socket.write(responses);
      if (written < responses.length) {
        socket.data.rest = responses.subarray(Math.max(written, 0));
      }
    },
    drain(socket) {
      const { rest } = socket.data;
      if (rest === null) return;
      const written = Math.max(socket.write(rest), 0);
      socket.data.rest = written < rest.length ? rest.subarray(written) : null;
    },
  },
});
