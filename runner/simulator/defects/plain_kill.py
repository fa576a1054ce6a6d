"""Defects of KILL and KILL CONNECTION: their effect."""

# ruff: noqa: ARG002, D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

from runner.simulator.catalogue import breaks
from runner.simulator.execute.kill import PlainKill
from runner.simulator.sessions import Session
from runner.simulator.sql import statements as sql
from runner.simulator.sql.cursor import Cursor
from runner.simulator.sql.kill_grammar import PlainKillGrammar
from runner.simulator.timers import call_when


@breaks("KILL-1")
class KillDoesNothing(PlainKill):
    """KILL replies OK and does nothing."""

    def end(self, session: Session, victim: Session, statement: sql.Kill) -> None:
        pass


@breaks("KILL-1")
class KillEndsTheStatementOnly(PlainKill):
    """KILL ends the statement of the session, as KILL QUERY does; the session stays."""

    def end(self, session: Session, victim: Session, statement: sql.Kill) -> None:
        self.interrupt(session, victim)


@breaks("KILL-1")
class KillLeavesTheRow(PlainKill):
    """KILL closes the connection; the row stays in the process list permanently."""

    def end(self, session: Session, victim: Session, statement: sql.Kill) -> None:
        self.ending.mark_as_ended(victim)
        self.ending.roll_back(victim)
        self.ending.disconnect(victim)


@breaks("KILL-2")
class KillConnectionEndsTheStatementOnly(PlainKill):
    """KILL CONNECTION ends the statement of the session only; KILL ends the session."""

    def end(self, session: Session, victim: Session, statement: sql.Kill) -> None:
        if statement.scope == "CONNECTION":
            self.interrupt(session, victim)
        else:
            super().end(session, victim, statement)


@breaks("KILL-2")
class KillConnectionEndsRunningSessionsOnly(PlainKill):
    """KILL CONNECTION does nothing to idle sessions; KILL ends them."""

    def end(self, session: Session, victim: Session, statement: sql.Kill) -> None:
        if statement.scope is None or victim.statement is not None:
            super().end(session, victim, statement)


@breaks("KILL-2")
class KillHasNoConnection(PlainKillGrammar):
    """The word CONNECTION is a syntax error."""

    def kill(self, cursor: Cursor) -> sql.Statement:
        return cursor.fail() if cursor.sees("CONNECTION") else super().kill(cursor)


@breaks("KILL-3")
class PlainKillCommits(PlainKill):
    """KILL commits the open transaction of the session that it ends."""

    def end(self, session: Session, victim: Session, statement: sql.Kill) -> None:
        victim.transaction.commit()
        super().end(session, victim, statement)


@breaks("KILL-3")
class PlainKillLeavesTheTransaction(PlainKill):
    """The transaction of the session that KILL ends stays open, and its rows stay locked."""

    def end(self, session: Session, victim: Session, statement: sql.Kill) -> None:
        self.ending.mark_as_ended(victim)
        self.ending.remove_row(victim)
        self.ending.disconnect(victim)


@breaks("KILL-4")
class KillWaitsForTheStatement(PlainKill):
    """KILL ends a session with a running statement only after the statement."""

    def end(self, session: Session, victim: Session, statement: sql.Kill) -> None:
        if victim is session:
            super().end(session, victim, statement)
        else:
            call_when(lambda: victim.statement is None, self.ending.kill, victim)
