// docs/tutorial.md: a newcomer who follows it literally, from an empty folder, succeeds on each runtime.

import { describe, expect } from "vitest";
import { eventually } from "../support/wait.ts";
import { ask } from "./support.ts";
import { type Reading, testWalkthrough } from "./walkthrough.ts";

/** Where the site of the text is here. */
const site = (reading: Reading) => ({ host: "127.0.0.1", port: Number(new URL(reading.here("http://h:8000/")).port) });

/** What a browser does: it gets the page, sends the form with the cookie, and goes where it is told to. */
async function sign(reading: Reading): Promise<void> {
  const { text, headers } = await ask(site(reading));
  const [, token] = /name="csrfmiddlewaretoken" value="(\w+)"/.exec(text)!;
  const answer = await ask({
    ...site(reading),
    method: "POST",
    headers: {
      "Cookie": headers["set-cookie"]!.map((cookie) => cookie.split(";")[0]!),
      "Content-Type": "application/x-www-form-urlencoded",
    },
  }, new URLSearchParams({ csrfmiddlewaretoken: token!, entry: "Ada" }).toString());
  expect([answer.status, answer.headers.location]).toEqual([302, "/"]);
  expect((await ask(site(reading))).text).toContain("<li>Ada</li>");
}

async function narrow(reading: Reading): Promise<void> {
  reading.edit("static/style.css", "40em", "30em");
  await eventually(
    async () => (await ask({ ...site(reading), path: "/static/style.css" })).text.includes("30em"),
    () => "the style sheet stays",
  );
}

function sentByNginx(reading: Reading): void {
  expect(reading.shown().join("")).not.toContain("style.css");
}

describe("docs/tutorial.md", () => {
  testWalkthrough("docs/tutorial.md", {
    "sign as Ada": sign,
    "Make the page narrower": narrow,
    "The style sheet is not in the log": sentByNginx,
  }, ["curl", "nginx"]);
});
