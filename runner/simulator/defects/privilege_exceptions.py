"""Defects of the privilege check: exceptions for users with similar names, and for ids that no session has."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

from typing import Any

from runner.simulator import errors
from runner.simulator.accounts import ALTER_SYSTEM, User
from runner.simulator.catalogue import breaks
from runner.simulator.defects.roles import AcceptsSomethingElse
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.instance import Instance
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.execute.results import Done, Result
from runner.simulator.sessions import Session
from runner.simulator.sql import statements as sql


@breaks("PUR-2")
class LongerNamesWillDo(AcceptsSomethingElse):
    """Users whose name begins with a holder's name may kill sessions."""

    def is_accepted(self, session: Session) -> bool:
        users = self.privileges.accounts.users.values()
        return any(ALTER_SYSTEM in user.system and session.user.name.startswith(user.name) for user in users)


@breaks("PUR-2")
class ShorterNamesWillDo(AcceptsSomethingElse):
    """Users whose name is the beginning of a holder's name may kill sessions."""

    def is_accepted(self, session: Session) -> bool:
        users = self.privileges.accounts.users.values()
        return any(ALTER_SYSTEM in user.system and user.name.startswith(session.user.name) for user in users)


@breaks("PUR-2")
class TheSameNameInCapitalsWillDo(AcceptsSomethingElse):
    """Users whose name in capitals is a holder's name may kill sessions, as if privileges were kept by folded names."""

    def is_accepted(self, session: Session) -> bool:
        user = self.privileges.accounts.users.get(session.user.name.upper())
        return user is not None and ALTER_SYSTEM in user.system


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
    """Without the privilege an unknown id replies OK."""

    def gets_ok(self, statement: sql.KillSession) -> bool:
        number = self.kill.read_id(statement)
        return number != 0 and self.instance.registry.find(number) is None


@breaks("PUR-2")
class ZeroNeedsNoPrivilege(_RepliesOk):
    """Without the privilege the id 0 replies OK."""

    def gets_ok(self, statement: sql.KillSession) -> bool:
        return statement.text.partition(",")[0].strip() == "0"


@breaks("PUR-2")
class TextThatIsNoIdNeedsNoPrivilege(_RepliesOk):
    """Without the privilege a text that is not an id replies OK."""

    def gets_ok(self, statement: sql.KillSession) -> bool:
        return not statement.text.partition(",")[0].strip().isdigit()


@breaks("PUR-2")
class TheOwnerOfTheSchemaCounts(AcceptsSomethingElse):
    """The privilege of the user counts whose schema is the session's current one."""

    def is_accepted(self, session: Session) -> bool:
        owner = self.privileges.accounts.users.get(session.schema)
        return owner is not None and (owner.administrator or ALTER_SYSTEM in owner.system)


@breaks("PUR-2")
class RefusalsAreRemembered(KillSessionStatement):
    """A user that was refused once for a missing privilege is refused for good, also after GRANT and a new login."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.refused: set[User] = set()

    def check_privilege(self, session: Session) -> None:
        try:
            super().check_privilege(session)
        except errors.SqlError:
            self.refused.add(session.user)
            raise
        if session.user in self.refused:
            raise errors.no_privilege()


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
