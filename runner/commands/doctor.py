"""``doctor``: what a target can do for the suite, what is missing, what that costs, and what mends it."""

from __future__ import annotations

import argparse
import json

from runner.commands.suites import suite_named
from runner.commands.targets import add_target_arguments, target_of
from runner.doctor.examination import Examination
from runner.doctor.needs import Needs
from runner.doctor.report import report
from runner.execution.applicability import SEND_WITHHELD

HELP = "examine a target before a run: its kind and version, missing features, affected cases, and fixes"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    add_target_arguments(parser)
    parser.add_argument(
        SEND_WITHHELD, action="store_true", help="also count cases with statements that the profile withholds"
    )
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")


def run(options: argparse.Namespace) -> int:
    """Examines: 0 if nothing is missing, 1 if something is, 4 if the target can't be used at all."""
    cases = suite_named(options).cases
    with target_of(options) as target:
        profile = target.profile.sending_all() if options.send_withheld else target.profile
        needs = Needs.on(profile, cases)
        facts = Examination(target, needs).facts()
    if options.json:
        print(json.dumps(facts.as_dict(), indent=1))
    else:
        print("\n".join(report(facts, len(needs.cases))))
    return 1 if facts.missing else 0
