import { describe, expect, test } from "vitest";
import { explainRefusal } from "../../src/dev/sentences.ts";
import { serve, settle } from "../server/harness.ts";

const URL = "http://127.0.0.1:8000";

async function explained(input: string): Promise<(string | null)[]> {
  const { runtime, refused, server } = await serve(() => null);
  const client = runtime.connect();
  void client.send(input);
  await settle();
  server.close();
  return refused.map((event) => explainRefusal(event, URL));
}

describe("what a client that speaks another protocol is told of in the log", () => {
  test.each<[string, string, string]>([
    ["HTTPS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", `open ${URL}, or start with --https`],
    ["HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "with curl, say --http1.1"],
  ])("%s", async (_, input, remedy) => {
    const sentences = await explained(input);
    expect(sentences).toHaveLength(1);
    expect(sentences[0]).toContain(remedy);
  });

  test("HTTP without TLS", () => {
    expect(explainRefusal({ status: 0, reason: "", remote: "" }, "https://a")).toContain("open https://a");
  });

  test("other refusals have their reason only", async () => {
    expect(await explained("GET / HTTP/2.0\r\n\r\n")).toEqual([null]);
    expect(await explained("\0")).toEqual([null]);
  });
});
