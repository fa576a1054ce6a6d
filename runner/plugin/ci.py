"""Tells GitHub Actions of a run, where one runs there."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from runner.execution.verdict import CaseResult
from runner.gating.github import annotate, job_summary
from runner.gating.judging import Complaint


def tell(
    write: Callable[[str], None],
    head: str,
    conclusion: str,
    results: Sequence[CaseResult],
    complaints: Sequence[Complaint],
    *,
    strict: bool,
) -> None:
    """Writes annotations to the screen and appends to the job's summary, as the environment asks for it."""
    if os.environ.get("GITHUB_ACTIONS") == "true":
        workspace = Path(os.environ.get("GITHUB_WORKSPACE") or Path.cwd()).resolve()
        for line in annotate(results, complaints, strict=strict, workspace=workspace):
            write(line)
    if path := os.environ.get("GITHUB_STEP_SUMMARY"):
        text = "\n".join(job_summary(head, conclusion, results, complaints, strict=strict)) + "\n"
        try:
            with Path(path).open("a", encoding="utf-8") as summary:
                summary.write(text)
        except OSError as error:
            write(f"GITHUB_STEP_SUMMARY: {path} can't be written: {error.strerror}. The run is not affected")
