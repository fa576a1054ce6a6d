"""``explain``: what a requirement asks and which cases decide it, or a case step by step."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from runner.commands import CASES, USAGE_ERROR
from runner.language.load import case_files, load_cases
from runner.language.model import Await, Case, Connect, Leave, Register, Reply, Say, Step, Wait
from runner.language.problems import did_you_mean
from runner.language.register import REGISTER_NAME, read_register

HELP = "say what a requirement asks and which cases decide it, or show a case"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("name", help="a requirement such as PAR-3, or a case's id")
    parser.add_argument(
        "--cases", type=Path, default=CASES, metavar="FOLDER", help="where the cases are (default: cases)"
    )


def run(options: argparse.Namespace) -> int:
    """Explains what was named."""
    name, folder = options.name, options.cases
    register = read_register(folder / REGISTER_NAME)
    cases = [case for path in case_files(folder) for case in load_cases(path)]
    shown = [case for case in cases if name in {case.id, case.name}]
    if name in register.requirements:
        _explain_requirement(name, register, cases)
    elif shown:
        for case in shown:
            _explain_case(case)
    else:
        known = [*register.requirements, *{case.id for case in cases}]
        print(f"no requirement and no case is called {name!r}: {did_you_mean(name, known)[:300]}", file=sys.stderr)
        return USAGE_ERROR
    return 0


def _explain_requirement(name: str, register: Register, cases: Sequence[Case]) -> None:
    requirement = register.requirements[name]
    print(f"{requirement.id} ({requirement.level.value}): {requirement.says}")
    for case in cases:
        if case.requirement.id == name:
            print(f"  {case.place.shown_path}::{case.name}\n      {case.title}")
    print(f"run them: pytest cases --requirement {name}")


def _explain_case(case: Case) -> None:
    print(f"{case.name}  {case.place}\n  {case.requirement.id} ({case.requirement.level.value}): {case.title}")
    if case.note:
        print(f"  {case.note}")
    for spec in case.sessions:
        user = f"of {spec.same_user_as}'s user" if spec.same_user_as else "of a user of its own"
        granted = f", granted {', '.join(spec.grants)}" if spec.grants else ""
        print(f"  session {spec.name} {user}{granted}{'' if spec.connect else ', connects later'}")
    for number, step in enumerate(case.steps, 1):
        print(f"  {number}. {_described(step)}")
    if case.outcomes:
        for outcome in case.outcomes:
            print(f"  known outcome: {outcome.name}")
    else:
        print(f"  ends: {', '.join(sorted(case.ends)) or 'nothing'}; every other session goes on")


def _described(step: Step) -> str:
    match step:
        case Say():
            reply = " (reply: later)" if step.later else " (reply: unread)" if step.unread else _reply(step.reply)
            return f"{step.session}> {step.statement.text}{reply}"
        case Await():
            return f"the answer to {step.session}" + _reply(step.reply)
        case Connect():
            return f"{step.session} logs in" + _reply(step.reply)
        case Wait():
            return f"wait until {step.session} is {step.state}"
        case Leave():
            return f"{step.session}'s client {'disconnects' if step.how == 'disconnect' else 'resets the connection'}"


def _reply(reply: Reply) -> str:
    return f"  -- {' or '.join(map(str, reply))}" if reply else ""
