"""``explain``: shows a requirement with its cases, or a case step by step."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from runner.commands import USAGE_ERROR
from runner.commands.shared_options import add_cases_argument, suite_named
from runner.language.default_folders import own_folders, shown_path
from runner.language.message_text import did_you_mean
from runner.language.model import (
    Case,
    Check,
    Claim,
    Connect,
    Create,
    Disconnect,
    Execute,
    Pause,
    Receive,
    Repeat,
    Requirement,
    Reset,
    Send,
    SendHalf,
    Step,
    Wait,
    When,
)
from runner.language.suite import suite_in

HELP = "show a requirement and the cases that decide it, or one case step by step"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("name", help="a requirement such as PAR-3, or a case's id")
    add_cases_argument(parser)


def run(options: argparse.Namespace) -> int:
    """Explains the requirement or the case."""
    name, suite = options.name, suite_named(options)
    cases, requirements = suite.cases, suite.requirements
    shown = [case for case in cases if name in {case.id, case.name}]
    if name in requirements:
        _explain_requirement(requirements[name], cases)
    elif shown:
        for case in shown:
            _explain_case(case)
    else:
        hint = did_you_mean(name, [*requirements, *{case.id for case in cases}])
        folders = ", ".join(shown_path(folder) for folder in suite.folders)
        print(f"no requirement or case in {folders} has the name {name!r}: {hint}", file=sys.stderr)
        print(f"    hint: to search other cases, add --cases FOLDER{_elsewhere(name)}", file=sys.stderr)
        return USAGE_ERROR
    return 0


def _elsewhere(name: str) -> str:
    """The folder among those that come with the suite that knows a name, as a part of a hint."""
    for folder in own_folders():
        suite = suite_in([folder])
        if name in suite.requirements or any(name in {case.id, case.name} for case in suite.cases):
            return f"; --cases {shown_path(folder)} has this name"
    return ""


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
    for name in case.needs:
        print(f"  needs {name}: {case.vocabulary.capabilities[name].text}")
    for spec in case.sessions:
        user = f"of {spec.same_user_as}'s user" if spec.same_user_as else "of a new user"
        granted = f", granted {', '.join(spec.grants)}" if spec.grants else ""
        named = f", whose name begins with that of {spec.name_extends}'s user" if spec.name_extends else ""
        if spec.quoted:
            base = f"that of {spec.small_letters_of}'s user " if spec.small_letters_of else ""
            named = f", whose name is {base}in small letters, in quotes"
        print(f"  session {spec.name} {user}{named}{granted}{'' if spec.connect else ', connects later'}")
    for number, step in enumerate(case.steps, 1):
        print(f"  {number}. {_described(step)}")
        _explain_inner(step, "     ")
    if case.outcomes:
        for outcome in case.outcomes:
            print(f"  known outcome: {outcome.name}")
    else:
        print(f"  ends: {', '.join(sorted(case.ends)) or 'none'}; every other session stays usable")


def _explain_inner(step: Step, indent: str) -> None:
    """Prints the steps inside a step."""
    if not isinstance(step, Repeat | When):
        return
    _explain_all(step.steps, indent)
    if isinstance(step, When) and step.otherwise:
        print(f"{indent}otherwise:")
        _explain_all(step.otherwise, indent)


def _explain_all(steps: Sequence[Step], indent: str) -> None:
    for step in steps:
        print(f"{indent}- {_described(step)}")
        _explain_inner(step, f"{indent}  ")


def _described(step: Step) -> str:  # noqa: C901, PLR0911, PLR0912 - a case for each kind of step
    match step:
        case Send():
            prepares = " (prepared only)" if step.prepares else ""
            reply = " (reply: later)" if step.later else " (reply: unread)" if step.unread else _reply(step.reply)
            kept = f" (kept as {step.keep})" if step.keep is not None else ""
            return f"{step.session}> {step.statement.text}{prepares}{kept}{reply}"
        case Execute():
            return f"{step.session} executes its prepared statement" + _reply(step.reply)
        case Receive():
            return f"{step.session} receives its reply" + _reply(step.reply)
        case Connect():
            typed = f" as {step.name.text}" if step.name is not None else ""
            newer = f", with another id than {step.id_differs_from}" if step.id_differs_from is not None else ""
            client = f" ({step.client})" if step.client is not None else ""
            return f"{step.session} connects{typed}{client}{newer}{_reply(step.reply)}"
        case Wait():
            return f"wait until {step.session} is {step.state}"
        case Pause():
            return f"pause for {step.seconds} s" + "".join(f", {name} is idle" for name in sorted(step.idle))
        case Check():
            return f"the statement of {step.session} has no reply yet"
        case Create():
            return f"the user of {step.session} is created"
        case Repeat():
            return f"{step.times} times:"
        case When():
            return f"if the last reply of {step.session} is {' or '.join(map(str, step.condition))}:"
        case Reset(to=None):
            return f"{step.session} is reset (COM_RESET_CONNECTION)"
        case Reset():
            return f"{step.session} changes to the user of {step.to} (COM_CHANGE_USER)"
        case SendHalf():
            return f"{step.session}'s client sends the first half of a statement"
        case Disconnect():
            return f"{step.session}'s client {'disconnects' if step.how == 'disconnect' else 'resets the connection'}"


def _reply(reply: Claim) -> str:
    return f"  -- {' or '.join(map(str, reply))}" if reply else ""
