"""``report``: turns records of runs into pages, Markdown and badges."""

from __future__ import annotations

import argparse
import sys

from runner.commands import USAGE_ERROR
from runner.language.given_values import given_path
from runner.publishing.html_report import write_report
from runner.publishing.reported_targets import PublishingError, read_targets
from runner.reporting.record import RecordError

HELP = "render records of runs (--record) as pages to publish, a summary in Markdown, badges"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument(
        "records",
        nargs="+",
        type=given_path,
        metavar="RECORD",
        help="a record for each target, or a folder with the records of the parts of its run",
    )
    parser.add_argument("--out", type=given_path, required=True, metavar="FOLDER", help="the folder for the files")
    parser.add_argument(
        "--mixed", action="store_true", help="accept records with different cases, and mark the report as mixed"
    )


def run(options: argparse.Namespace) -> int:
    """Writes the report: 0 for all verdicts, 4 if the records or the folder can't be used."""
    try:
        targets = read_targets(options.records, mixed=options.mixed)
        files = write_report(targets, options.out)
    except (RecordError, PublishingError) as error:
        print(error, file=sys.stderr)
        return USAGE_ERROR
    except OSError as error:
        print(f"--out {options.out}: can't be written: {error.strerror or error}. Name a folder", file=sys.stderr)
        return USAGE_ERROR
    for target in targets:
        print(f"{target.title}: {target.conclusion}")
    print(f"{len(files)} files; start with {options.out / 'index.html'}")
    return 0
