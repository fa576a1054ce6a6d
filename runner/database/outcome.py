"""What a statement or a login came to, as a value."""

from __future__ import annotations

from dataclasses import dataclass

_SHOWN_LENGTH = 300


@dataclass(frozen=True)
class Ok:
    """An OK without a result set."""

    affected: int = 0
    warnings: int = 0

    def __str__(self) -> str:
        return f"OK, {self.affected} rows affected" + (f", {self.warnings} warnings" if self.warnings else "")


@dataclass(frozen=True)
class Rows:
    """A result set; every value is text, as it came, or None for NULL."""

    columns: tuple[str, ...]
    values: tuple[tuple[str | None, ...], ...]

    def __str__(self) -> str:
        rows = "; ".join(", ".join("NULL" if value is None else value for value in row) for row in self.values)
        return f"{len(self.values)} rows" + (f": {shorten(rows)}" if rows else "")


@dataclass(frozen=True)
class ServerError:
    """An error packet; ``during`` is the statement of a login's own that it answers, if it answers one."""

    code: int
    sqlstate: str
    message: str
    during: str = ""

    def __str__(self) -> str:
        during = f"to the login's {self.during}: " if self.during else ""
        return f"{during}error {self.code} ({self.sqlstate or 'no sqlstate'}): {shorten(self.message)}"


@dataclass(frozen=True)
class Lost:
    """The connection is gone: closed or reset.

    Attributes:
        how: how it shows, for people.
        missing: what a login did not get then.
        turned_away: whether the server said that it takes no client at the moment.
        full: whether that is because it has as many as it takes.
        during: as in an error.
    """

    how: str
    missing: str = ""
    turned_away: bool = False
    during: str = ""
    full: bool = False

    def __str__(self) -> str:
        return f"no {self.missing} ({self.how})" if self.missing else f"connection lost ({self.how})"


@dataclass(frozen=True)
class NoReply:
    """No answer within the time limit; the connection may still be there. ``missing`` is what a login did not get."""

    seconds: float
    missing: str = "reply"

    def __str__(self) -> str:
        return f"no {self.missing} within {self.seconds:g} s"


@dataclass(frozen=True)
class Unreadable:
    """What came is no reply in this protocol: neither an answer nor the end of the session. ``how`` is for people."""

    how: str

    def __str__(self) -> str:
        return f"an unreadable reply ({self.how})"


@dataclass(frozen=True)
class GivenUp:
    """A login that the client gives up, as where TLS was asked for and is not to be had: why, and what to do."""

    why: str

    def __str__(self) -> str:
        return self.why


Outcome = Ok | Rows | ServerError | Lost | NoReply | Unreadable | GivenUp


def succeeded(outcome: Outcome) -> bool:
    """Whether the server did what it was told."""
    return isinstance(outcome, Ok | Rows)


def answered(outcome: Outcome) -> bool:
    """Whether the server answered at all, yes or no: what did not come may be the network's fault."""
    return isinstance(outcome, Ok | Rows | ServerError)


def shorten(text: str, length: int = _SHOWN_LENGTH) -> str:
    """One line that is fit to print: control characters escaped, the rest cut."""
    line = "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)
    return line if len(line) <= length else line[: length - 1] + "…"
