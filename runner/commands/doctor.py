"""``doctor``: what a target can do for the suite, what is missing, what that costs, and what mends it."""

from __future__ import annotations

import argparse
import json
import sys

from runner.commands import CASES, USAGE_ERROR
from runner.database.dsn import Dsn
from runner.database.dsnoptions import DsnError
from runner.database.limits import Limits
from runner.database.profile import DEFAULT_PROFILE, load_profile
from runner.database.target import Target, TargetError
from runner.doctor.examination import Examination
from runner.doctor.needs import Needs
from runner.doctor.report import report
from runner.language.load import case_files, load_cases

HELP = "examine a target before a run: what it is, what it lacks, what that costs, what mends it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("--dsn", required=True, metavar="URL", help="the target")
    parser.add_argument(
        "--profile", default=DEFAULT_PROFILE, metavar="NAME|FILE", help="its profile (default: %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="the findings as JSON")


def run(options: argparse.Namespace) -> int:
    """Examines: 0 if nothing is missing, 1 if something is, 4 if the target can't be used at all."""
    profile = load_profile(options.profile)
    cases = [
        case
        for path in case_files(CASES)
        for case in load_cases(path)
        if profile.exempts(case.requirement.id, case.id, case.name) is None
    ]
    try:
        target = Target(Dsn.parse(options.dsn), profile, Limits())
    except DsnError as error:
        print(f"--dsn: {error}", file=sys.stderr)
        return USAGE_ERROR
    try:
        target.check()
        facts = Examination(target, Needs.of(cases)).facts()
    except TargetError as error:
        print(f"the target {target.dsn.shown} can't be used: {error}", file=sys.stderr)
        return USAGE_ERROR
    finally:
        target.close()
    if options.json:
        print(json.dumps(facts.as_dict(), indent=1))
    else:
        print("\n".join(report(facts, len(cases))))
    return 1 if facts.lacks else 0
