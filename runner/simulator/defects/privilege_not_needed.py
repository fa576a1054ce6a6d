"""Defects: the statement has its effect without the privilege, for some users, sessions, ids or forms."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

from typing import Any

from runner.simulator import errors
from runner.simulator.catalogue import breaks
from runner.simulator.components import Components
from runner.simulator.defects.histories_of_sessions import NotesResets
from runner.simulator.defects.senders import in_a_transaction
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.execute.results import Done, Result
from runner.simulator.execute.server_instance import Instance
from runner.simulator.sessions import Session
from runner.simulator.sql import statements as sql
from runner.simulator.sql.statements import KillSession
from runner.simulator.timers import call_later
from runner.simulator.users_and_roles import ALTER_SYSTEM


@breaks("PUR-2")
class NeedsNoPrivilege(KillSessionStatement):
    """Every user may kill every session."""

    def check_privilege(self, session: Session) -> None:
        pass


@breaks("PUR-2")
class OwnSessionNeedsNoPrivilege(KillSessionStatement):
    """A session may kill itself without the privilege."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        if self.read_id(statement) == session.number:
            await self.end(session, session, statement)
            return self.reply()
        return await super().run(session, statement)


@breaks("PUR-2")
class SerialFormNeedsNoPrivilege(KillSessionStatement):
    """With a serial# the privilege is not checked."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        if "," in statement.text:
            await self.end(session, self.find(self.read_id(statement)), statement)
            return self.reply()
        return await super().run(session, statement)


@breaks("PUR-2")
class ImmediateNeedsNoPrivilege(KillSessionStatement):
    """With IMMEDIATE the privilege is not checked."""

    async def run(self, session: Session, statement: KillSession) -> Result:
        if statement.immediate:
            await self.end(session, self.find(self.read_id(statement)), statement)
            return self.reply()
        return await super().run(session, statement)


@breaks("PUR-2")
class ChecksAfterTheEffect(KillSessionStatement):
    """Without the privilege the session is killed, and then the missing privilege is reported."""

    def check_privilege(self, session: Session) -> None:
        pass

    async def end(self, session: Session, victim: Session, statement: KillSession) -> None:
        await super().end(session, victim, statement)
        super().check_privilege(session)


@breaks("PUR-2")
class RefusesAndEndsLater(KillSessionStatement):
    """The missing privilege is reported, and a moment later the session is killed."""

    delay = 0.05  # seconds

    async def run(self, session: Session, statement: KillSession) -> Result:
        try:
            return await super().run(session, statement)
        except errors.SqlError:
            victim = self.registry.find(self.read_id(statement))
            if victim is not None:
                call_later(self.delay, self.ending.kill, victim)
            raise


@breaks("PUR-2")
class RefusesAndEndsMuchLater(RefusesAndEndsLater):
    """The missing privilege is reported, and one and a half seconds later the session is killed."""

    delay = 1.5


@breaks("PUR-2")
class ChecksOnceForAll(KillSessionStatement):
    """After the first statement with the privilege, the privilege is not checked any more."""

    shown = False

    def check_privilege(self, session: Session) -> None:
        if not self.shown:
            super().check_privilege(session)
            self.shown = True


class _RepliesOk(Engine):
    """Replies OK to KILL with some texts if the privilege is missing."""

    def __init__(self, instance: Instance) -> None:
        super().__init__(instance)
        self.kill = instance.kill

    def gets_ok(self, statement: sql.KillSession) -> bool:
        raise NotImplementedError

    async def run(self, session: Session, statement: sql.Statement, depth: int = 0) -> Result:
        lacks = not self.instance.privileges.holds(session, ALTER_SYSTEM)
        if lacks and isinstance(statement, sql.KillSession) and self.gets_ok(statement):
            return Done()
        return await super().run(session, statement, depth)


@breaks("PUR-2")
class UnknownIdsNeedNoPrivilege(_RepliesOk):
    """Without the privilege an unknown id gets OK."""

    def gets_ok(self, statement: sql.KillSession) -> bool:
        number = self.kill.read_id(statement)
        return number != 0 and self.instance.registry.find(number) is None


@breaks("PUR-2")
class ZeroNeedsNoPrivilege(_RepliesOk):
    """Without the privilege the id 0 gets OK."""

    def gets_ok(self, statement: sql.KillSession) -> bool:
        return statement.text.partition(",")[0].strip() == "0"


@breaks("PUR-2")
class TextThatIsNoIdNeedsNoPrivilege(_RepliesOk):
    """Without the privilege a text that is not an id gets OK."""

    def gets_ok(self, statement: sql.KillSession) -> bool:
        return not statement.text.partition(",")[0].strip().isdigit()


@breaks("PUR-2")
class ChecksThePrivilegeOfAPreparedStatementOnce(KillSessionStatement):
    """The privilege is checked only at the first execution of a prepared statement."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._checked: set[tuple[int, str | None]] = set()

    def check_privilege(self, session: Session) -> None:
        key = (session.number, session.statement)
        if session.prepared and key in self._checked:
            return
        self._checked.add(key)
        self.privileges.require(session, ALTER_SYSTEM)


