import { ownMarkup } from './html.ts';

/**
 * Colours hold WCAG AA contrast (4.5:1 for text, 3:1 for the edges of controls) in both schemes; a test computes it.
 * The custom properties on `:root` are the whole palette.
 */
export const stylesheet = ownMarkup`
:root{color-scheme:light dark;--ground:#f3f4f6;--card:#fff;--text:#1b1f24;--soft:#57606a;--line:#d8dee4;--edge:#818b96;--accent:#0b57b0;--on-accent:#fff;--calm:#eef4fc;--good:#116329;--caution:#7a4b00;--caution-ground:#fff6e0;--caution-line:#e5c56b}
@media (prefers-color-scheme:dark){:root{--ground:#0e1116;--card:#171b22;--text:#e8ebef;--soft:#a3adb8;--line:#2e353f;--edge:#77818d;--accent:#8ab9ff;--on-accent:#08213f;--calm:#1c2633;--good:#6fd68b;--caution:#f3cd76;--caution-ground:#2b2413;--caution-line:#5f4c1c}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;min-height:100dvh;display:flex;align-items:flex-start;justify-content:center;padding:max(16px,6vh) 16px 32px;background:var(--ground);color:var(--text);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
main{width:100%;max-width:520px;background:var(--card);border:1px solid var(--line);border-radius:14px;padding:28px;box-shadow:0 1px 2px rgb(0 0 0/.04),0 8px 24px rgb(0 0 0/.06);overflow-wrap:anywhere}
.brand{display:flex;align-items:center;gap:9px;margin-bottom:20px;color:var(--soft);font-size:14px;font-weight:600}
.brand rect{fill:var(--accent)}
.brand path{stroke:var(--on-accent)}
h1{margin:0 0 8px;font-size:23px;line-height:1.3;font-weight:650;text-wrap:balance}
h2{margin:24px 0 8px;font-size:15px;font-weight:650}
p{margin:0 0 12px}
.lead{color:var(--soft);margin-bottom:0}
.lead b{color:var(--text);font-weight:600}
a{color:var(--accent);text-underline-offset:2px}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px;border-radius:6px}
code{font:13px/1.5 ui-monospace,SFMono-Regular,Consolas,"DejaVu Sans Mono",monospace}
ul{margin:0;padding:0;list-style:none}
.scopes li{display:flex;gap:10px;padding:9px 0}
.scopes li+li{border-top:1px solid var(--line)}
.scopes svg{flex:none;margin-top:3px;color:var(--good)}
.scopes code{display:block;color:var(--soft)}
dl{margin:0}
dl>div{padding:8px 0}
dl>div+div{border-top:1px solid var(--line)}
dt{color:var(--soft);font-size:13px}
dd{margin:0}
dd code{display:block;margin-top:1px}
@media (min-width:500px){dl>div{display:grid;grid-template-columns:116px 1fr;gap:0 12px}dt{grid-row:1/3;line-height:24px}dd{grid-column:2}}
.tag{display:inline-block;margin-left:6px;padding:0 8px;border:1px solid currentColor;border-radius:11px;font-size:12px;font-weight:600;line-height:20px}
.tag.good{color:var(--good)}
.tag.caution{color:var(--caution)}
.note{margin:20px 0 0;padding:12px 14px;border:1px solid var(--caution-line);border-radius:10px;background:var(--caution-ground);font-size:14.5px}
.note b{color:var(--caution)}
.note p:last-child{margin-bottom:0}
.note.calm{background:var(--calm);border-color:transparent}
.note.calm b{color:inherit}
details{margin-top:20px;border:1px solid var(--line);border-radius:10px}
summary{padding:10px 14px;cursor:pointer;font-size:14.5px;font-weight:600;border-radius:10px}
details>div,details>dl{padding:0 14px 8px}
.facts{margin-top:20px;padding-top:12px;border-top:1px solid var(--line);color:var(--soft);font-size:13px}
.facts p{margin:0 0 2px}
form{margin:20px 0 0}
.remember{display:flex;align-items:flex-start;gap:10px;margin-bottom:16px;font-size:14.5px}
.remember input{flex:none;width:20px;height:20px;margin:1px 0 0;accent-color:var(--accent)}
.remember small{display:block;color:var(--soft);font-size:13px}
.buttons{display:flex;gap:12px;margin:0}
p.buttons{margin-top:24px}
button,.button{flex:1;text-align:center;text-decoration:none;min-height:46px;padding:10px 16px;border:1px solid var(--edge);border-radius:10px;background:transparent;color:var(--text);font:inherit;font-weight:600;cursor:pointer}
button.main{border-color:var(--accent);background:var(--accent);color:var(--on-accent)}
button:hover,.button:hover{filter:brightness(1.08)}
@media (max-width:499px){body{padding:0;background:var(--card)}main{border:0;border-radius:0;box-shadow:none;padding:22px 20px 32px}}
@media (forced-colors:active){.tag,.note,button,.button{border:1px solid}}
@media print{body{background:none}.buttons{display:none}}
`;
