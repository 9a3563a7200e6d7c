"""The command line of the study."""

from __future__ import annotations

import sys

from .cli import main

sys.exit(main())
