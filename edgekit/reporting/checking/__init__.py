"""Gates: files of records and bundles held to bounds, and what came of it in the forms that pipelines read.

files      what is checked, and what it is compared with
readings   a number of a file with its interval, or why there is none: one function a bound
bounds     the register of bounds
checks     a file and a bound: pass, fail, or cannot tell
table, values, markdown, junit, sarif, annotations      the same as a terminal, a program or a pipeline reads it
"""
