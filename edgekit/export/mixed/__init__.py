"""int8 files in which a few operators compute in float: which ones, and what each costs.

quantized.py    what is asked of a pair of files, float and int8, whatever their format
"""
