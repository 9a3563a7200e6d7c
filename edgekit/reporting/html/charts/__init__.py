"""A module a kind of chart: a function from numbers to a Vega-Lite specification, which is plain JSON."""
