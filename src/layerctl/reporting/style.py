"""The page's look: one sheet for both themes; everything is in the file, nothing is fetched."""

STYLE = """
:root{color-scheme:light dark;--paper:#f6f7f9;--card:#ffffff;--ink:#1b2430;--dim:#5f6b7a;--rule:#e2e6ec;--accent:#0b6bcb;--good:#0b6bcb;--bad:#cf4a14;
--over:#ffffff;--c0:#0072b2;--c1:#d55e00;--c2:#008f68;--c3:#b4548a;--c4:#c98500;--c5:#56a4d9;--c6:#7f3c8d;--input:#e8f1fb;--layer:#eef7f0;--plain:#f4f5f7}
@media (prefers-color-scheme:dark){:root{--paper:#12161c;--card:#1a2029;--ink:#e4e9f0;--dim:#98a4b3;--rule:#2c3541;--accent:#6cb6ff;--good:#4d9fe8;
--bad:#f08a4b;--over:#0d1117;--c0:#56b4e9;--c1:#f0894a;--c2:#2fc79a;--c3:#e59ac6;--c4:#f0b93a;--c5:#3f7fb0;--c6:#b98ad0;--input:#1c3048;--layer:#1b3327;
--plain:#242b35}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
main{max-width:1160px;margin:0 auto;padding:28px 20px 60px}
h1{font-size:26px;margin:0;overflow-wrap:anywhere}h2{font-size:18px;margin:36px 0 12px}h3{font-size:15px;margin:18px 0 8px}
a{color:var(--accent);text-decoration:none}a:hover{text-decoration:underline}
p{margin:6px 0}.dim{color:var(--dim)}
nav{display:flex;flex-wrap:wrap;gap:4px 16px;margin:14px 0 0;font-size:14px}
.tiles{display:flex;flex-wrap:wrap;gap:12px;margin-top:18px}
.tile{background:var(--card);border:1px solid var(--rule);border-radius:10px;padding:10px 16px;min-width:112px}
.tile b{display:block;font-size:22px;font-weight:600;font-variant-numeric:tabular-nums}.tile span{color:var(--dim);font-size:13px}
.state{display:inline-block;border-radius:99px;padding:1px 10px;font-size:13px;background:var(--layer);border:1px solid var(--rule);margin-left:10px;
vertical-align:4px}.state.failed,.state.interrupted{background:transparent;color:var(--bad);border-color:var(--bad)}
.figures{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,340px),1fr));gap:14px;align-items:stretch}
figure.wide{grid-column:1/-1}@media(min-width:1120px){figure.pair{grid-column:span 2}}
figure .scroll{border:0;background:none}svg.fill{width:100%}figure.model svg{margin:0 auto}
figure,.card{background:var(--card);border:1px solid var(--rule);border-radius:10px;padding:14px;margin:0;max-width:100%}
figcaption{font-weight:600;margin-bottom:8px}figure p{font-size:13px;margin:6px 0 0}
svg{display:block;max-width:100%;height:auto;font:12px system-ui,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
svg text{fill:var(--ink)}svg .dim{fill:var(--dim)}svg .end{text-anchor:end}svg .mid{text-anchor:middle}svg .strong{font-weight:600}
svg .over{fill:var(--over)}
.grid{stroke:var(--rule);fill:none}.axis{stroke:var(--dim);fill:none}.guide{stroke:var(--dim);stroke-dasharray:4 4;fill:none}
.line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}.dash{stroke-dasharray:5 4}
.dots{fill:none;stroke-linecap:round;stroke-opacity:.7}
.s0{stroke:var(--c0)}.s1{stroke:var(--c1)}.s2{stroke:var(--c2)}.s3{stroke:var(--c3)}.s4{stroke:var(--c4)}.s5{stroke:var(--c5)}.s6{stroke:var(--c6)}
.f0{fill:var(--c0)}.f1{fill:var(--c1)}.f2{fill:var(--c2)}.f3{fill:var(--c3)}.f4{fill:var(--c4)}.f5{fill:var(--c5);fill-opacity:.45}.f6{fill:var(--c6)}
.cell.right{fill:var(--good)}.cell.wrong{fill:var(--bad)}
.legend{display:flex;flex-wrap:wrap;gap:2px 14px;font-size:13px;margin-top:6px;}.key i{display:inline-block;width:16px;height:3px;border-radius:2px;
margin-right:6px;vertical-align:4px}
.k0{background:var(--c0)}.k1{background:var(--c1)}.k2{background:var(--c2)}.k3{background:var(--c3)}.k4{background:var(--c4)}.k5{background:var(--c5)}
.k6{background:var(--c6)}
.wire{fill:none;stroke:var(--dim);stroke-width:1.4;stroke-opacity:.75}.box rect{stroke:var(--rule)}
.box.input rect{fill:var(--input)}.box.layer rect{fill:var(--layer)}.box.plain rect{fill:var(--plain)}
.scroll{overflow-x:auto;background:var(--card);border:1px solid var(--rule);border-radius:10px}
table{border-collapse:collapse;width:100%;font-size:14px}th,td{text-align:left;padding:6px 12px;border-bottom:1px solid var(--rule);vertical-align:middle}
tr:last-child td{border-bottom:0}th{font-weight:600;color:var(--dim);white-space:nowrap}.n{text-align:right;font-variant-numeric:tabular-nums}
td.best,.best{font-weight:700}.words td{max-width:640px;overflow-wrap:break-word}
pre{background:var(--card);border:1px solid var(--rule);border-radius:10px;padding:14px;overflow-x:auto;font:13px/1.45 ui-monospace,"DejaVu Sans Mono",
Menlo,monospace;margin:0;white-space:pre}
.pixels{image-rendering:pixelated;width:72px;height:72px;object-fit:contain;border-radius:4px;background:#000}
.shots{display:flex;flex-wrap:wrap;gap:12px}.shot{background:var(--card);
border:1px solid var(--rule);border-radius:10px;padding:10px;font-size:13px;width:150px}
.shot .pixels{display:block;width:128px;height:128px;margin-bottom:6px}.said{color:var(--bad);font-weight:600}
.two{display:grid;grid-template-columns:repeat(auto-fit,minmax(340px,1fr));gap:14px;align-items:start}
footer{margin-top:40px;color:var(--dim);font-size:13px}
@media print{body{background:#fff}figure,.card,.scroll{break-inside:avoid}}
"""
