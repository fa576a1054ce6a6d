"""Decides whether a case fails only because the statement under test does not kill, which most cases presume.

The register names cases that show whether it does, in plain situations, and the requirements that judge it. If a case
of another requirement fails because a session is not gone, because the statement is refused, as one with an unknown id
or otherwise, or because it has no reply, and one of those cases fails in the same way, the failure says nothing about
the requirement of the case.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from runner.execution.case_result import CaseResult, Verdict
from runner.language.model import Case
from runner.language.suite import cases_beside

_RUNS = 2  # of a case that shows whether sessions are killed: each has to fail


@dataclass(frozen=True)
class KillFailure:
    """A statement under test that did not do what the cases of most requirements presume.

    Attributes:
        aspect: what is missing: a constant of the language's model.
        error: the error in place of a success, without its variable parts; empty if there is none.
        plain: whether the statement has the form of the register's example.
    """

    aspect: str
    error: str = ""
    plain: bool = False

    def is_like(self, other: KillFailure | None) -> bool:
        """Whether another statement failed in the same way, whatever its form."""
        return other is not None and (self.aspect, self.error) == (other.aspect, other.error)


@dataclass
class Presumptions:
    """The results of the cases that show whether sessions are killed, for all threads of a process.

    Attributes:
        failures: the failures of such a case in its runs, by its name; None for a run without one.
    """

    failures: dict[str, tuple[KillFailure | None, ...]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def inconclusive_result(
        self,
        case: Case,
        result: CaseResult,
        failure: KillFailure | None,
        run: Callable[[Case], KillFailure | None] | None,
    ) -> CaseResult | None:
        """The inconclusive result of a case that deviates because of something that it presumes; None if it does not.

        Args:
            case: the case.
            result: its result, which deviates.
            failure: the failure of its statement, if that is the reason.
            run: runs a case, and returns the failure of its statement, if there is one; None: no case is run, and
                only the results so far are used.
        """
        presumed = case.requirement.presumed
        if presumed is None or failure is None or case.requirement.judges(failure.aspect):
            return None
        if presumed.compares and failure.plain:
            return None  # another form of the statement did work
        with self._lock:
            shown = self._case_like(case, failure, run)
        if shown is None or shown.requirement == case.requirement:
            return None
        presumes = f"{shown.requirement.id}, which this case presumes, is tested by the case {shown.name}"
        reason = f"{result.actual}, but {presumes}, and that case fails in the same way"
        # A session that stays usable although the reply was a success fails the run at every level.
        return replace(result, verdict=Verdict.INCONCLUSIVE, reason=reason, expected="", actual="")

    def _case_like(
        self, case: Case, failure: KillFailure, run: Callable[[Case], KillFailure | None] | None
    ) -> Case | None:
        """The first of the cases that show whether sessions are killed that fails like this in each run."""
        assert case.requirement.presumed is not None  # noqa: S101 - checked by the caller
        names = case.requirement.presumed.cases
        known = {each.name: each for each in cases_beside(case) if each.name in names}
        for name in names:
            if name not in known or not known[name].requirement.judges(failure.aspect):
                continue  # in a part of the cases, or about something else
            if name not in self.failures:
                if run is None:
                    return None
                first = run(known[name])
                self.failures[name] = (first, *(run(known[name]) for _ in range(_RUNS - 1) if first is not None))
            if all(failure.is_like(each) for each in self.failures[name]):
                return known[name]
        return None
