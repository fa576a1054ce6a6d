"""The outcomes of a statement or a login: a reply, a lost connection, or no reply in time."""

from __future__ import annotations

import re
from dataclasses import dataclass

from runner.language.message_text import shorten

VARIABLE_PARTS = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`|\bKSC\w*|\d+", re.IGNORECASE)
"""The parts in which equivalent replies differ: quoted text, generated names, numbers."""


@dataclass(frozen=True)
class Ok:
    """An OK without a result set; ``earlier``: the number of results that the server sent before it."""

    affected: int = 0
    warnings: int = 0
    earlier: int = 0

    def __str__(self) -> str:
        text = f"OK, {self.affected} rows affected" + (f", {self.warnings} warnings" if self.warnings else "")
        return text + (f", after {self.earlier} more results" if self.earlier else "")


@dataclass(frozen=True)
class Rows:
    """A result set; every value is text, as received, or None for NULL."""

    columns: tuple[str, ...]
    values: tuple[tuple[str | None, ...], ...]

    def __str__(self) -> str:
        rows = "; ".join(", ".join("NULL" if value is None else value for value in row) for row in self.values)
        return f"{len(self.values)} rows" + (f": {shorten(rows)}" if rows else "")


@dataclass(frozen=True)
class ServerError:
    """An error packet; ``login_statement``: the statement of the login to which it is the reply, if it is one."""

    code: int
    sqlstate: str
    message: str
    login_statement: str = ""

    @property
    def signature(self) -> str:
        """The code and the message without quoted texts, generated names and numbers, which differ between runs."""
        return f"{self.code} {VARIABLE_PARTS.sub('…', self.message)}"

    def __str__(self) -> str:
        to_login = f"to the login's {self.login_statement}: " if self.login_statement else ""
        return f"{to_login}error {self.code} ({self.sqlstate or 'no sqlstate'}): {shorten(self.message)}"


@dataclass(frozen=True)
class Lost:
    """The connection was closed or reset.

    Attributes:
        rows: the number of rows of the reply that were received before.
        how: how the loss was noticed, for messages.
        awaited: the packet of the login that was not received.
        refused: whether the server refused the login because it accepts no client at the moment.
        connection_limit: whether that is because a limit of connections is reached.
        login_statement: as in an error.
        before_greeting: whether the server had sent nothing yet: it did not know the user.
    """

    how: str
    awaited: str = ""
    refused: bool = False
    login_statement: str = ""
    connection_limit: bool = False
    rows: int = 0
    before_greeting: bool = False

    def __str__(self) -> str:
        if self.awaited:
            return f"no {self.awaited} ({self.how})"
        return f"connection lost ({self.how}{f' after {self.rows} rows' if self.rows else ''})"


@dataclass(frozen=True)
class NoReply:
    """No reply within the time limit; the connection may still be open; ``awaited`` is the missing packet."""

    seconds: float
    awaited: str = "reply"

    def __str__(self) -> str:
        return f"no {self.awaited} within {self.seconds:g} s"


@dataclass(frozen=True)
class Unreadable:
    """Bytes that are no reply in this protocol, and not the end of the connection either; ``how`` is for messages."""

    how: str

    def __str__(self) -> str:
        return f"an unreadable reply ({self.how})"


@dataclass(frozen=True)
class LoginAborted:
    """A login that the client aborts, for example because the server offers no TLS: the reason and the fix."""

    why: str

    def __str__(self) -> str:
        return self.why


Outcome = Ok | Rows | ServerError | Lost | NoReply | Unreadable | LoginAborted


def succeeded(outcome: Outcome) -> bool:
    """Whether the server executed the statement."""
    return isinstance(outcome, Ok | Rows)


def has_reply(outcome: Outcome) -> bool:
    """Whether the server replied; a missing reply may be a problem of the network."""
    return isinstance(outcome, Ok | Rows | ServerError)
