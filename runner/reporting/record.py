"""The JSON record of a run (``--record``): its model, written atomically, read with the schema of its format.

Identical runs give equal records except for times and identifiers, with workers and without. The schemas of all formats
are in this folder: ``record-<format>.schema.json``.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata, resources
from pathlib import Path
from typing import Any

from jsonschema_rs import Draft202012Validator

from runner.execution.case_result import CaseResult
from runner.language.model import Level, Requirement, Specification
from runner.reporting.placeholders import with_placeholders
from runner.reporting.written_file import write_whole

FORMAT = 1
_NAME = "kill-session-conformance"
_LARGEST = 256 * 1024 * 1024  # bytes
_HOW = "A record is the file that `kill-session-conformance run --record FILE.json` writes."


class RecordError(ValueError):
    """A file can't be used as a record; the message has the file, the reason and the fix."""


@dataclass(frozen=True)
class RecordedTarget:
    """The target of a run.

    Attributes:
        name: its name in reports.
        route: ``direct``, ``through a proxy``, ``Unix socket`` and the like.
        host: host and port with ``--record-host``, else None.
    """

    name: str
    flavour: str
    version: str
    product: str | None
    profile: str
    title: str
    route: str
    tls: str | None
    host: str | None = None


@dataclass(frozen=True)
class RecordedRun:
    """The options and the extent of a run.

    Attributes:
        cases_digest: the digest of the case files and their registers: only runs with equal digests can be compared.
        cases: the number of all cases; ``results`` has fewer if some were deselected.
        not_run: the names of the cases without a result: deselected, or not reached by a run that was cut off.
        complete: whether the run was completed, not cut off.
        exit_code: pytest's exit code, or None during the run.
    """

    suite: str
    cases_digest: str
    cases: int
    not_run: tuple[str, ...]
    started: str
    finished: str | None
    machine: str
    workers: int
    strict: bool
    settle: float
    statement_limit: float
    complete: bool
    exit_code: int | None


@dataclass(frozen=True)
class RecordedMissing:
    """A missing privilege, word or error class: the cases that were not decided for this reason, and the fix."""

    what: str
    cases: tuple[str, ...]
    fix: str = ""


@dataclass(frozen=True)
class Record:
    """A run: its target, its options, and the results of the cases in the order of the case files."""

    target: RecordedTarget
    run: RecordedRun
    missing: tuple[RecordedMissing, ...]
    specifications: tuple[Specification, ...]
    requirements: Mapping[str, Requirement]
    results: tuple[CaseResult, ...]

    def as_dict(self) -> dict[str, Any]:
        """The JSON document; the texts of the results have placeholders for ids and names."""
        return {
            "format": FORMAT,
            "target": vars(self.target),
            "run": vars(self.run),
            "missing": [*map(vars, self.missing)],
            "specifications": [*map(vars, self.specifications)],
            "requirements": [
                {"id": row.id, "level": row.level.value, "text": row.text} for row in self.requirements.values()
            ],
            "results": [with_placeholders(result).as_dict() for result in self.results],
        }

    def write(self, path: Path) -> None:
        """Writes the record atomically: a reader never sees a part of it.

        Raises:
            OSError: the file can't be written.
        """
        write_whole(path, _text(self.as_dict()) + "\n")


def _text(value: Any, margin: str = "\n") -> str:
    """A value as JSON, with an object or list of plain values on one line, such as an event of a transcript.

    This makes a record ten times shorter than one line per value, and its changes readable.
    """
    inner = margin + " "
    if isinstance(value, dict) and any(isinstance(part, dict | list | tuple) for part in value.values()):
        rows = (f"{inner}{json.dumps(key)}: {_text(part, inner)}" for key, part in value.items())
        return f"{{{','.join(rows)}{margin}}}"
    if isinstance(value, list | tuple) and any(isinstance(part, dict) for part in value):
        return f"[{','.join(inner + _text(part, inner) for part in value)}{margin}]"
    return json.dumps(value, ensure_ascii=False)


def read_record(path: Path, *, cut_off: bool = False) -> Record:
    """Reads a record.

    Args:
        path: the file.
        cut_off: whether the record of a run that was cut off is accepted.

    Raises:
        RecordError: it is not a record, its format is unknown, or its run was cut off.
    """
    data = _document(path)
    version = data.get("format") if isinstance(data, dict) else None
    if not isinstance(version, int) or isinstance(version, bool):
        raise RecordError(f"{path} is not a record: the number 'format' is missing. {_HOW}")
    if version not in known_formats():
        raise RecordError(
            f"{path} is a record of format {version}; this version of the suite reads format "
            f"{', '.join(map(str, known_formats()))}. Install a newer version of the suite"
        )
    error = next(_validator(version).iter_errors(data), None)
    if error is not None:
        where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.instance_path)
        raise RecordError(
            f"{path} is not a valid record of format {version}: {where or 'document'}: {error.message[:200]}"
        )
    record = _record(data)
    if not record.run.complete and not cut_off:
        raise RecordError(f"{path}: the run was cut off, so its record is incomplete: run the suite again")
    return record


def _document(path: Path) -> Any:
    try:
        if path.stat().st_size > _LARGEST:
            raise RecordError(f"{path} has more than {_LARGEST} bytes: too large for a record")
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise RecordError(f"{path}: can't be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        if isinstance(error, RecordError):
            raise
        raise RecordError(f"{path} is not valid JSON ({error}). {_HOW}") from error


def _record(data: dict[str, Any]) -> Record:
    return Record(
        target=RecordedTarget(**data["target"]),
        run=RecordedRun(**data["run"] | {"not_run": tuple(data["run"]["not_run"])}),
        missing=tuple(RecordedMissing(row["what"], tuple(row["cases"]), row["fix"]) for row in data["missing"]),
        specifications=tuple(Specification(**row) for row in data["specifications"]),
        requirements={
            row["id"]: Requirement(row["id"], Level(row["level"]), row["text"]) for row in data["requirements"]
        },
        results=tuple(map(CaseResult.from_dict, data["results"])),
    )


@cache
def known_formats() -> tuple[int, ...]:
    """The formats that have a schema."""
    files = (entry.name for entry in resources.files(__package__).iterdir())
    return tuple(sorted(int(name.split("-")[1].split(".")[0]) for name in files if name.startswith("record-")))


@cache
def _validator(version: int) -> Draft202012Validator:
    text = (resources.files(__package__) / f"record-{version}.schema.json").read_text(encoding="utf-8")
    return Draft202012Validator(text)


@cache
def suite_version() -> str:
    """The version of the suite: that of the checkout, if there is one, otherwise the installed one."""
    pyproject = Path(__file__).resolve().parents[2] / "pyproject.toml"
    if pyproject.is_file():
        project = tomllib.loads(pyproject.read_text(encoding="utf-8")).get("project", {})
        if project.get("name") == _NAME:
            return str(project["version"])
    return metadata.version(_NAME)
