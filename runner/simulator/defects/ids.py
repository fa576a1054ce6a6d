"""Defects of the ids: the process list shows other ids than the statement accepts, or an id twice."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

from runner.simulator import errors
from runner.simulator.catalogue import breaks
from runner.simulator.components import Components
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.execute.process_list import ProcessList
from runner.simulator.sessions import Session
from runner.simulator.values import Value

SHIFT = 500_000
LOCAL_BITS = 0x3FFFF


@breaks("PAR-2")
class ShowsShiftedIds(ProcessList):
    """The process list shows ids that are 500000 larger than those that the statement accepts."""

    def id(self, session: Session) -> Value:
        return session.number + SHIFT


@breaks("PAR-2")
class ShowsRowNumbers(ProcessList):
    """The process list shows row numbers 1, 2, 3 in place of ids."""

    def id(self, session: Session) -> Value:
        return list(self.registry).index(session) + 1


@breaks("PAR-2")
class ShowsLocalNumbers(ProcessList):
    """The process list shows only the server's running number, the statement accepts the whole id."""

    def id(self, session: Session) -> Value:
        return session.number & LOCAL_BITS


@breaks("PAR-2")
class TakesLocalNumbers(KillSessionStatement):
    """The process list shows the whole id, the statement accepts only the server's running number."""

    def find(self, number: int) -> Session:
        for session in self.registry:
            if session.number & LOCAL_BITS == number:
                return session
        raise errors.unknown_session(number)


@breaks("PAR-2")
class KnowsLaterSessionsOnly(KillSessionStatement):
    """Ids of sessions that logged in before the sending one are unknown."""

    def check_owner(self, session: Session, victim: Session) -> None:
        if victim.number < session.number:
            raise errors.unknown_session(victim.number)
        super().check_owner(session, victim)


@breaks("PAR-2")
class KnowsEarlierSessionsOnly(KillSessionStatement):
    """Ids of sessions that logged in after the sending one are unknown."""

    def check_owner(self, session: Session, victim: Session) -> None:
        if victim.number > session.number:
            raise errors.unknown_session(victim.number)
        super().check_owner(session, victim)


@breaks("PAR-1")
def two_sessions_show_one_id(components: Components) -> Components:
    """Adjacent rows of the process list share an id, and the statement kills the first of the two."""
    return components.with_overrides(_SharedIds, _TakesTheFirstOfTwo)


class _SharedIds(ProcessList):
    def id(self, session: Session) -> Value:
        return session.number & ~1


class _TakesTheFirstOfTwo(KillSessionStatement):
    def find(self, number: int) -> Session:
        found = self.registry.find(number) or self.registry.find(number | 1)
        return found or super().find(number)


@breaks("PAR-1")
class ListsSessionsTwice(ProcessList):
    """The process list has two rows for each session, with the same id."""

    def rows(self, viewer: Session, *, full: bool) -> list[tuple[Value, ...]]:
        return [row for row in super().rows(viewer, full=full) for _ in range(2)]


class _ComparesBits(KillSessionStatement):
    bits = 24

    def find(self, number: int) -> Session:
        mask = (1 << self.bits) - 1
        for session in self.registry:
            if session.number & mask == number & mask:
                return session
        raise errors.unknown_session(number)


@breaks("PAR-1")
class CutsIdsToTwentyFourBits(_ComparesBits):
    """Only the last 24 bits of an id are compared."""


@breaks("PAR-1")
class CutsIdsToThirtyOneBits(_ComparesBits):
    """Only the last 31 bits of an id are compared: the sign bit is ignored."""

    bits = 31
