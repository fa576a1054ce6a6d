"""``explain``: what a requirement asks and which cases decide it, or a case step by step."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from runner.commands import USAGE_ERROR
from runner.commands.suites import add_cases_argument, suite_named
from runner.language.model import (
    Await,
    Case,
    Connect,
    Create,
    Execute,
    Leave,
    Repeat,
    Reply,
    Requirement,
    Say,
    Step,
    Wait,
)
from runner.language.problems import did_you_mean

HELP = "show a requirement and the cases that decide it, or one case step by step"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("name", help="a requirement such as PAR-3, or a case's id")
    add_cases_argument(parser)


def run(options: argparse.Namespace) -> int:
    """Explains what was named."""
    name, suite = options.name, suite_named(options)
    cases, requirements = suite.cases, suite.requirements
    shown = [case for case in cases if name in {case.id, case.name}]
    if name in requirements:
        _explain_requirement(requirements[name], cases)
    elif shown:
        for case in shown:
            _explain_case(case)
    else:
        known = [*requirements, *{case.id for case in cases}]
        print(f"no requirement or case has the name {name!r}: {did_you_mean(name, known)[:300]}", file=sys.stderr)
        return USAGE_ERROR
    return 0


def _explain_requirement(requirement: Requirement, cases: Sequence[Case]) -> None:
    print(f"{requirement.id} ({requirement.level.value}): {requirement.text}")
    for case in cases:
        if case.requirement == requirement:
            print(f"  {case.place.shown_path}::{case.name}\n      {case.title}")
    print(f"run them: kill-session-conformance run --requirement {requirement.id}")


def _explain_case(case: Case) -> None:
    print(f"{case.name}  {case.place}\n  {case.requirement.id} ({case.requirement.level.value}): {case.title}")
    if case.note:
        print(f"  {case.note}")
    for spec in case.sessions:
        user = f"of {spec.same_user_as}'s user" if spec.same_user_as else "of a new user"
        granted = f", granted {', '.join(spec.grants)}" if spec.grants else ""
        named = f", whose name begins with that of {spec.name_extends}'s user" if spec.name_extends else ""
        print(f"  session {spec.name} {user}{named}{granted}{'' if spec.connect else ', connects later'}")
    for number, step in enumerate(case.steps, 1):
        print(f"  {number}. {_described(step)}")
        for inner in step.steps if isinstance(step, Repeat) else ():
            print(f"     - {_described(inner)}")
    if case.outcomes:
        for outcome in case.outcomes:
            print(f"  known outcome: {outcome.name}")
    else:
        print(f"  ends: {', '.join(sorted(case.ends)) or 'none'}; every other session stays usable")


def _described(step: Step) -> str:  # noqa: PLR0911 - a case for each kind of step
    match step:
        case Say():
            prepares = " (prepared only)" if step.prepares else ""
            reply = " (reply: later)" if step.later else " (reply: unread)" if step.unread else _reply(step.reply)
            return f"{step.session}> {step.statement.text}{prepares}{reply}"
        case Execute():
            return f"{step.session} executes its prepared statement" + _reply(step.reply)
        case Await():
            return f"{step.session} receives its reply" + _reply(step.reply)
        case Connect():
            return f"{step.session} connects" + _reply(step.reply)
        case Wait():
            return f"wait until {step.session} is {step.state}"
        case Create():
            return f"the user of {step.session} is created"
        case Repeat():
            return f"{step.times} times:"
        case Leave():
            return f"{step.session}'s client {'disconnects' if step.how == 'disconnect' else 'resets the connection'}"


def _reply(reply: Reply) -> str:
    return f"  -- {' or '.join(map(str, reply))}" if reply else ""
