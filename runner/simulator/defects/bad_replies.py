"""Defects of the reply: the session is killed, but the reply is not OK with 0 rows."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

from runner.simulator import errors
from runner.simulator.catalogue import breaks
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.execute.results import Done, Result, Rows
from runner.simulator.sessions import Session
from runner.simulator.wire import Column


@breaks("EXA-6")
class OneRowAffected(KillSessionStatement):
    """The reply is OK with one row affected."""

    def reply(self) -> Result:
        return Done(1)


@breaks("EXA-6")
class AnswersWithARow(KillSessionStatement):
    """The reply is a result set of one row, as with other vendors."""

    def reply(self) -> Result:
        return Rows((Column("PG_TERMINATE_BACKEND"),), ((b"t",),))


@breaks("EXA-6")
class AnswersWithAWarning(KillSessionStatement):
    """The reply is OK with a warning."""

    def reply(self) -> Result:
        return Done(warnings=1)


@breaks("EXA-6")
class RefusesOwnSession(KillSessionStatement):
    """A statement that names its own session is refused, as in Oracle."""

    def check_owner(self, session: Session, victim: Session) -> None:
        if victim is session:
            raise errors.internal(-5251, "cannot kill current session")


@breaks("PUR-1")
class EndsWithAnError(KillSessionStatement):
    """The session is killed, but the reply is always an error."""

    def reply(self) -> Result:
        raise errors.unexpected()
