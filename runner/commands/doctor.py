"""``doctor``: examines a target: findings about it, missing prerequisites, the affected cases, and the fixes."""

from __future__ import annotations

import argparse
import json

from runner.commands.shared_options import add_target_arguments, suite_named, target_of
from runner.doctor.case_prerequisites import Prerequisites
from runner.doctor.examination import Examination
from runner.doctor.findings_text import full_lines
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
    """Examines the target: 0 if nothing is missing, 1 if something is, 4 if the target can't be used."""
    suite = suite_named(options)
    with target_of(options, suite) as target:
        profile = target.profile.sending_all() if options.send_withheld else target.profile
        needs = Prerequisites.on(profile, suite.cases)
        findings = Examination(target, needs).examine()
    if options.json:
        print(json.dumps(findings.as_dict(), indent=1))
    else:
        print("\n".join(full_lines(findings, len(needs.cases))))
    return 1 if findings.missing else 0
