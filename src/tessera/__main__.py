"""`python -m tessera`: the command line."""

from __future__ import annotations

import sys

from tessera.doors.cli import main

if __name__ == "__main__":
    sys.exit(main())
