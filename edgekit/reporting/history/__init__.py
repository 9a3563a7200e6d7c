"""A metric of every file over the dates of records, with the points at which its level changed.

metrics    the register of what has a history
series     records ordered, split by their conditions, and searched for changes
drawing, texts      the same as a terminal, a program or Markdown shows it
"""
