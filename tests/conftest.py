"""What holds for all tests."""

from __future__ import annotations

import contextlib
import signal

from hypothesis import HealthCheck, settings

# No test is a matter of time: a busy machine makes each of them slow.
untimed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
# The same examples each time, so that a change that is not at fault doesn't fail; ./toxw -e search takes others.
settings.register_profile("fixed", untimed, derandomize=True, database=None)
settings.register_profile("random", untimed, print_blob=True)
settings.load_profile("fixed")

# A shell that starts the tests in the background makes them, and all that they start, deaf to Ctrl-C and hang-ups.
with contextlib.suppress(ValueError):  # a thread beside the main one has no say in this
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
