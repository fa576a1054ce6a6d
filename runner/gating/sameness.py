"""What of two results is compared: what came, never how long it took or what names were made up for it."""

from __future__ import annotations

import re

from runner.execution.verdict import CaseResult, Verdict

_NAME = re.compile(r"\bKSC_\w+")
_DURATION = re.compile(r"(?<![\w.])[0-9]+(?:\.[0-9]+)? ?(?:ms|s|seconds?|milliseconds?)\b")


def without_times(text: str) -> str:
    """The text with every duration as ``<time>`` and made-up names as ``<name>``: two like runs differ in those."""
    return _DURATION.sub("<time>", _NAME.sub("<name>", text))


def failure_of(result: CaseResult) -> tuple[object, ...] | None:
    """What has to be the same for a failure to be the same one; None if the case didn't fail.

    The claim belongs to it: the same answer in another phase of the case is another failure.
    """
    if result.verdict is Verdict.DEVIATES:
        return (result.verdict, result.safety, without_times(result.expected), without_times(result.actual))
    if result.verdict is Verdict.INCONCLUSIVE:
        return (result.verdict, without_times(result.reason))
    return None


def outcome_of(result: CaseResult) -> str:
    """What came, in a line: what was observed, what came instead, or why it is undecided."""
    if result.verdict is Verdict.DEVIATES:
        return result.actual
    if result.verdict is Verdict.OBSERVED:
        return ", ".join(sorted(result.observed))
    return result.reason
