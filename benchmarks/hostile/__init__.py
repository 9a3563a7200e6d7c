"""Hostile and broken files by the thousand, each given to edgekit as a user would, each with a verdict.

    python -m benchmarks.hostile [PART...] [--count N] [--seed S] [-o results.json]

A part is a module here with `PRELOAD`, the modules of edgekit that its commands import, and `cases(seed, count)`. Every
case runs in a process of its own, forked from one that has imported TensorFlow already, in a folder of its own, with
files outside of it that show by inotify whether they were opened, written or deleted.
"""
