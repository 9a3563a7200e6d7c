"""The report as one HTML file: tables and charts of a collection, readable offline, by anybody, on any screen.

`page` puts `sections/` between a head and the scripts: a module a part of the page, with what it says, its tables and
its charts. `charts/` has a module a kind of chart: a Vega-Lite specification made of numbers, nothing else. `points`
is what is drawn as a point, `thinning` goes from all samples to those that are drawn. `markup` makes elements in which
every text is safe, `embedding` puts JSON and scripts into HTML, with the policy that allows these scripts and no
others; `vendored` is the charting library, pinned by its digests, and `assets/` the page's own style and script.
"""
