/** How the console looks: one column on a phone, cards beside each other where there is room; light and dark. */
export const CONSOLE_STYLE = `
:root { color-scheme: light dark; font: 15px/1.5 "Segoe UI", system-ui, sans-serif;
  --back: light-dark(#f3f5f8, #14171c); --card: light-dark(#fff, #1d2128); --ink: light-dark(#1b1f24, #e7eaee);
  --quiet: light-dark(#57606a, #9aa4b0); --line: light-dark(#d5dae1, #343b45); --accent: light-dark(#0b5cad, #6cb2ff);
  --on-accent: light-dark(#fff, #0b1a2b); --good: light-dark(#17693a, #6fd394); --bad: light-dark(#a31313, #ff9a92);
  --wash: light-dark(#e9f1fb, #1a2b40); color: var(--ink); background: var(--back); }
* { box-sizing: border-box; }
body { margin: 0; }
header { display: flex; flex-wrap: wrap; align-items: center; gap: .5rem 1.25rem; padding: .75rem max(1rem, calc(50vw - 35rem)); background: var(--card); border-bottom: 1px solid var(--line); }
header p { margin: 0; color: var(--quiet); font-size: .85rem; }
header nav { display: flex; gap: 1rem; }
header .tools { margin-left: auto; }
h1 { font-size: 1.15rem; margin: 0; }
h2 { font-size: 1.05rem; margin: 0 0 .75rem; display: flex; flex-wrap: wrap; gap: .25rem .75rem; align-items: baseline; }
h3 { font-size: .98rem; margin: 0; }
main { width: min(72rem, 100%); margin: 0 auto; padding: 1.25rem 1rem 3rem; display: grid; gap: 2rem; grid-template-columns: minmax(0, 1fr); }
main.small { max-width: 30rem; margin-top: 8vh; gap: .75rem; background: var(--card); border: 1px solid var(--line); border-radius: .75rem; padding: 2rem; }
main.small p { margin: 0; } main.small form { display: grid; gap: .6rem; }
a { color: var(--accent); }
code { font: .84em/1.4 ui-monospace, Consolas, monospace; overflow-wrap: anywhere; }
h2 code { color: var(--quiet); font-weight: 400; }
.quiet { color: var(--quiet); font-size: .87rem; margin: .15rem 0; }
ul { list-style: none; margin: 0; padding: 0; }
.cards { display: grid; gap: .75rem; grid-template-columns: repeat(auto-fill, minmax(min(20rem, 100%), 1fr)); }
.cards > li { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: .85rem 1rem; display: flex; flex-direction: column; gap: .2rem; }
.cards p { margin: 0; } .cards .tools { margin-top: auto; padding-top: .5rem; }
.tools { display: flex; flex-wrap: wrap; gap: .4rem; }
.uris { font-size: .9rem; border-top: 1px solid var(--line); margin-top: .4rem; padding-top: .4rem; }
.mark { font-size: .75rem; border: 1px solid var(--line); color: var(--quiet); border-radius: 1rem; padding: 0 .5rem; white-space: nowrap; }
.mark.off { border-color: var(--bad); color: var(--bad); }
button, input, select { font: inherit; color: var(--ink); background: var(--card); border: 1px solid light-dark(#868e99, #6d7783); border-radius: .4rem; padding: .35rem .75rem; min-height: 2.25rem; }
button { cursor: pointer; font-size: .87rem; }
button:hover { background: var(--wash); }
button.primary { background: var(--accent); border-color: var(--accent); color: var(--on-accent); font-weight: 600; }
button.danger { color: var(--bad); border-color: var(--bad); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.fields { display: grid; gap: .75rem; align-items: end; grid-template-columns: repeat(auto-fit, minmax(min(10rem, 100%), 1fr)); background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: 1rem; margin-top: .75rem; }
.fields label, main.small label { display: grid; gap: .2rem; font-size: .85rem; color: var(--quiet); }
.fields input, .fields select { width: 100%; min-width: 0; }
.planned { margin-bottom: .5rem; } .planned li { padding: .3rem 0; }
.done { margin: 0; padding: .6rem 1rem; border-radius: .5rem; background: var(--wash); border: 1px solid var(--accent); }
.problem { color: var(--bad); overflow-wrap: anywhere; }
.scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: .6rem; }
table { border-collapse: collapse; width: 100%; font-size: .88rem; }
th, td { text-align: left; padding: .45rem .8rem; border-bottom: 1px solid var(--line); vertical-align: top; }
tbody tr:last-child td { border-bottom: 0; } th { color: var(--quiet); font-weight: 600; }
td:first-child, td:nth-child(2) { white-space: nowrap; font-variant-numeric: tabular-nums; }
.good { color: var(--good); } .bad { color: var(--bad); font-weight: 600; }
summary { cursor: pointer; color: var(--accent); } details dl { margin: .4rem 0; display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .1rem .8rem; }
dt { color: var(--quiet); } dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 40rem) { header .tools { margin-left: 0; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  tr { display: grid; grid-template-columns: max-content 1fr; gap: 0 .75rem; padding: .5rem .8rem; border-bottom: 1px solid var(--line); }
  tbody tr:last-child { border-bottom: 0; } td { border: 0; padding: .1rem 0; } td:nth-child(n + 3) { grid-column: 1 / -1; } td:empty { display: none; }
  main.small { margin: 1rem; width: auto; padding: 1.25rem; } }
`;
