"""Joins the records of a run whose cases were divided, for example among several machines."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from runner.language.message_text import plural
from runner.language.paths import is_folder
from runner.reporting.record import Record, RecordedMissing, RecordedRun, RecordError, read_record

_MOST_NAMES = 5
_OWN = ("host", "tls")
"""The properties of the target that may differ between parts."""
_SAME = ("suite", "cases_digest", "cases", "strict", "settle", "statement_limit")
"""The properties of the run that have to be the same in all parts."""


def read_run(path: Path) -> Record:
    """Reads the record of a run, or a folder with the records of its parts.

    Args:
        path: a record; or a folder, all of whose ``*.json`` files are parts of one run.

    Raises:
        RecordError: it is not a record; or the records in the folder are not of one run, or don't contain each case
            exactly once.
    """
    if not is_folder(path):
        return read_record(path)
    files = sorted(path.glob("*.json"))
    if not files:
        raise RecordError(f"{path}: the folder contains no record (*.json)")
    parts = {file: read_record(file) for file in files}
    _check_same(path, parts)
    _check_cases(path, parts)
    return _joined(list(parts.values()))


def _check_same(folder: Path, parts: Mapping[Path, Record]) -> None:
    (first, one), *others = parts.items()
    for file, other in others:
        target = {**vars(one.target), **{key: getattr(other.target, key) for key in _OWN}}
        different = [key for key, value in target.items() if getattr(other.target, key) != value]
        different += [key for key in _SAME if getattr(one.run, key) != getattr(other.run, key)]
        if different:
            raise RecordError(
                f"{folder}: {first.name} and {file.name} are not parts of one run: they differ in "
                f"{', '.join(different)}. Put the records of one run, and no others, into the folder"
            )


def _check_cases(folder: Path, parts: Mapping[Path, Record]) -> None:
    found: dict[str, list[str]] = defaultdict(list)
    for file, record in parts.items():
        for result in record.results:
            found[result.name].append(file.name)
    twice = [f"{name} ({', '.join(files)})" for name, files in found.items() if len(files) > 1]
    if twice:
        raise RecordError(
            f"{folder}: {plural(len(twice), 'case')} in more than one record: {_listed(twice)}. Run each case in one "
            "part, and remove records of earlier runs from the folder"
        )
    nowhere = [name for name in next(iter(parts.values())).run.not_run if name not in found]
    if nowhere:
        raise RecordError(
            f"{folder}: {plural(len(nowhere), 'case')} in none of {plural(len(parts), 'record')}: "
            f"{_listed(nowhere)}. Add the record of the missing part"
        )


def _listed(names: list[str]) -> str:
    more = f", and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more


def _joined(parts: list[Record]) -> Record:
    one = parts[0]
    runs = [part.run for part in parts]
    hosts = {part.target.host for part in parts}
    return replace(
        one,
        target=replace(one.target, host=one.target.host if len(hosts) == 1 else None),
        run=_joined_run(runs),
        missing=_joined_missing(item for part in parts for item in part.missing),
        results=tuple(
            sorted((result for part in parts for result in part.results), key=lambda result: result.file_and_line)
        ),
    )


def _joined_run(runs: list[RecordedRun]) -> RecordedRun:
    return replace(
        runs[0],
        not_run=(),
        started=min(run.started for run in runs),
        finished=max(run.finished or run.started for run in runs),
        machine="; ".join(dict.fromkeys(run.machine for run in runs)),
        workers=sum(max(1, run.workers) for run in runs),
        exit_code=max(run.exit_code or 0 for run in runs),
    )


def _joined_missing(items: Iterable[RecordedMissing]) -> tuple[RecordedMissing, ...]:
    joined: dict[tuple[str, str], dict[str, None]] = {}
    for item in items:
        joined.setdefault((item.what, item.fix), {}).update(dict.fromkeys(item.cases))
    return tuple(RecordedMissing(what, tuple(cases), fix) for (what, fix), cases in joined.items())
