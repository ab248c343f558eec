"""``python -m mdaug``: the command `mdaug`."""

import sys

from mdaug.cli.app import main

sys.exit(main())
