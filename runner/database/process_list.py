"""Reads the reply to SHOW PROCESSLIST without assumptions about types, columns or words; recognizes ODP's list."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from runner.database.naming import is_same_name
from runner.database.outcome import Rows

LAG = 2.0  # seconds by which a process list may lag
_LONGEST = 20  # digits of a 64-bit number
_ODPS_COLUMNS = {"trans_count", "svr_session_count"}


@dataclass(frozen=True)
class Row:
    """One session in the list. ``id`` is the number as text, whatever type it had on the wire."""

    id: str
    user: str
    fields: Mapping[str, str | None]

    @property
    def number(self) -> int | None:
        """The id as a number, or None where it is none."""
        plain = self.id.isascii() and self.id.isdecimal() and len(self.id) <= _LONGEST
        return int(self.id) if plain else None

    @property
    def no_number_reason(self) -> str:
        """Why the id is no number that the suite can send; for rows without ``number``."""
        if self.id.isascii() and self.id.isdecimal():
            return f"has {len(self.id)} digits, more than a 64-bit number has"
        return "is no decimal number" if self.id else "is empty or NULL"

    @property
    def numbers_in_id(self) -> frozenset[int]:
        """The numbers as which an id that is no number may be read: its groups of digits; none for other ids."""
        if self.number is not None:
            return frozenset()
        return frozenset(map(int, re.findall(r"[0-9]{1,20}", self.id, re.ASCII)))

    def get(self, column: str) -> str | None:
        """A column by its name in any letter case; None is NULL or no such column."""
        return self.fields.get(column.casefold())

    @property
    def activity(self) -> tuple[str | None, str | None, str | None]:
        """What the session does, in the server's own words."""
        return (self.get("command"), self.get("state"), self.get("info"))

    @property
    def shown_activity(self) -> str:
        """The same for a message, with the columns' names."""
        named = zip(("COMMAND", "STATE", "INFO"), self.activity, strict=True)
        return ", ".join(f"{column} {'NULL' if value is None else value}" for column, value in named)


@dataclass(frozen=True)
class ProcessList:
    """A list as one session saw it at one moment."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    @classmethod
    def read(cls, reply: Rows) -> ProcessList:
        """Reads a result set; without a column ID or USER the first and second column of the specification are used."""
        names = [column.casefold() for column in reply.columns]
        id_at = names.index("id") if "id" in names else 0
        user_at = names.index("user") if "user" in names else 1
        rows = tuple(
            Row(
                normal_id(values[id_at] or ""),
                (values[user_at] if user_at < len(values) else None) or "",
                dict(zip(names, values, strict=False)),
            )
            for values in reply.values
        )
        return cls(reply.columns, rows)

    def of_user(self, user: str) -> Iterator[Row]:
        """The rows of one user; a tenant after the name (``user@tenant``) is ignored."""
        return (
            row
            for row in self.rows
            if is_same_name(row.user, user)
            or (row.user[len(user) :].startswith("@") and is_same_name(row.user[: len(user)], user))
        )

    def with_id(self, session_id: str) -> list[Row]:
        """The rows with an id: none or one, or several if ids are not unique on the server."""
        return [row for row in self.rows if row.id == session_id]


def normal_id(text: str) -> str:
    """An id as plain digits, where a DECIMAL has a fraction of zeros or blanks around it."""
    text = text.strip()
    whole, dot, fraction = text.partition(".")
    return whole if dot and not fraction.strip("0") else text


def is_odps(shown: ProcessList) -> bool:
    """Whether a process list is ODP's own and no server's: no server's has these columns, whatever its version."""
    return {column.casefold() for column in shown.columns} >= _ODPS_COLUMNS
