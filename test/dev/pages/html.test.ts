// The template: what comes from outside cannot become HTML.

import { expect, test } from "vitest";
import { markup } from "../../../src/dev/pages/html.ts";

test("values are escaped, in attributes too, and HTML is not escaped twice", () => {
  const evil = `<b title="'&">`;
  expect(String(markup`<p title="${evil}">${evil}${markup`<i>${"&"}</i>`}</p>`)).toBe(
    '<p title="&lt;b title=&quot;&#39;&amp;&quot;&gt;">&lt;b title=&quot;&#39;&amp;&quot;&gt;<i>&amp;</i></p>',
  );
});

test("nothing for null, undefined and false; lists are joined", () => {
  expect(String(markup`${null}${undefined}${false}${0}${["a", markup`<br>`, ["<"]]}`)).toBe("0a<br>&lt;");
});

test("controls and marks of direction are shown", () => {
  expect(String(markup`${"a\u202eb\x1b\0"}`)).toBe("a\\u202eb\\u001b\\u0000");
});

test("an object that looks like Markup is none", () => {
  const forged = { toString: () => "<script>" } as unknown as string;
  expect(String(markup`${[String(forged)]}`)).toBe("&lt;script&gt;");
});
