"""Defects after one or ten refused statements, in the session that sent them."""

# ruff: noqa: ARG002, D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar

from runner.simulator import errors
from runner.simulator.catalogue import breaks
from runner.simulator.components import Components
from runner.simulator.connection import Connection
from runner.simulator.defects.state_of_the_named_session import Spares
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.execute.results import Result
from runner.simulator.execute.server_instance import Instance
from runner.simulator.sessions import Session, SessionEnding
from runner.simulator.sql.statements import KillSession
from runner.simulator.timers import call_later
from runner.simulator.users_and_roles import ALTER_SYSTEM


class _AfterRefusals(Engine):
    """Punishes a session whose statement was refused."""

    def applies(self, error: errors.SqlError) -> bool:
        return True

    def effect(self, session: Session) -> None:
        raise NotImplementedError

    async def execute(self, session: Session, text: str) -> Result:
        try:
            return await super().execute(session, text)
        except errors.SqlError as error:
            if "KILL" in text.upper() and self.applies(error):
                self.effect(session)
            raise


@breaks("IMP-8")
class DisconnectsWhoWasRefused(_AfterRefusals):
    """A session is closed after its statement was refused."""

    def effect(self, session: Session) -> None:
        call_later(0, self.instance.ending.kill, session)


@breaks("IMP-8")
class DisconnectsWhoLacksThePrivilege(_AfterRefusals):
    """A session is closed after its statement was refused for the missing privilege."""

    def applies(self, error: errors.SqlError) -> bool:
        return error.code == errors.no_privilege().code

    def effect(self, session: Session) -> None:
        call_later(0, self.instance.ending.kill, session)


@breaks("IMP-8")
class DisconnectsAfterSyntaxErrors(_AfterRefusals):
    """A session is closed after a syntax error."""

    def applies(self, error: errors.SqlError) -> bool:
        return error.sqlstate == errors.SYNTAX

    def effect(self, session: Session) -> None:
        call_later(0, self.instance.ending.kill, session)


@breaks("IMP-8")
class RollsBackWhoWasRefused(_AfterRefusals):
    """A refused statement rolls back the whole transaction of the session that sent it."""

    def effect(self, session: Session) -> None:
        session.transaction.roll_back()


@breaks("IMP-8")
class RefusesEverythingAfterARefusal(_AfterRefusals):
    """After a refused statement its session gets only errors."""

    def __init__(self, instance: Instance) -> None:
        super().__init__(instance)
        self.broken: set[Session] = set()

    def effect(self, session: Session) -> None:
        self.broken.add(session)

    async def execute(self, session: Session, text: str) -> Result:
        if session in self.broken:
            raise errors.unexpected()
        return await super().execute(session, text)


@breaks("IMP-8")
class RefusalSwitchesAutocommitOff(_AfterRefusals):
    """A refused statement leaves its session with autocommit off."""

    def effect(self, session: Session) -> None:
        session.autocommit = False


@breaks("IMP-8")
class RefusalDropsSavepoints(_AfterRefusals):
    """A refused statement drops the savepoints of its session."""

    def effect(self, session: Session) -> None:
        session.savepoints.clear()


class _CountsRefusals(Engine):
    """Punishes a session after ten refused statements."""

    most = 10

    def __init__(self, instance: Instance) -> None:
        super().__init__(instance)
        self.refused: Counter[Session] = Counter()

    def effect(self, session: Session) -> None:
        raise NotImplementedError

    async def execute(self, session: Session, text: str) -> Result:
        try:
            return await super().execute(session, text)
        except errors.SqlError:
            self.refused[session] += "KILL" in text.upper()
            if self.refused[session] >= self.most:
                self.effect(session)
            raise


@breaks("IMP-8")
class LocksOutWhoWasRefusedTenTimes(_CountsRefusals):
    """The user of a session that was refused ten times can't log in again."""

    def effect(self, session: Session) -> None:
        session.user.lock()


@breaks("IMP-8")
class DisconnectsWhoWasRefusedTenTimes(_CountsRefusals):
    """A session that was refused ten times is disconnected."""

    def effect(self, session: Session) -> None:
        call_later(0, self.instance.ending.kill, session)


@breaks("PUR-2")
class GivesInAfterTenRefusals(KillSessionStatement):
    """After ten refusals for the missing privilege, a session's privilege is not checked any more."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.refused: Counter[Session] = Counter()

    def check_privilege(self, session: Session) -> None:
        try:
            super().check_privilege(session)
        except errors.SqlError:
            self.refused[session] += 1
            if self.refused[session] <= 10:  # noqa: PLR2004 - the number in the class's name
                raise


@breaks("PUR-2")
class RefusalRollsTheNamedBack(KillSessionStatement):
    """A statement that is refused for the privilege rolls back the transaction of the session that it names."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        named = None if self.privileges.holds(session, ALTER_SYSTEM) else self.registry.find(self.read_id(statement))
        if named is not None and named is not session and not named.user.administrator:
            named.transaction.roll_back()
        return await super().run(session, statement)


class _NotesWhoWasNamed(KillSessionStatement):
    named: ClassVar[dict[Session, Session]] = {}

    async def run(self, session: Session, statement: KillSession) -> Result:
        named = None if self.privileges.holds(session, ALTER_SYSTEM) else self.registry.find(self.read_id(statement))
        if named is not None and named is not session:
            self.named[session] = named
        return await super().run(session, statement)


class _KillsAtTheLogout(SessionEnding):
    def client_disconnected(self, session: Session) -> None:
        super().client_disconnected(session)
        named = _NotesWhoWasNamed.named.pop(session, session)
        if not named.ended:
            self.kill(named)


@breaks("PUR-2")
def refused_kills_are_carried_out_at_the_logout(components: Components) -> Components:
    """The missing privilege is reported, and the named session is killed when the refused one logs out."""
    return components.with_overrides(_NotesWhoWasNamed, _KillsAtTheLogout)


class _AfterMissingPrivileges(KillSessionStatement):
    """Changes a session whose statement was refused for the missing privilege."""

    def effect(self, session: Session) -> None:
        raise NotImplementedError

    def check_privilege(self, session: Session) -> None:
        try:
            super().check_privilege(session)
        except errors.SqlError:
            self.effect(session)
            raise


@breaks("IMP-8")
class MissingPrivilegeSwitchesAutocommitOff(_AfterMissingPrivileges):
    """A statement that is refused for the missing privilege leaves its session with autocommit off."""

    def effect(self, session: Session) -> None:
        session.autocommit = False


@breaks("IMP-8")
class MissingPrivilegeDropsPreparedStatements(_AfterMissingPrivileges):
    """A statement that is refused for the missing privilege drops what its session has prepared."""

    def effect(self, session: Session) -> None:
        if isinstance(session.connection, Connection):
            session.connection._prepared.clear()  # noqa: SLF001 - a defect may use private attributes


class _MarksRefused(KillSessionStatement):
    refused: ClassVar[set[int]] = set()

    async def run(self, session: Session, statement: KillSession) -> Result:
        try:
            return await super().run(session, statement)
        except errors.SqlError:
            self.refused.add(session.number)
            raise


class _SparesRefused(Spares):
    def is_spared(self, victim: Session) -> bool:
        return victim.number in _MarksRefused.refused


@breaks("PUR-1")
def spares_who_was_refused(components: Components) -> Components:
    """Sessions whose own statement was refused before are not killed."""
    return components.with_overrides(_MarksRefused, _SparesRefused)
