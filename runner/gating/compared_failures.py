"""The failure of a case in a form that can be compared between two runs: without durations and generated names."""

from __future__ import annotations

import re

from runner.execution.case_result import CaseResult, Verdict

_NAME = re.compile(r"\bKSC_\w+")
_DURATION = re.compile(r"(?<![\w.])[0-9]+(?:\.[0-9]+)? ?(?:ms|s|seconds?|milliseconds?)\b")


def without_times(text: str) -> str:
    """The text with ``<time>`` for each duration and ``<name>`` for each generated name: these differ in each run."""
    return _DURATION.sub("<time>", _NAME.sub("<name>", text))


def failure_of(result: CaseResult) -> tuple[object, ...] | None:
    """The parts of a failure that are compared; None if the case didn't fail.

    The claim is one of them: the same reply in another phase of the case is another failure.
    """
    if result.verdict is Verdict.DEVIATES:
        return (result.verdict, result.safety, without_times(result.expected), without_times(result.actual))
    if result.verdict is Verdict.INCONCLUSIVE:
        return (result.verdict, without_times(result.reason))
    return None


def outcome_of(result: CaseResult) -> str:
    """The outcome in one line: the actual result, the observation, or the reason of an inconclusive case."""
    if result.verdict is Verdict.DEVIATES:
        return result.actual
    if result.verdict is Verdict.OBSERVED:
        return ", ".join(sorted(result.observed))
    return result.reason
