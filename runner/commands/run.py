"""``run``: runs the cases. Its options are those of pytest and of the suite (``runner/plugin/run_options.py``)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from runner.plugin.pytest_arguments import pytest_arguments


def main(given: Sequence[str]) -> int:
    """Runs pytest in this process, and returns its exit code."""
    return int(pytest.main(pytest_arguments(given)))
