"""Parallel workers (pytest-xdist) and what they may not share."""

from __future__ import annotations

from typing import Any

import pytest

from runner.database.accountsfile import PreparedAccounts


def planned_workers(config: pytest.Config) -> int:
    """How many processes will run cases: ``-n 2`` and ``--tx 2*popen`` are two, none is this one alone."""
    specs: list[str] = getattr(config.option, "tx", None) or []
    return max(1, sum(int(head) if times else 1 for head, times, _ in (spec.partition("*") for spec in specs)))


class Shares:
    """The prepared accounts in equal shares, one a worker, by the workers' numbers."""

    def __init__(self, prepared: PreparedAccounts, workers: int) -> None:
        self._shares = [prepared.share(number, workers).as_plain() for number in range(workers)]
        self._holders: list[str | None] = [None] * workers

    def give(self, worker: str) -> dict[str, Any]:
        """The first share that nobody holds: workers ask in the order of their numbers."""
        number = self._holders.index(None)
        self._holders[number] = worker
        return self._shares[number]

    def take_back(self, worker: str) -> None:
        """A worker is gone."""
        self._holders = [None if holder == worker else holder for holder in self._holders]
