"""Models that int8 hurts, and what `--max-drop` makes of them: `python -m benchmarks.hard_int8 WORK`."""
