"""``sweep``: removes what runs that were killed have left on a server."""

from __future__ import annotations

import argparse
import time

from runner.commands.targets import add_target_arguments, target_of
from runner.database.leftovers import OLDER_THAN, Trace, find, remove
from runner.database.target import Target

HELP = "remove the users, roles, tables and sessions that killed runs left on a server"
_PATIENCE = 15.0  # seconds in which what can't be removed is tried again
_EACH = 1.0  # and so many more for each of them


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
    """Sweeps: 1 if something could not be removed or looked for, 4 if the server can't be used."""
    with target_of(options) as target:
        return _sweep(target, options.older_than, dry=options.dry_run)


def _sweep(target: Target, older_than: float, *, dry: bool) -> int:
    now = time.time()
    findings = find(target)
    left, staying = findings.judge(now, older_than)
    troubles = {} if dry else remove(target, left, _PATIENCE + _EACH * len(left))
    for trace, why in staying.items():
        print(f"not touched: {_described(trace, now)}: {why}")
    for trace in left:
        fate = "would be removed" if dry else "NOT REMOVED" if trace in troubles else "removed"
        print(f"{fate}: {_described(trace, now)}" + (f": {troubles[trace]}" if trace in troubles else ""))
    for trouble in findings.untold:
        print(trouble)
    done = (
        f"{len(left)} would be removed" if dry else f"{len(left) - len(troubles)} removed, {len(troubles)} not removed"
    )
    print(f"{target.dsn.shown}: {done}, {len(staying)} not touched")
    return 1 if troubles or findings.untold else 0


def _described(trace: Trace, now: float) -> str:
    minutes, seconds = divmod(int(abs(trace.age(now))), 60)
    hours, minutes = divmod(minutes, 60)
    age = f"{hours} h {minutes} min" if hours else f"{minutes} min" if minutes else f"{seconds} s"
    return f"{trace}, {age} old" if trace.age(now) >= 0 else str(trace)


def _age(text: str) -> float:
    if not text.isascii() or not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return float(text)
