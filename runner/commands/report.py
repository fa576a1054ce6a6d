"""``report``: turns records of runs into pages, Markdown and badges."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from runner.commands import USAGE_ERROR
from runner.publishing.site import write_site
from runner.publishing.subjects import PublishingError, read_subjects
from runner.reporting.record import RecordError

HELP = "turn records of runs (--record) into pages to publish, a summary in Markdown, badges"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("records", nargs="+", type=Path, metavar="RECORD.json", help="records of runs, one a target")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where the files go")
    parser.add_argument(
        "--mixed", action="store_true", help="take records that were made with different cases, and say so"
    )


def run(options: argparse.Namespace) -> int:
    """Writes the report: 0 whatever the verdicts are, 4 if the records make none."""
    try:
        subjects = read_subjects(options.records, mixed=options.mixed)
        files = write_site(subjects, options.out)
    except (RecordError, PublishingError) as error:
        print(error, file=sys.stderr)
        return USAGE_ERROR
    except OSError as error:
        print(f"--out {options.out}: can't be written: {error.strerror or error}; name a folder", file=sys.stderr)
        return USAGE_ERROR
    for subject in subjects:
        print(f"{subject.title}: {subject.conclusion}")
    print(f"{len(files)} files; begin with {options.out / 'index.html'}")
    return 0
