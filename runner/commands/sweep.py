"""``sweep``: removes what runs that were killed have left on a server."""

from __future__ import annotations

import argparse
import sys
import time

from runner.commands import USAGE_ERROR
from runner.database.dsn import Dsn, DsnError
from runner.database.leftovers import OLDER_THAN, Trace, find, remove
from runner.database.limits import Limits
from runner.database.profile import DEFAULT_PROFILE, load_profile
from runner.database.target import Target, TargetError

HELP = "remove users, roles, tables and sessions that runs which were killed have left on a server"
_PATIENCE = 15.0  # seconds in which what can't be removed is tried again
_EACH = 1.0  # and so many more for each of them


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("--dsn", required=True, metavar="URL", help="the server, as for pytest cases")
    parser.add_argument(
        "--profile", default=DEFAULT_PROFILE, metavar="NAME|FILE", help="how it spells things (default: %(default)s)"
    )
    parser.add_argument(
        "--older-than",
        type=_age,
        default=OLDER_THAN,
        metavar="SECONDS",
        help="what is older goes even if its sessions are connected (default: %(default).0f, longer than any case "
        "lasts); less is safe only if no run is going on",
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would go, and remove nothing")


def run(options: argparse.Namespace) -> int:
    """Sweeps: 1 if something could not be removed or looked for, 4 if the server can't be used."""
    try:
        dsn = Dsn.parse(options.dsn)
    except DsnError as error:
        return _unusable(f"--dsn: {error}")
    target = Target(dsn, load_profile(options.profile), Limits())
    try:
        target.check()
        return _sweep(target, options.older_than, dry=options.dry_run)
    except TargetError as error:
        return _unusable(f"the target {dsn.shown} can't be used: {error}")
    finally:
        target.close()


def _sweep(target: Target, older_than: float, *, dry: bool) -> int:
    now = time.time()
    findings = find(target)
    left, staying = findings.judge(now, older_than)
    troubles = {} if dry else remove(target, left, _PATIENCE + _EACH * len(left))
    for trace, why in staying.items():
        print(f"not touched: {_described(trace, now)}: {why}")
    for trace in left:
        fate = "would go" if dry else "NOT REMOVED" if trace in troubles else "removed"
        print(f"{fate}: {_described(trace, now)}" + (f": {troubles[trace]}" if trace in troubles else ""))
    for trouble in findings.untold:
        print(trouble)
    done = f"{len(left)} would go" if dry else f"{len(left) - len(troubles)} removed, {len(troubles)} not removed"
    print(f"{target.dsn.shown}: {done}, {len(staying)} not touched")
    return 1 if not dry and (troubles or findings.untold) else 0


def _described(trace: Trace, now: float) -> str:
    minutes, seconds = divmod(int(abs(trace.age(now))), 60)
    hours, minutes = divmod(minutes, 60)
    age = f"{hours} h {minutes} min" if hours else f"{minutes} min" if minutes else f"{seconds} s"
    return f"{trace}, {age} old" if trace.age(now) >= 0 else str(trace)


def _unusable(why: str) -> int:
    print(why, file=sys.stderr)
    return USAGE_ERROR


def _age(text: str) -> float:
    if not text.isascii() or not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return float(text)
