// The one style sheet, inlined: pages load nothing else, so their policy can forbid everything else.

export const STYLE = `
:root{color-scheme:light dark;--bg:#f4f5f7;--card:#fff;--text:#1b1f24;--soft:#59636e;--line:#d5dae0;--accent:#1f5fd0;--on-accent:#fff;--warn-bg:#fff6dd;--warn:#6b4a00;--bad-bg:#ffebe9;--bad:#a3161c}
@media (prefers-color-scheme:dark){:root{--bg:#0f1216;--card:#191e24;--text:#e8ebef;--soft:#9aa5b1;--line:#353d47;--accent:#7fb0ff;--on-accent:#0b1526;--warn-bg:#352b10;--warn:#ffd77a;--bad-bg:#3a1517;--bad:#ffb3ae}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1rem;background:var(--bg);color:var(--text);font:1rem/1.5 system-ui,sans-serif}
main{width:100%;max-width:29rem;background:var(--card);border:1px solid var(--line);border-radius:.75rem;padding:1.75rem}
.brand{margin:0 0 1rem;color:var(--soft);font-size:.875rem}
h1{margin:0 0 .75rem;font-size:1.35rem;line-height:1.3;overflow-wrap:anywhere}
p{margin:0 0 1rem}
a{color:var(--accent)}
dl{margin:0 0 1rem;border-top:1px solid var(--line)}
dl div{display:grid;grid-template-columns:8.5rem 1fr;gap:.75rem;padding:.5rem 0;border-bottom:1px solid var(--line)}
@media (max-width:30rem){dl div{grid-template-columns:1fr;gap:0}}
dt{color:var(--soft)}
dd{margin:0;overflow-wrap:anywhere}
dd ul{margin:0;padding-left:1.1rem}
.tag{display:inline-block;white-space:nowrap;margin-left:.35rem;padding:0 .45rem;border:1px solid var(--line);border-radius:1rem;color:var(--soft);font-size:.75rem}
.note{padding:.6rem .75rem;border-radius:.5rem;background:var(--warn-bg);color:var(--warn);font-size:.9rem}
.error{padding:.6rem .75rem;border-radius:.5rem;background:var(--bad-bg);color:var(--bad)}
label{display:block;margin:0 0 .25rem;font-weight:600}
input[type=text],input[type=password]{width:100%;margin:0 0 1rem;padding:.6rem .7rem;border:1px solid var(--soft);border-radius:.5rem;background:var(--card);color:var(--text);font:inherit}
.actions{display:flex;gap:.75rem;flex-wrap:wrap;margin-top:.5rem}
button,.button{flex:1 1 8rem;padding:.65rem 1rem;border:1px solid var(--soft);border-radius:.5rem;background:transparent;color:var(--text);font:inherit;font-weight:600;text-align:center;text-decoration:none;cursor:pointer}
button.primary{background:var(--accent);border-color:var(--accent);color:var(--on-accent)}
button.wide{flex-basis:100%}
button.link{flex:none;padding:0;border:0;color:var(--accent);font-weight:400;text-decoration:underline}
a:focus-visible,button:focus-visible,input:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
code{font-family:ui-monospace,monospace;font-size:.9em;overflow-wrap:anywhere}
.choices{display:grid;gap:.75rem}
`.trim()
