"""How all tests are run: the order and workers of the files, the settings of Hypothesis, the signals."""

from __future__ import annotations

import contextlib
import signal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]  # pytest-xdist has no types

_LONG = {
    "hostile/test_at_any_moment.py",
    "hostile/test_runs.py",
    "plugin/test_attribution.py",
    "plugin/test_inflight.py",
    "plugin/test_like_oceanbase.py",
    "plugin/test_proxy.py",
    "plugin/test_output_and_exit_code.py",
    "real/test_environments.py",
    "real/test_foreign_sessions.py",
}
"""Files with long tests, each of which has servers of its own: with xdist their tests are distributed one by one."""
_LONG_AS_A_WHOLE = {
    "doctor/test_doctor.py",
    "execution/perform/test_endings.py",
    "execution/perform/test_verdicts.py",
    "execution/test_guard_wire.py",
    "execution/test_judgement_table.py",
    "format/test_format.py",
    "gating/test_diff.py",
    "packaging/test_installed.py",
    "plugin/test_accounts.py",
    "plugin/test_confirmations.py",
    "plugin/test_disturbed_runs.py",
    "plugin/test_registers.py",
    "plugin/test_running.py",
    "plugin/test_secrets.py",
    "plugin/test_statement_count.py",
    "proof/test_witnesses.py",
    "publishing/test_report_command.py",
    "publishing/test_report_pages.py",
    "real/test_leftovers.py",
    "real/test_mariadb.py",
    "real/test_seekdb.py",
    "real/test_server_start_and_stop.py",
    "simulator/test_variants.py",
}
"""Files that take long, mostly because their tests share runs or an installation."""

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


class _FileByFile(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist has no types
    """Gives a worker whole files, whose tests share servers; long tests one by one."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", 1)[0]
        return nodeid if file.removeprefix("tests/") in _LONG else file


# pytest-xdist 3.8's own loadgroup has no effect with pytest 9.2: it writes an attribute that isn't read any more.
@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Distributes the tests in the order in which they were collected."""
    config.option.loadscopereorder = False
    return _FileByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the long tests and files first, so that no worker begins one when the others are ready."""
    here = Path(__file__).parent

    def rank(item: pytest.Item) -> int:
        file = item.path.relative_to(here).as_posix()
        return 0 if file in _LONG else 1 if file in _LONG_AS_A_WHOLE else 2

    items.sort(key=rank)
