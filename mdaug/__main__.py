"""``python -m mdaug``: the command from a checkout that is not installed."""

import sys

from mdaug.cli.app import main

sys.exit(main())
