"""`--max-drop`: the int8 file made in dearer and dearer ways, until it loses no more than is allowed.

escalate.py   the way in: from what the stages made to the file that ships
steps.py      the ways, the cheapest first; stops at the first file that passes
trial.py      one file judged: run on validation samples, and what it lost
"""
