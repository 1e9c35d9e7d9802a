import { Counter } from "./fixed.ts";
import { hostname, port } from "./settings.ts";

async function serve(connection: Deno.TcpConn): Promise<void> {
  connection.setNoDelay(true);
  const counter = new Counter();
  const buffer = new Uint8Array(16_384);
  try {
    for (;;) {
      const length = await connection.read(buffer);
      if (length === null) break;
      const responses = counter.take(length);
      if (responses === null) continue;
      for (let offset = 0; offset < responses.length;) {
        offset += await connection.write(responses.subarray(offset));
      }
    }
    connection.close();
  } catch {
    // The client reset the connection.
  }
}

for await (const connection of Deno.listen({ hostname, port })) {
  void serve(connection);
}
