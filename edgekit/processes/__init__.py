"""Work on files of strangers in a process of its own, within limits of time and memory.

Native code may crash, abort, loop for ever or take all memory over a damaged or hostile file. `Child` runs a function
of edgekit in another Python, and its end, whatever it is, becomes an answer or an `EdgekitError`.
"""
