"""The page's style: light, dark and print, from a phone's width on, with the fonts that the reader has."""

STYLE = """
:root { color-scheme: light dark; --page: #fff; --ink: #1b1f24; --soft: #57606a; --edge: #d0d7de; --card: #f6f8fa;
  --shade: #4a90d9; --warn: #9a3412; --warn-page: #fff4ec; --accent: #0a58b8;
  --line0: #0a58b8; --line1: #b83a00; --line2: #00724f; --line3: #96328c; --line4: #7a5b00; --line5: #0b7285;
  --line6: #c2185b; --line7: #444; }
@media screen and (prefers-color-scheme: dark) { :root { --page: #14181d; --ink: #e6edf3; --soft: #a3adb8;
  --edge: #3a424c; --card: #1c2229; --shade: #2f74b5; --warn: #ffb27d; --warn-page: #2c2019; --accent: #79b8ff;
  --line0: #79b8ff; --line1: #ff9d6c; --line2: #4fd1a1; --line3: #e39bdc; --line4: #e3c24f; --line5: #63d3e6;
  --line6: #ff8fb5; --line7: #c4ccd4; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 72rem; background: var(--page); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: break-word; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: .5rem 0; }
h2 { font-size: 1.3rem; margin: 2.5rem 0 .5rem; border-bottom: 1px solid var(--edge); padding-bottom: .25rem; }
h3 { font-size: 1rem; margin: 0 0 .5rem; }
p, figcaption, li { max-width: 46rem; }
a { color: var(--accent); }
code { font-size: .9em; background: var(--card); padding: .1em .3em; border-radius: 3px; }
nav ul { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .25rem 1rem; }
figure { margin: 1.5rem 0; min-width: 0; }
figcaption { color: var(--soft); font-size: .9rem; margin-top: .5rem; }
figcaption strong { color: var(--ink); font-weight: 600; }
.soft { color: var(--soft); font-size: .9rem; }
.notice { border: 1px solid var(--warn); background: var(--warn-page); color: var(--warn); padding: .5rem .75rem;
  border-radius: 4px; max-width: none; }
.missing { border: 1px dashed var(--edge); padding: .5rem .75rem; border-radius: 4px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(10rem, 45%), 1fr)); gap: .75rem;
  margin: 1rem 0; }
.tiles + h3, .tiles + p { margin-top: 1rem; }
.tile { background: var(--card); border: 1px solid var(--edge); border-radius: 6px; padding: .6rem .75rem; }
.tile b { display: block; font-size: 1.5rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
.tile span { display: block; font-size: .85rem; color: var(--soft); }
.scroll { overflow-x: auto; max-width: 100%; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .6rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--edge); vertical-align: top; }
th { font-weight: 600; }
thead th { color: var(--soft); vertical-align: bottom; }
tr > :first-child { text-align: left; position: sticky; left: 0; background: var(--page); }
table.text th { text-align: left; }
table.text td { text-align: left; min-width: 8rem; white-space: normal; }
td.shade { background: color-mix(in srgb, var(--shade) calc(var(--s) * 0.8%), transparent); }
table.map { border-spacing: 0; table-layout: fixed; width: 100%; max-width: 30rem; font-size: .8rem; }
table.map td, table.map th { padding: .4rem .1rem; text-align: center; white-space: nowrap; }
table.map tr > :first-child { width: 3.2rem; text-align: left; }
.swatch { display: inline-block; width: .8em; height: .8em; margin-right: .4em; border: 1px solid var(--soft);
  vertical-align: -.05em; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
.side { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 27rem), 1fr)); gap: 0 2rem; }
.side > * { min-width: 0; }
.chart { max-width: 34rem; }
.chart > svg { width: 100%; height: auto; display: block; }
svg text { fill: var(--soft); font: 12px system-ui, sans-serif; }
svg .middle { text-anchor: middle; } svg .end { text-anchor: end; }
svg .grid { stroke: var(--edge); stroke-width: .7; } svg .axis { stroke: var(--soft); fill: none; }
svg .diagonal { stroke: var(--soft); stroke-dasharray: 3 4; }
.line { fill: var(--line); stroke: var(--line); stroke-width: 0; }
.line polyline { fill: none; stroke-width: 1.8; }
.legend { display: flex; flex-wrap: wrap; gap: .1rem .9rem; font-size: .85rem; }
.legend svg { width: 34px; height: 12px; margin-right: .3rem; vertical-align: middle; }
.frame { margin: 1rem 0; break-inside: avoid; }
.frame h3 { font-weight: 400; font-size: .9rem; } .frame h3 b { font-weight: 600; }
.views { display: grid; grid-template-columns: repeat(4, 1fr); gap: .35rem; }
.views img { width: 100%; height: auto; display: block; }
@media (max-width: 40rem) { .views { grid-template-columns: repeat(2, 1fr); } table { font-size: .8rem; }
  th, td { padding: .25rem .35rem; }
  body { padding: .75rem; } }
@media print { :root { color-scheme: light; }
  html { font-size: 10pt; }
  body { max-width: none; padding: 0; } nav { display: none; }
  figure, .tile, tr { break-inside: avoid; } h2, h3 { break-after: avoid; } .scroll { overflow: visible; }
  td.shade { print-color-adjust: exact; -webkit-print-color-adjust: exact; } table { font-size: 8.5pt; }
  .views { grid-template-columns: repeat(4, 1fr); } }
"""
