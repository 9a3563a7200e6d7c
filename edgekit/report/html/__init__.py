"""The report as one HTML file: tables and charts of a collection, readable offline, by anybody, on any screen.

    page.py        the whole: sections between a head and the scripts
    sections/      a module a part of the page: what it says, its tables, its charts
    charts/        a module a kind of chart: a Vega-Lite specification made of numbers, nothing else
    points.py      what is drawn as a point: a file, its size, its score, its latency, wherever these stand
    thinning.py    from all samples to those that are drawn
    markup.py      elements, with every text made safe
    embedding.py   JSON and scripts inside of HTML, and the policy that allows these scripts and no others
    vendored.py    the charting library, pinned by its digests
    assets/        the page's own style and script
"""
