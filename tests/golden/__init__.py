"""Files of every kind and every schema that edgekit ever wrote, named KIND.SCHEMA.SUFFIX; they are read for ever.

All files of a kind hold the same, so they read to equal objects. A file here is never changed: a new schema adds one.
"""
