"""The JSON record of a run (``--report``)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

from runner.execution.verdict import CaseResult

FORMAT = 1


def suite_version() -> str:
    """The installed version, or ``0+source`` when it runs from a checkout that isn't installed."""
    try:
        return metadata.version("kill-session-conformance")
    except metadata.PackageNotFoundError:
        return "0+source"


def write_record(path: Path, head: dict[str, Any], results: Iterable[CaseResult]) -> None:
    """Writes a record in one go: a reader never sees half of it.

    Args:
        path: the file.
        head: what was run, when and on what; never a password.
        results: the cases, in the order in which the files name them.

    Raises:
        OSError: the file can't be written.
    """
    record = {"format": FORMAT, "suite": suite_version(), **head, "results": [result.as_dict() for result in results]}
    draft = path.with_name(path.name + ".part")
    draft.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    draft.replace(path)
