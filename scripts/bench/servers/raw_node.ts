import { createServer } from "node:net";
import { Counter } from "./fixed.ts";
import { hostname, port } from "./settings.ts";

createServer({ noDelay: true }, (socket) => {
  const counter = new Counter();
  socket.on("data", (chunk) => {
    const responses = counter.take(chunk.length);
    if (responses !== null) socket.write(responses);
  });
  socket.on("error", () => {});
}).listen(port, hostname);
