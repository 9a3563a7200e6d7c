"""Detectors: how raw outputs become boxes, which of them are kept, and how good they are."""
