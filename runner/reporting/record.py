"""The JSON record of a run (``--record``): written in one go, read back against the schema of the version it names.

Everything in it but times and identifiers is the same for identical runs, with workers and without. The schemas of all
versions stay in this folder: ``record-<format>.schema.json``.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib import metadata, resources
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from runner.execution.verdict import CaseResult
from runner.language.model import Level, Requirement, Specification
from runner.reporting.placeholders import with_placeholders

FORMAT = 1
_NAME = "kill-session-conformance"
_LARGEST = 256 * 1024 * 1024  # bytes
_HOW = "A record is the file that `pytest cases --record FILE.json` writes."


class RecordError(ValueError):
    """A file is no record that can be used; the message says which file, why, and what to do."""


@dataclass(frozen=True)
class RecordedTarget:
    """What was tested.

    Attributes:
        name: what reports call it.
        route: ``direct``, ``through a proxy``, ``Unix socket``, or what else is known.
        host: host and port, if the user asked for it to be recorded, else None.
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
    """How it was tested.

    Attributes:
        cases_digest: digest of the case files and their register: equal digests, equal questions.
        cases: how many cases there are; ``results`` has fewer where some were deselected.
        not_run: the names of the cases without a result: deselected, or not reached by a run that was cut off.
        complete: whether the run came to its end; a run that was cut off decides nothing.
        exit_code: what pytest answered, or None as long as the run goes on.
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
    """Something that the target doesn't have, the cases that could not be decided for this reason, and the fix."""

    what: str
    cases: tuple[str, ...]
    fix: str = ""


@dataclass(frozen=True)
class Record:
    """A run: what, how, and what came of each case, in the order of the case files."""

    target: RecordedTarget
    run: RecordedRun
    missing: tuple[RecordedMissing, ...]
    specifications: tuple[Specification, ...]
    requirements: Mapping[str, Requirement]
    results: tuple[CaseResult, ...]

    def as_dict(self) -> dict[str, Any]:
        """The document; the texts of its results have placeholders for what is this run's own."""
        return {
            "format": FORMAT,
            "target": asdict(self.target),
            "run": asdict(self.run),
            "missing": [asdict(item) for item in self.missing],
            "specifications": [asdict(specification) for specification in self.specifications],
            "requirements": [
                {"id": row.id, "level": row.level.value, "text": row.text} for row in self.requirements.values()
            ],
            "results": [with_placeholders(result).as_dict() for result in self.results],
        }

    def write(self, path: Path) -> None:
        """Writes the record: a reader never sees half of it.

        Raises:
            OSError: the file can't be written.
        """
        draft = path.with_name(path.name + ".part")
        draft.write_text(_text(self.as_dict()) + "\n", encoding="utf-8")
        draft.replace(path)


def _text(value: Any, margin: str = "\n") -> str:
    """A value as JSON: what holds no other values is on one line, such as an event of a transcript.

    So a record has a tenth of the lines that it would have with a line for each number, and changes of it are readable.
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
        cut_off: whether the record of a run that was cut off will do.

    Raises:
        RecordError: it is no record, or one of a format that this version doesn't know, or of a run that was cut off.
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
        where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
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
    """The formats of which there is a schema."""
    files = (entry.name for entry in resources.files(__package__).iterdir())
    return tuple(sorted(int(name.split("-")[1].split(".")[0]) for name in files if name.startswith("record-")))


@cache
def _validator(version: int) -> Draft202012Validator:
    text = (resources.files(__package__) / f"record-{version}.schema.json").read_text(encoding="utf-8")
    return Draft202012Validator(json.loads(text))


@cache
def suite_version() -> str:
    """The suite's version: as its checkout states it, which may be newer than what was installed, or as installed."""
    pyproject = Path(__file__).resolve().parents[2] / "pyproject.toml"
    if pyproject.is_file():
        project = tomllib.loads(pyproject.read_text(encoding="utf-8")).get("project", {})
        if project.get("name") == _NAME:
            return str(project["version"])
    return metadata.version(_NAME)
