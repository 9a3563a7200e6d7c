"""Measuring: the parent plans, a fresh runner process per measurement does the work."""
