"""`python -m server` is the command `footfall`."""

import sys

from server.cli import main

sys.exit(main())
