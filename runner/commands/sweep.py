"""``sweep``: removes the leftovers of killed runs from a server."""

from __future__ import annotations

import argparse
import time

from runner.commands.shared_options import add_target_arguments, target_of
from runner.database.leftovers import OLDER_THAN, SuiteObject, find_suite_objects, remove
from runner.database.target import Target

HELP = "remove the users, roles, tables and sessions that killed runs left on a server"
_RETRY = 15.0  # seconds for retries of what can't be removed
_RETRY_EACH = 1.0  # additional seconds for each leftover


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    add_target_arguments(parser)
    parser.add_argument(
        "--older-than",
        type=_age,
        default=OLDER_THAN,
        metavar="SECONDS",
        help="remove leftovers older than this even if their sessions are connected (default: %(default).0f, longer "
        "than any case); a lower value is safe only if no run is active",
    )
    parser.add_argument("--dry-run", action="store_true", help="only list the leftovers, remove nothing")


def run(options: argparse.Namespace) -> int:
    """Sweeps: 1 if something could not be removed or listed, 4 if the server can't be used."""
    with target_of(options) as target:
        return _sweep(target, options.older_than, dry=options.dry_run)


def _sweep(target: Target, older_than: float, *, dry: bool) -> int:
    now = time.time()
    findings = find_suite_objects(target)
    left, staying = findings.leftovers(now, older_than)
    troubles = {} if dry else remove(target, left, _RETRY + _RETRY_EACH * len(left))
    for each, why in staying.items():
        print(f"not touched: {_described(each, now)}: {why}")
    for each in left:
        fate = "would be removed" if dry else "NOT REMOVED" if each in troubles else "removed"
        print(f"{fate}: {_described(each, now)}" + (f": {troubles[each]}" if each in troubles else ""))
    for trouble in findings.unlisted:
        print(trouble)
    done = (
        f"{len(left)} would be removed" if dry else f"{len(left) - len(troubles)} removed, {len(troubles)} not removed"
    )
    print(f"{target.dsn.shown}: {done}, {len(staying)} not touched")
    return 1 if troubles or findings.unlisted else 0


def _described(each: SuiteObject, now: float) -> str:
    minutes, seconds = divmod(int(abs(each.age(now))), 60)
    hours, minutes = divmod(minutes, 60)
    age = f"{hours} h {minutes} min" if hours else f"{minutes} min" if minutes else f"{seconds} s"
    return f"{each}, {age} old" if each.age(now) >= 0 else str(each)


def _age(text: str) -> float:
    if not text.isascii() or not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return float(text)
