"""Counts how often the same failure was confirmed by a run of the case alone, or refuted.

After the same failure was confirmed three times, it is not confirmed again: a server without a statement gives the same
reply in a hundred cases. Each time that it was refuted, five more confirmations are needed.
"""

from __future__ import annotations

import re
from collections import Counter

from runner.database.outcome import VARIABLE_PARTS
from runner.execution.case_result import Verdict
from runner.execution.case_runner import ResultAmongOthers

_ENOUGH = 3  # confirmations of the same failure
_PER_REFUTATION = 5  # more of them for each time that it was refuted
_ID_OF = "id of "


class ConfirmedFailures:
    """The failures that were confirmed and refuted so far."""

    def __init__(self) -> None:
        self._confirmed: Counter[tuple[Verdict, str]] = Counter()
        self._refuted: Counter[tuple[Verdict, str]] = Counter()

    def note(self, attempt: ResultAmongOthers, *, confirmed: bool) -> None:
        """Notes whether the failure of a case beside others was confirmed."""
        (self._confirmed if confirmed else self._refuted)[_failure(attempt)] += 1

    def include(self, attempt: ResultAmongOthers) -> bool:
        """Whether the failure of a case was confirmed so often, in other cases, that it need not be again."""
        failure = _failure(attempt)
        return self._confirmed[failure] >= _ENOUGH + _PER_REFUTATION * self._refuted[failure]


def _failure(attempt: ResultAmongOthers) -> tuple[Verdict, str]:
    """A verdict and what failed: what the case presumes, or else its reason without ids and names.

    Cases that presume that sessions are killed differ in what a session that is not killed goes on to do.
    """
    result, presumed = attempt.result, attempt.last.kill_failure if attempt.last is not None else None
    if attempt.presumption_failed and presumed is not None:
        return result.verdict, f"{presumed.aspect}: {presumed.error}"
    text = VARIABLE_PARTS.sub("…", result.actual or result.reason)
    names = [re.escape(key.removeprefix(_ID_OF)) for key in result.identifiers if key.startswith(_ID_OF)]
    return result.verdict, re.sub(rf"\b({'|'.join(names)})\b", "…", text) if names else text
