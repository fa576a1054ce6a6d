"""The command line of ``pytest cases``."""

from __future__ import annotations

import argparse
import math

import pytest

from runner.database.profile import DEFAULT_PROFILE
from runner.execution.applicability import SEND_WITHHELD

DEFAULT_IN_FLIGHT = 16
"""Cases at a time, of all processes together: they use at most about 80 connections, and most servers have 150."""
MOST_IN_FLIGHT = 64


def add_options(parser: pytest.Parser) -> None:
    """Adds the suite's options. ``--strict`` is pytest's own: here it also binds what should be."""
    group = parser.getgroup(
        "conformance", "conformance of a database (with pytest's --strict, 'should' failures fail the run too)"
    )
    group.addoption(
        "--dsn",
        metavar="URL",
        help="the target, as oceanbase://USER:PASSWORD@HOST:PORT/[?option=value] (default: the environment variable "
        "KSC_DSN, or else the embedded simulator)",
    )
    group.addoption(
        "--profile",
        default=DEFAULT_PROFILE,
        metavar="NAME|FILE",
        help=f"the kind of server: its statements and error codes (default: {DEFAULT_PROFILE})",
    )
    group.addoption(
        SEND_WITHHELD,
        action="store_true",
        help="also send statements that the profile withholds because they may harm this kind of server; the embedded "
        "simulator always gets them",
    )
    group.addoption(
        "--accounts",
        metavar="FILE",
        help="use the prepared accounts in this file; create no users (docs/accounts.md)",
    )
    group.addoption(
        "--anyway",
        action="store_true",
        help="run also where ODP answers SHOW PROCESSLIST itself, and nearly no case can be decided",
    )
    group.addoption(
        "--in-flight",
        type=_count,
        metavar="N",
        help="how many cases to run at a time in each process; 1: one after the other (default: "
        f"{DEFAULT_IN_FLIGHT} in all processes together)",
    )
    group.addoption(
        "--requirement",
        action="append",
        default=[],
        metavar="ID",
        help="run only the cases of this requirement, such as PAR-3; may be given several times",
    )
    group.addoption(
        "--settle",
        type=_seconds,
        default=5.0,
        metavar="SECONDS",
        help="the longest time that a killed session may take to be gone (default: 5)",
    )
    group.addoption(
        "--statement-limit",
        type=_seconds,
        default=10.0,
        metavar="SECONDS",
        help="the longest time that a statement may take to reply (default: 10)",
    )
    group.addoption(
        "--known-deviations",
        metavar="FILE.yaml",
        help="a list of known deviations: listed failures don't fail the run; stale entries do "
        "(kill-session-conformance baseline writes one)",
    )
    group.addoption("--record", metavar="FILE.json", help="write the record of the run")
    group.addoption(
        "--target-name", metavar="NAME", help="the name of the target in reports (default: its product and version)"
    )
    group.addoption("--record-host", action="store_true", help="include the target's host in the record")


def _count(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text) <= MOST_IN_FLIGHT):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of cases from 1 to {MOST_IN_FLIGHT}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= 600:  # noqa: PLR2004 - ten minutes: nobody waits longer for one session
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0 and up to 600")
    return seconds
