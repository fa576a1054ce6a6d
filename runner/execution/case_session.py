"""A session of a case: its declaration, its connection, its user and its id."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from runner.database.session import Session
from runner.execution.case_errors import InconclusiveError
from runner.execution.fixture_pool import Account
from runner.language.model import SessionSpec


@dataclass
class CaseSession:
    """A session of a case: its declaration and its state.

    Attributes:
        spec: the declaration.
        own_account: its user at the login.
        changed_to: its user after COM_CHANGE_USER; None before.
        client: its connection; None before the first login and after a failed one.
        id: its id in the process list; None while unknown.
        no_id_reason: why the id is unknown.
        gone: whether its connection and its row were found gone.
        disconnected: whether its client has closed the connection.
    """

    spec: SessionSpec
    own_account: Account
    client: Session | None = None
    id: str | None = None
    no_id_reason: str = "it never logged in"
    gone: bool = False
    disconnected: bool = False
    changed_to: Account | None = None

    @property
    def account(self) -> Account:
        """Its present user."""
        return self.changed_to or self.own_account

    @property
    def name(self) -> str:
        """Its name in the case."""
        return self.spec.name

    @property
    def is_connected(self) -> bool:
        """Whether neither side has closed the connection; sends nothing."""
        return self.client is not None and not self.disconnected and self.client.check_connection() is None

    @property
    def required_client(self) -> Session:
        """Its connection, open or closed by the server.

        Raises:
            InconclusiveError: there is none.
        """
        if self.client is None:
            raise InconclusiveError(f"{self.name} is not connected at its next step")
        return self.client


def others_of_same_user(session: CaseSession, sessions: Iterable[CaseSession]) -> list[CaseSession]:
    """The other sessions of the same user."""
    return [other for other in sessions if other.account is session.account and other is not session]
