"""The suite's options for pytest, and their values in a run."""

from __future__ import annotations

import argparse
import math
import shlex
from functools import cached_property
from pathlib import Path

import pytest

from runner.database.dsn import DSN_VARIABLE, Dsn, given_dsn
from runner.database.profile import DEFAULT_PROFILE, Profile, load_profile
from runner.database.time_limits import LONGEST_LIMIT, Limits
from runner.execution.applicability import SEND_WITHHELD
from runner.gating.known_deviations import KnownDeviations, read_known_deviations
from runner.language.given_values import given_text

DEFAULT_IN_FLIGHT = 20
"""Cases at a time, of all processes together: they use at most about 110 connections, and most servers allow 150."""
MOST_IN_FLIGHT = 64
_LIMITS = Limits()


def add_options(parser: pytest.Parser) -> None:
    """Adds the suite's options. ``--strict`` is pytest's own: here also cases of level should fail the run with it."""
    group = parser.getgroup(
        "conformance", "conformance of a database (with pytest's --strict, 'should' failures fail the run too)"
    )
    group.addoption(
        "--dsn",
        metavar="URL",
        help="the target, as oceanbase://USER:PASSWORD@HOST:PORT/[?option=value] (default: the environment variable "
        f"{DSN_VARIABLE}, or else the embedded simulator)",
    )
    group.addoption(
        "--profile",
        type=given_text,
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
        type=given_text,
        metavar="FILE",
        help="use the prepared accounts in this file; create no users (docs/accounts.md)",
    )
    group.addoption(
        "--anyway",
        action="store_true",
        help="run even if ODP replies to SHOW PROCESSLIST itself: almost no case can be decided then",
    )
    group.addoption(
        "--in-flight",
        type=_count,
        metavar="N",
        help="the number of cases to run at a time in each process; 1: one after the other (default: "
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
        type=_time_limit,
        default=_LIMITS.settle,
        metavar="SECONDS",
        help="the longest time that a killed session may take to be gone (default: %(default)s)",
    )
    group.addoption(
        "--statement-limit",
        type=_time_limit,
        default=_LIMITS.statement,
        metavar="SECONDS",
        help="the longest time that a statement may take to reply (default: %(default)s)",
    )
    group.addoption(
        "--repeat-limit",
        type=_time_limit,
        default=_LIMITS.repeat,
        metavar="SECONDS",
        help="the time after which a case that observes is not repeated again; it is run at least three times "
        "(default: %(default)s)",
    )
    group.addoption(
        "--known-deviations",
        type=given_text,
        metavar="FILE.yaml",
        help="a list of known deviations: listed failures don't fail the run; stale entries do "
        "(kill-session-conformance baseline writes one)",
    )
    group.addoption("--record", type=given_text, metavar="FILE.json", help="write the record of the run")
    group.addoption(
        "--target-name",
        type=given_text,
        metavar="NAME",
        help="the name of the target in reports (default: its product and version)",
    )
    group.addoption("--record-host", action="store_true", help="include the target's host in the record")


def _count(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text) <= MOST_IN_FLIGHT):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of cases from 1 to {MOST_IN_FLIGHT}")
    return int(text)


def _time_limit(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= LONGEST_LIMIT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0 and up to {LONGEST_LIMIT:g}")
    return seconds


class RunOptions:
    """The values of the suite's options in one run.

    Attributes:
        source: ``--dsn`` or the environment variable that has the DSN; None: the embedded simulator is the target.
        dsn_text: the DSN as given; None: the embedded simulator is the target.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._option = config.option
        self._workers = planned_workers(config)
        self.source, self.dsn_text = given_dsn(self._option.dsn)

    @property
    def strict(self) -> bool:
        """Whether cases of level should are required, too."""
        return bool(self._option.strict)

    @property
    def anyway(self) -> bool:
        """Whether to run although ODP replies to SHOW PROCESSLIST itself."""
        return bool(self._option.anyway)

    @property
    def has_dsn_option(self) -> bool:
        """Whether ``--dsn`` has a value."""
        return bool(self._option.dsn)

    @property
    def accounts(self) -> str | None:
        """The file with prepared accounts."""
        return self._option.accounts or None

    @property
    def target_name(self) -> str | None:
        """The name of the target in reports, if given."""
        return self._option.target_name or None

    @property
    def record_host(self) -> bool:
        """Whether the record includes the target's host."""
        return bool(self._option.record_host)

    @property
    def stops_early(self) -> bool:
        """Whether the run stops at a failure."""
        return bool(self._option.maxfail) or getattr(self._option, "stepwise", False)

    @property
    def in_flight(self) -> int:
        """The cases to run at a time in each process."""
        return self._option.in_flight or max(1, DEFAULT_IN_FLIGHT // self._workers)

    @property
    def record_path(self) -> Path | None:
        """The file for the record."""
        return Path(self._option.record) if self._option.record else None

    @cached_property
    def profile(self) -> Profile:
        """The target's profile; it withholds no statement from the embedded simulator.

        Raises:
            SourceError: the profile can't be used.
        """
        profile = load_profile(self._option.profile)
        return profile.sending_all() if self.source is None or self._option.send_withheld else profile

    @cached_property
    def known(self) -> KnownDeviations | None:
        """The list of known deviations, if given.

        Raises:
            SourceError: the list can't be used.
        """
        path = self._option.known_deviations
        return read_known_deviations(Path(path)) if path else None

    def limits(self, connect: float | None) -> Limits:
        """The time limits of the run; ``connect`` is the DSN's limit in seconds for a connection, if it has one."""
        option, default = self._option, Limits()
        return Limits(
            settle=option.settle,
            statement=option.statement_limit,
            repeat=option.repeat_limit,
            connect=connect or default.connect,
        )

    def to_run_again(self, dsn: Dsn) -> str:
        """The options for a command that runs one case again on this target."""
        given, default = self._option, Limits()
        words = []
        if self.source == "--dsn":  # otherwise the environment has it then, too
            words.append(f"--dsn '{dsn.text_with_placeholder}'")
        if self.source is not None or given.profile != DEFAULT_PROFILE:
            words.append(f"--profile {shlex.quote(given.profile)}")
        words += [SEND_WITHHELD] if given.send_withheld and self.source is not None else []
        words += ["--anyway"] if given.anyway else []
        words += ["--strict"] if given.strict else []
        limits = (("settle", default.settle), ("statement_limit", default.statement), ("repeat_limit", default.repeat))
        for name, usual in limits:
            seconds = getattr(given, name)
            words += [f"--{name.replace('_', '-')} {seconds:g}"] if seconds != usual else []
        files = (("--accounts", given.accounts), ("--known-deviations", given.known_deviations))
        words += [f"{option} {shlex.quote(path)}" for option, path in files if path]
        return " ".join(words)


def planned_workers(config: pytest.Config) -> int:
    """The number of processes that run cases: 2 with ``-n 2`` or ``--tx 2*popen``, 1 without workers."""
    specs: list[str] = getattr(config.option, "tx", None) or []
    return max(1, sum(int(head) if times else 1 for head, times, _ in (spec.partition("*") for spec in specs)))
