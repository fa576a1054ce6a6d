"""SHOW PROCESSLIST: who sees which sessions, and how a session looks in the list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.simulator.accounts import ALTER_SYSTEM, SHOW_PROCESS
from runner.simulator.settings import TENANT
from runner.simulator.values import LONGEST_TEXT
from runner.simulator.wire import TYPE_DECIMAL, Column

if TYPE_CHECKING:
    from runner.simulator.privileges import Privileges
    from runner.simulator.sessions import Registry, Session
    from runner.simulator.settings import Settings
    from runner.simulator.values import Value


class ProcessList:
    """The list of sessions."""

    def __init__(self, registry: Registry, privileges: Privileges, settings: Settings) -> None:
        self.registry = registry
        self.privileges = privileges
        self.settings = settings

    def columns(self, *, full: bool) -> tuple[Column, ...]:
        """The columns, in the order of the specification; FULL adds the tenant and the server's address."""
        head = (Column("ID", self.id_type()), Column("USER"))
        tail = (
            Column("HOST"),
            Column("DB"),
            Column("COMMAND"),
            Column("TIME", TYPE_DECIMAL),
            Column("STATE"),
            Column("INFO"),
        )
        if full:
            return (*head, Column("TENANT"), *tail, Column("IP"), Column("PORT", TYPE_DECIMAL))
        return (*head, *tail)

    def id_type(self) -> int:
        """The type of the id on the wire."""
        return TYPE_DECIMAL

    def rows(self, asker: Session, *, full: bool) -> list[tuple[Value, ...]]:
        """A row for each session that the asking one may see."""
        sees_all = self.sees_all(asker)
        return [self.row(session, full=full) for session in self.registry if sees_all or self.sees(asker, session)]

    def sees_all(self, asker: Session) -> bool:
        """Whether a session may see those of every user."""
        if self.privileges.holds(asker, SHOW_PROCESS):
            return True
        return self.settings.list_all_to_alter_system and self.privileges.holds(asker, ALTER_SYSTEM)

    def sees(self, asker: Session, session: Session) -> bool:
        """Whether a session that does not see all sees this one: its own user's."""
        return session.user is asker.user

    def row(self, session: Session, *, full: bool) -> tuple[Value, ...]:
        """One session's row."""
        head = (self.id(session), self.user(session))
        tail = (
            self.host(session),
            session.schema,
            self.command(session),
            session.seconds(),
            self.state(session),
            self.info(session),
        )
        if full:
            return (*head, TENANT, *tail, self.settings.host, self.settings.port)
        return (*head, *tail)

    def id(self, session: Session) -> Value:
        """The id, as the KILL statements take it."""
        return session.number

    def host(self, session: Session) -> str:
        """Where the client is."""
        return session.host

    def user(self, session: Session) -> str:
        """Whose session it is."""
        return session.user.name

    def command(self, session: Session) -> str:
        """Whether the session executes a statement."""
        return "Sleep" if session.statement is None else "Query"

    def state(self, session: Session) -> str:
        """The state, in the server's own words."""
        return session.state

    def info(self, session: Session) -> str | None:
        """The statement that is being executed."""
        return session.statement[:LONGEST_TEXT] if session.statement else None