class _TrustsResetSessions(KillSessionStatement):
    def check_privilege(self, session: Session) -> None:
        if session not in NotesResets.reset:
            super().check_privilege(session)


@breaks("PUR-2")
def reset_sessions_need_no_privilege(components: Components) -> Components:
    """In a session that a connection pool has reset (COM_RESET_CONNECTION), the privilege is not checked."""
    return components.with_overrides(NotesResets, _TrustsResetSessions)


@breaks("PUR-2")
class PaddedIdsNeedNoPrivilege(KillSessionStatement):
    """If there are blanks around the id, the privilege is not checked."""

    padded = False

    async def run(self, session: Session, statement: KillSession) -> Result:
        text = statement.text.partition(",")[0]
        self.padded = text != text.strip()
        return await super().run(session, statement)

    def check_privilege(self, session: Session) -> None:
        if not self.padded:
            super().check_privilege(session)


class _ChecksAfterTheLookup(KillSessionStatement):
    named: Session | None = None

    async def run(self, session: Session, statement: KillSession) -> Result:
        self.named = self.registry.find(self.read_id(statement)) if statement.text[:1].isdigit() else None
        return await super().run(session, statement)


@breaks("PUR-2")
class AdministratorsSessionNeedsNoPrivilege(_ChecksAfterTheLookup):
    """Without the privilege, sessions of the administrator can be killed."""

    def check_privilege(self, session: Session) -> None:
        if self.named is None or not self.named.user.administrator:
            super().check_privilege(session)


@breaks("PUR-2")
class WaiterNeedsNoPrivilege(_ChecksAfterTheLookup):
    """Without the privilege, sessions that wait for a row lock can be killed."""

    def check_privilege(self, session: Session) -> None:
        if self.named is None or not self.named.waits_for_lock:
            super().check_privilege(session)


@breaks("IMP-4")
class AdministratorsIdHasAnErrorOfItsOwn(_ChecksAfterTheLookup):
    """Without the privilege, the id of a session of the administrator gets another error than other ids."""

    def check_privilege(self, session: Session) -> None:
        if (
            self.named is not None
            and self.named.user.administrator
            and not self.privileges.holds(session, ALTER_SYSTEM)
        ):
            raise errors.not_the_owner(self.named.number)
        super().check_privilege(session)


@breaks("PUR-2")
class NeedsNoPrivilegeInTransactions(KillSessionStatement):
    """The privilege is not checked while the sending session is in a transaction."""

    async def run(self, session: Session, statement: sql.KillSession) -> Result:
        self.exempt = in_a_transaction(session)
        return await super().run(session, statement)

    def check_privilege(self, session: Session) -> None:
        if not self.exempt:
            super().check_privilege(session)


@breaks("PUR-2")
class NeedsNoPrivilegeForRunningSessions(NeedsNoPrivilegeInTransactions):
    """The privilege is not checked if the named session executes a statement."""

    async def run(self, session: Session, statement: sql.KillSession) -> Result:
        named = self.registry.find(self.read_id(statement))
        self.exempt = named is not None and named is not session and named.waiting is not None
        return await KillSessionStatement.run(self, session, statement)


@breaks("PUR-2")
class InterruptsWhenRefused(KillSessionStatement):
    """A statement that is refused for a missing privilege interrupts the statement of the named session."""

    async def run(self, session: Session, statement: sql.KillSession) -> Result:
        try:
            self.check_privilege(session)
        except errors.SqlError:
            named = self.registry.find(self.read_id(statement))
            if named is not None and named is not session:
                named.interrupt(errors.query_killed())
            raise
        return await super().run(session, statement)
