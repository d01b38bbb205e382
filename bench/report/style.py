# SPDX-License-Identifier: MIT OR Apache-2.0
"""The style sheet of the pages; colours follow the reader's light or dark mode."""

STYLE = """
:root{color-scheme:light dark;--paper:#fcfcfb;--ink:#1b1b1a;--soft:#6b6a66;--line:#dddcd7;--ours:#1f6fb2;--rival:#b9b7b0;
--good:#1a7f37;--bad:#b3261e}
@media(prefers-color-scheme:dark){:root{--paper:#161615;--ink:#ecebe7;--soft:#a3a19a;--line:#383733;--ours:#6cb4ee;
--rival:#5f5d57;--good:#57c271;--bad:#ff8a80}}
body{background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:96rem;padding:0 1rem}
h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:2.2rem 0 .6rem}
section{border-top:2px solid var(--line);margin-top:3rem}section h2{font-size:1.3rem;margin:1rem 0 .3rem}a{color:var(--ours)}
.stamp,.note,.empty{color:var(--soft)}.stamp{margin:.2rem 0 .8rem}.note{max-width:56rem;margin:.4rem 0}
.scroll{overflow-x:auto;margin-top:.8rem}table{border-collapse:collapse;font-variant-numeric:tabular-nums}
td,th{padding:.2rem .5rem;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}
td:first-child,th:first-child,.text{text-align:left}.goal{white-space:normal}th{font-weight:600;color:var(--soft)}
.group th{color:var(--ink);padding-top:1rem}
.ours{color:var(--ours);font-weight:600}.met{color:var(--good)}.missed{color:var(--bad);font-weight:600}
.plots{display:grid;grid-template-columns:repeat(auto-fill,minmax(22rem,1fr));gap:1.2rem 2rem}
details{margin-top:1.2rem}summary{cursor:pointer;font-weight:600;margin-bottom:.8rem}
figure{margin:0}figcaption{font-weight:600;margin-bottom:.2rem}svg{width:100%;height:auto;display:block}
figure.margins{max-width:30rem;margin:1rem 0}svg.margin{width:90px;height:12px}
svg text{font:12px system-ui,sans-serif;fill:var(--ink)}svg .soft{fill:var(--soft)}
svg .bar{fill:var(--rival)}svg .bar.own{fill:var(--ours)}svg .good{fill:var(--good)}svg .bad{fill:var(--bad)}
svg line{stroke:var(--soft)}
"""
