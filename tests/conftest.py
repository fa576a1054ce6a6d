"""What holds for all tests."""

from __future__ import annotations

import contextlib
import signal

from hypothesis import HealthCheck, settings

# No test is a matter of time: a busy machine makes each of them slow.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

# A shell that starts the tests in the background makes them, and all that they start, deaf to Ctrl-C and hang-ups.
with contextlib.suppress(ValueError):  # a thread beside the main one has no say in this
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
