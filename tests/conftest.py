"""What holds for all tests."""

from __future__ import annotations

import contextlib
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

_LONG = {
    "hostile/test_at_any_moment.py",
    "hostile/test_runs.py",
    "plugin/test_plugin_inflight.py",
    "plugin/test_plugin_like_oceanbase.py",
    "plugin/test_plugin_proxy.py",
    "plugin/test_plugin_verdicts.py",
    "real/test_environments.py",
    "real/test_foreign_sessions.py",
}
"""Files with long tests, each of which has servers of its own: with xdist their tests are distributed one by one."""

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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of all other files share servers: with ``--dist loadgroup`` a file's tests run in one worker."""
    here = Path(__file__).parent
    for item in items:
        if (file := item.path.relative_to(here).as_posix()) not in _LONG:
            item.add_marker(pytest.mark.xdist_group(file))
