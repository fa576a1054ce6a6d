"""SHOW PROCESSLIST: the sessions that a user sees, and the row of a session."""

from __future__ import annotations

from runner.simulator.session_privileges import Privileges
from runner.simulator.sessions import Session, SessionRegistry
from runner.simulator.settings import TENANT, Settings
from runner.simulator.users_and_roles import ALTER_SYSTEM, SHOW_PROCESS
from runner.simulator.values import LONGEST_TEXT, Value
from runner.simulator.wire import TYPE_DECIMAL, Column


class ProcessList:
    """The process list. Each column is a method, so that a variant or defect overrides one."""

    def __init__(self, registry: SessionRegistry, privileges: Privileges, settings: Settings) -> None:
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
        """The type of the column ID in the protocol."""
        return TYPE_DECIMAL

    def rows(self, viewer: Session, *, full: bool) -> list[tuple[Value, ...]]:
        """A row for each session that ``viewer`` may see."""
        sees_all = self.sees_all(viewer)
        return [self.row(session, full=full) for session in self.registry if sees_all or self.sees(viewer, session)]

    def sees_all(self, viewer: Session) -> bool:
        """Whether a session may see the sessions of all users."""
        if self.privileges.holds(viewer, SHOW_PROCESS):
            return True
        return self.settings.list_all_to_alter_system and self.privileges.holds(viewer, ALTER_SYSTEM)

    def sees(self, viewer: Session, session: Session) -> bool:
        """Whether a session that may not see all sessions may see this one: one of its own user."""
        return session.user is viewer.user

    def row(self, session: Session, *, full: bool) -> tuple[Value, ...]:
        """One session's row."""
        head = (self.id(session), self.user(session))
        tail = (
            self.host(session),
            session.schema,
            self.command(session),
            session.seconds_in_state(),
            self.state(session),
            self.info(session),
        )
        if full:
            return (*head, TENANT, *tail, self.settings.host, self.settings.port)
        return (*head, *tail)

    def id(self, session: Session) -> Value:
        """ID: the id that the KILL statements accept."""
        return session.number

    def host(self, session: Session) -> str:
        """HOST: the client's address and port."""
        return session.host

    def user(self, session: Session) -> str:
        """USER: the user's name."""
        return session.user.name

    def command(self, session: Session) -> str:
        """COMMAND: whether the session executes a statement."""
        return "Sleep" if session.statement is None else "Query"

    def state(self, session: Session) -> str:
        """STATE: the session's state."""
        return session.state

    def info(self, session: Session) -> str | None:
        """INFO: the running statement, or NULL."""
        return session.statement[:LONGEST_TEXT] if session.statement else None
