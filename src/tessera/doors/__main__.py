"""`python -m tessera.doors`: the command line."""

import sys

from tessera.doors.cli import main

sys.exit(main())
