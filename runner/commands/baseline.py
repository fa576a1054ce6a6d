"""``baseline``: writes a list of known deviations from the record of a run, to be completed with reasons."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from runner.commands import USAGE_ERROR
from runner.execution.case_result import Verdict
from runner.gating.baseline import entries_of, lines
from runner.gating.known_deviations import UNFINISHED, read_known_deviations
from runner.language.given_values import given_path
from runner.language.paths import exists
from runner.reporting.joined_records import read_run
from runner.reporting.written_file import write_whole

HELP = "write a list of known deviations from a record; add the reasons by hand"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument(
        "record",
        type=given_path,
        metavar="RECORD",
        help="the record of a run, written with run --record, or a folder with the records of its parts",
    )
    parser.add_argument("--out", type=given_path, metavar="FILE", help="the file for the list (default: the screen)")
    parser.add_argument("--force", action="store_true", help="overwrite FILE, including its reasons")
    parser.add_argument(
        "--update",
        action="store_true",
        help="update FILE: keep entries that still fit, with their reasons (comments are lost)",
    )
    parser.add_argument("--inconclusive", action="store_true", help="also list inconclusive cases")


def run(options: argparse.Namespace) -> int:
    """Writes the list: 4 if a file can't be read or written, or would be overwritten.

    Raises:
        RecordError: the record can't be used.
        SourceError: the list that is to be updated can't be used.
    """
    out: Path | None = options.out
    if (options.update or options.force) and out is None:
        return _refused("--update and --force need a file: name it with --out")
    if options.update and options.force:
        return _refused("--update and --force exclude each other: choose one")
    if out is not None and exists(out) and not (options.update or options.force):
        return _refused(f"{out} exists: --update keeps its reasons, --force overwrites it")
    record = read_run(options.record)
    existing = read_known_deviations(out, unfinished=True) if options.update and out else None
    entries = entries_of(record, existing, inconclusive=options.inconclusive)
    text = "\n".join(lines(record, entries)) + "\n"
    if out is None:
        print(text, end="")
    else:
        try:
            write_whole(out, text)
        except OSError as error:
            return _refused(f"{out}: can't be written: {error.strerror}")
    todo = sum(entry.reason.startswith(UNFINISHED) for entry in entries)
    notes = [f"{len(entries)} listed", f"{todo} without a reason: replace each {UNFINISHED}"]
    left_out = 0 if options.inconclusive else sum(row.verdict is Verdict.INCONCLUSIVE for row in record.results)
    notes += [f"{left_out} inconclusive left out (--inconclusive lists them)"] if left_out else []
    print("; ".join(notes), file=sys.stderr)
    return 0


def _refused(why: str) -> int:
    print(why, file=sys.stderr)
    return USAGE_ERROR
