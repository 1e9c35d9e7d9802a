// The style of the pages, and their one script. Without the script a page says and does the same, but for the button.

/** One column, light and dark; nothing but code is wider than the window, and code scrolls by itself. */
export const STYLE: string = `
:root{color-scheme:light dark;--bg:#faf9f7;--card:#fff;--text:#1f2328;--soft:#59606b;--line:#dfdcd5;--bad:#a8201a;--hit:#fdeceb;--link:#0b57a4;--good:#1a6b42}
@media (prefers-color-scheme:dark){:root{--bg:#14161a;--card:#1c1f25;--text:#e4e4e0;--soft:#a4abb6;--line:#333842;--bad:#ff9088;--hit:#3b2325;--link:#8fbcff;--good:#7fd3a5}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--text);font:1rem/1.55 system-ui,sans-serif;-webkit-text-size-adjust:100%}
header,main,footer{max-width:58rem;margin:0 auto;padding:0 1.25rem}
header{padding-top:clamp(1.5rem,5vw,3.5rem)}
footer{padding-top:1.5rem;padding-bottom:2.5rem;color:var(--soft);font-size:.875rem}
pre,code,.mono{font:.8125rem/1.65 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
.eyebrow{margin:0 0 .75rem;color:var(--soft);overflow-wrap:anywhere}
.eyebrow b{color:var(--bad)}.eyebrow b.good{color:var(--good)}
h1{margin:0;font-size:clamp(1.3rem,1rem + 1.8vw,1.9rem);line-height:1.3;font-weight:600;letter-spacing:-.01em;overflow-wrap:anywhere;white-space:pre-wrap}
h1.long{font-size:1rem;font-weight:500}
h1 small{display:block;font-size:1rem;font-weight:600;letter-spacing:0;color:var(--bad)}
h2{margin:2.25rem 0 .6rem;font-size:1rem;font-weight:600}
p{margin:.75rem 0;max-width:44rem;overflow-wrap:anywhere}
a{color:var(--link);text-underline-offset:.2em}
ol,ul{padding:0;margin:0;list-style:none}
:focus-visible{outline:2px solid var(--link);outline-offset:2px;border-radius:.25rem}
.actions{display:flex;flex-wrap:wrap;gap:.6rem;margin:1.25rem 0 0}
.button{display:inline-flex;align-items:center;font:inherit;font-size:.9375rem;padding:.45rem .9rem;min-height:2.5rem;border:1px solid var(--line);border-radius:.5rem;background:var(--card);color:var(--text);text-decoration:none;cursor:pointer}
.button:hover{border-color:var(--soft)}
.card{position:relative;margin:0 0 .6rem;border:1px solid var(--line);border-radius:.6rem;background:var(--card)}
summary{cursor:pointer}
summary,.plain{padding:.65rem .9rem;min-height:2.75rem;overflow-wrap:anywhere}
summary .at,.plain .at{color:var(--soft)}
.fn{font-weight:600}
.edit{display:inline-block;padding:.1rem .9rem .6rem;font-size:.875rem}
.scroll{overflow-x:auto;border-top:1px solid var(--line);margin:0;padding:.5rem 0;border-radius:0 0 .6rem .6rem}
.scroll code{display:block;width:max-content;min-width:100%;tab-size:4}
.row{display:block;padding-right:1rem}
.row i{display:inline-block;width:4.2em;padding-right:.9em;text-align:right;font-style:normal;color:var(--soft);user-select:none}
.here{background:var(--hit)}.here i{color:var(--bad);font-weight:700}
.here u{text-decoration:underline wavy var(--bad);text-underline-offset:.25em;text-decoration-skip-ink:none}
.inner{padding:0 .6rem .3rem}
.inner .card{border-radius:.4rem}
.quote{border-left:3px solid var(--line);padding-left:1rem;margin:1rem 0}
.quote h3{margin:0 0 .5rem;font-size:1rem;overflow-wrap:anywhere;white-space:pre-wrap}
dl{margin:0;padding:.2rem .9rem .7rem}
dl div{padding:.35rem 0;border-top:1px solid var(--line)}
dl div:first-child{border:0}
dt{color:var(--soft);overflow-wrap:anywhere}
dd{margin:0;overflow-wrap:anywhere;white-space:pre-wrap}
@media (min-width:44rem){.card>.edit{position:absolute;top:0;right:0;padding:.7rem .9rem}summary:has(+.edit),.plain:has(+.edit){padding-right:9rem}dl div{display:grid;grid-template-columns:15rem 1fr;gap:1rem}}
.text{white-space:pre-wrap;overflow-wrap:anywhere;user-select:all;margin:0;padding:.7rem .9rem;border-top:1px solid var(--line)}
.routes li{padding:.45rem .9rem;border-top:1px solid var(--line);overflow-wrap:anywhere}
.routes li:first-child{border:0}
.routes span{color:var(--soft)}
.hat{display:block;width:4.5rem;height:auto;margin:0 0 1rem;fill:var(--good)}
.steps{counter-reset:s}.steps>li{counter-increment:s;position:relative;padding:0 0 1.1rem 2.6rem}
.steps>li::before{content:counter(s);position:absolute;left:0;top:.05rem;width:1.65rem;height:1.65rem;border:1px solid var(--line);border-radius:50%;text-align:center;font-size:.875rem;line-height:1.6rem;color:var(--soft);background:var(--card)}
.steps pre{margin:.5rem 0 0;overflow-x:auto;padding:.7rem .9rem;border:1px solid var(--line);border-radius:.5rem;background:var(--card)}
[hidden]{display:none}
`.trim();

/** Copies what the button's `data-copy` names, also where the page is not served from this machine. */
export const SCRIPT: string = `
for (const button of document.querySelectorAll("[data-copy]")) {
  const source = document.getElementById(button.dataset.copy), label = button.textContent;
  const byHand = () => {
    source.closest("details").open = true;
    getSelection().selectAllChildren(source);
    return document.execCommand("copy");
  };
  button.hidden = false;
  button.addEventListener("click", async () => {
    let done = false;
    try { await navigator.clipboard.writeText(source.textContent); done = true; } catch { done = byHand(); }
    button.textContent = done ? "Copied" : "Selected: copy it";
    setTimeout(() => { button.textContent = label; }, 2000);
  });
}
`.trim();
