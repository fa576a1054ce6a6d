"""Checks the order of a case's steps: what a step needs of the steps before it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, field

from runner.language.message_text import did_you_mean
from runner.language.model import (
    ADMINISTRATOR,
    Check,
    Claim,
    Connect,
    Disconnect,
    Execute,
    Receive,
    Repeat,
    Reset,
    Send,
    SendHalf,
    SessionSpec,
    Step,
    When,
    flat,
    replies_of,
)
from runner.language.problems import SourceError


def check_order(sessions: Iterable[SessionSpec], steps: Iterable[Step]) -> frozenset[str]:
    """Checks that each step finds the state that it needs, whichever steps of a ``when`` are run.

    Returns:
        The names of the values that are kept at the end.

    Raises:
        SourceError: a session that is not connected sends a statement, a reply is received twice, and the like.
    """
    specs = tuple(sessions)
    order = _Order(
        {spec.name for spec in specs if spec.connect},
        administrators=frozenset(spec.name for spec in specs if spec.same_user_as == ADMINISTRATOR),
    )
    order.check(steps)
    return frozenset(order.kept)


def used_in(steps: Iterable[Step]) -> frozenset[str]:
    """The names of the kept values that the claims and conditions of steps contain."""
    return frozenset(itertools.chain.from_iterable(kept_in(replies_of(step)) for step in flat(steps)))


def kept_in(claim: Claim) -> frozenset[str]:
    """The names of the kept values that a claim contains."""
    return frozenset(itertools.chain.from_iterable(expect.kept for expect in claim))


@dataclass
class _Order:
    """The state of the sessions after the steps so far.

    Attributes:
        connected: the sessions that are connected.
        administrators: those of the administrator.
        preparing: those that have prepared a statement since they connected.
        outstanding: those that have sent a statement whose reply was not received.
        replied: those that have received a reply to a statement or to a login of a step.
        kept: the names of kept values.
    """

    connected: set[str]
    administrators: frozenset[str]
    preparing: set[str] = field(default_factory=set)
    outstanding: set[str] = field(default_factory=set)
    replied: set[str] = field(default_factory=set)
    kept: set[str] = field(default_factory=set)

    def check(self, steps: Iterable[Step]) -> None:
        for step in steps:
            self._check_kept(step)
            match step:
                case Repeat():
                    self.check(step.steps)
                case When():
                    self._check_when(step)
                case _:
                    self._check_users(step)
                    self._check_connected(step)
                    self._check_executing(step)
                    self._check_outstanding(step)

    def _check_kept(self, step: Step) -> None:
        """Checks that the kept values in a claim or condition were kept before."""
        if unknown := sorted(kept_in(replies_of(step)) - self.kept):
            what = f"no step before it has kept {unknown[0]!r}"
            hint = f"add a step before it: a session with a query, and keep: {unknown[0]}"
            raise SourceError(step.place, what, did_you_mean(unknown[0], self.kept) if self.kept else hint)
        if isinstance(step, Send) and step.keep is not None:
            self.kept.add(step.keep)

    def _check_users(self, step: Step) -> None:
        """Checks that a session changes its user to that of another session, and that none is the administrator's."""
        if isinstance(step, Reset) and step.to is not None:
            if step.session == step.to:
                raise SourceError(
                    step.place, f"{step.to} has its own user already", "name a session of another user under to"
                )
            if of_administrator := {step.session, step.to} & self.administrators:
                raise SourceError(
                    step.place,
                    f"{min(of_administrator)} is a session of the administrator, which can't take part in change_user",
                    "name two sessions with users of the case",
                )

    def _check_connected(self, step: Step) -> None:
        """Checks that a session that sends a statement is connected."""
        match step:
            case Connect():
                self.connected.add(step.session)
            case Disconnect():
                self.connected.discard(step.session)
            case Send() | Execute() | Reset() | SendHalf() if step.session not in self.connected:
                raise SourceError(
                    step.place,
                    f"{step.session} is not connected here",
                    f"add a step before it: connect: {step.session}",
                )

    def _check_executing(self, step: Step) -> None:
        """Checks that a session that executes a prepared statement has prepared one since it connected."""
        match step:
            case Send(prepares=True):
                self.preparing.add(step.session)
            case Connect() | Reset():
                self.preparing.discard(step.session)
            case Execute() if step.session not in self.preparing:
                raise SourceError(
                    step.place,
                    f"{step.session} has no prepared statement to execute",
                    f"add a step before it: {step.session} with a statement, and prepare: true",
                )

    def _check_outstanding(self, step: Step) -> None:
        """Checks that a reply is received once, and that a session that waits for one sends nothing."""
        match step:
            case Receive() | Check() if step.session not in self.outstanding:
                raise SourceError(
                    step.place,
                    f"{step.session} has no statement whose reply is outstanding",
                    f"add a step before it: {step.session} with a statement, and reply: later",
                )
            case Send() | Execute() | Reset() | SendHalf() if step.session in self.outstanding:
                raise self._still_waits(step)
            case Disconnect():
                self.outstanding.discard(step.session)
            case SendHalf():
                self.outstanding.add(step.session)
            case Send() if step.later or step.unread:
                self.outstanding.add(step.session)
            case Receive() | Connect() | Send() | Execute():
                self.outstanding.discard(step.session)
                self.replied.add(step.session)

    def _check_when(self, step: When) -> None:
        """Checks that the session of a condition has received a reply, and that both lists fit the next steps."""
        if step.session in self.outstanding:
            raise self._still_waits(step)
        if step.session not in self.replied:
            raise SourceError(
                step.place,
                f"{step.session} has received no reply here",
                f"add a step before it that has a reply, such as {step.session} with a statement",
            )
        other = deepcopy(self)
        self.check(step.steps)
        other.check(step.otherwise)
        if different := sorted(self.outstanding ^ other.outstanding):
            raise SourceError(
                step.place,
                f"after these steps, {different[0]} may or may not wait for a reply, depending on the condition",
                f"in both lists of steps, receive the reply of {different[0]}, or in none of them",
            )
        self.connected &= other.connected
        self.preparing &= other.preparing
        self.replied &= other.replied
        self.kept &= other.kept

    @staticmethod
    def _still_waits(step: Send | Execute | Reset | SendHalf | When) -> SourceError:
        return SourceError(
            step.place,
            f"{step.session} still waits for the reply to its last statement",
            f"add a step before it: receive: {step.session}",
        )
