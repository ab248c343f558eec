"""Processes that Ctrl-C can stop, also where the tests run in the background."""

import signal
from functools import partial

CAN_BE_INTERRUPTED = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
"""For ``preexec_fn``: shells start background jobs, and so perhaps the tests, with SIGINT ignored."""
