// The script that refresh.ts puts into pages, as text: it runs in browsers, and needs nothing of its page. It asks which
// build is served, for as long as its page is looked at, and takes up what has changed.

/**
 * How it decides. A page knows its build by `data-build`, or, when a 304 or a cache has brought it back as it was, by what
 * was noted for its address before it was loaded anew: so no build makes a page load twice. Another life of the server,
 * or a build with other changes than in style sheets, loads the page anew; the browser keeps where it was scrolled to.
 *
 * A page that nobody looks at is not connected: browsers allow themselves six connections to a host, and a tab more would
 * wait for ever. It asks again as soon as it is seen, so it is never seen old for longer than a moment. A frame leaves the
 * matter to the page around it, where that is one of ours.
 */
export const REFRESH_SCRIPT: string = `"use strict";
(() => {
  const script = document.currentScript;
  // A page may take in the script of another one, as Turbo does with its <body>.
  if (script === null || window.__tricornRefresh__ || leaveIt()) return;
  window.__tricornRefresh__ = true;
  const KEY = "tricorn:" + location.pathname + location.search;
  // Looked up once: a page that comes back as it was left has not been loaded anew since.
  let known = [script.dataset.build, sessionStorage.getItem(KEY)].map(parse);

  function leaveIt() {
    try {
      sessionStorage.length;
    } catch {
      return true; // Without a storage, the same page could load for ever.
    }
    try {
      return window.top !== window && window.top.location.origin === location.origin;
    } catch {
      return false; // Within another host's page.
    }
  }

  function parse(text) {
    const [life, build] = (text ?? "").split(".");
    return { life, build: Number(build) };
  }

  function take(served) {
    const newest = Math.max(...known.map(({ life, build }) => life === served.life ? build : -1));
    // Older ones are told by a process that is about to end.
    if (served.build <= newest) return;
    if (served.styledFrom > newest) return load(served);
    const links = documents(window).flatMap((one) =>
      [...one.querySelectorAll("link[rel~=stylesheet][href]:not([disabled])")]
    ).filter((link) => new URL(link.href).origin === location.origin);
    // A page that has its style sheets within itself, or by @import, shows them as they are only when it is new, too.
    if (links.length === 0 || documents(window).some(imports)) return load(served);
    known = [served];
    const replaced = new Set(links.map((link) => previous.get(link)));
    for (const link of links) if (!replaced.has(link)) replace(link, served);
  }

  function load({ life, build }) {
    sessionStorage.setItem(KEY, life + "." + build);
    stop();
    location.reload();
  }

  /** The documents of a window and of its frames, as far as they are ours to look into. */
  function documents(frame) {
    try {
      return [frame.document, ...Array.from(frame.frames, documents).flat()];
    } catch {
      return [];
    }
  }

  function imports(one) {
    return [...one.styleSheets].some((sheet) => {
      try {
        return [...sheet.cssRules].some((rule) => "styleSheet" in rule);
      } catch {
        return false; // Another host's.
      }
    });
  }

  /** What a link has taken the place of, or will when it is loaded. */
  const previous = new WeakMap();

  /** The old one goes when the new one is there, so that the page is never seen without. */
  function replace(link, served) {
    const next = link.cloneNode();
    const url = new URL(link.href);
    // Browsers keep what they have once loaded for a page, whatever the server says of it.
    url.searchParams.set("tricorn-build", served.build);
    next.href = url.href;
    previous.set(next, link);
    next.addEventListener("load", () => {
      for (let old = link; old !== undefined; old = previous.get(old)) old.remove();
    });
    // It is not there any more, or has an integrity that only the page could say anew.
    next.addEventListener("error", () => load(served));
    link.after(next);
  }

  // The one that takes over is ready when the one before ends its streams; a server that is started again takes longer.
  const FIRST_WAIT = 20;
  let source = null;
  let timer = 0;
  let wait = FIRST_WAIT;
  let forbidden = false;

  function start() {
    stop();
    if (forbidden || document.visibilityState === "hidden") return;
    source = new EventSource(location.origin + "/__tricorn__/events");
    source.addEventListener("message", ({ data }) => {
      wait = FIRST_WAIT;
      take(JSON.parse(data));
    });
    // Not by the browser: it gives up when somebody else has answered, and may wait for seconds.
    source.addEventListener("error", () => {
      stop();
      timer = setTimeout(start, wait);
      wait = Math.min(wait * 2, 1000);
    });
  }

  function stop() {
    clearTimeout(timer);
    source?.close();
    source = null;
  }

  document.addEventListener("securitypolicyviolation", ({ blockedURI }) => {
    if (!blockedURI.endsWith("/__tricorn__/events")) return;
    forbidden = true;
    stop();
  });
  document.addEventListener("visibilitychange", start);
  start();
})();
`;
