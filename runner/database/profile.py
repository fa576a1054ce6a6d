"""Profiles: the statements and errors of a kind of server, as data (``runner/profiles/*.yaml``)."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from runner.database.naming import needs_quotes
from runner.database.outcome import Outcome, ServerError
from runner.database.profile_files import open_profile
from runner.language.guarded_statements import called_routine
from runner.language.message_text import did_you_mean
from runner.language.yaml_file import Document, KeyPath

_HOLES = {
    "create_user": frozenset({"user", "password"}),
    "drop_user": frozenset({"user"}),
    "list_users": frozenset({"prefix"}),
    "list_tables": frozenset({"prefix"}),
    "list_roles": frozenset({"prefix"}),
    "end_session": frozenset({"id"}),
    "grant": frozenset({"privilege", "user"}),
    "drop_role": frozenset({"role"}),
    "table_name": frozenset({"administrator", "name"}),
    "create_table": frozenset({"table", "name"}),
    "insert_row": frozenset({"table", "id", "val"}),
    "grant_table": frozenset({"table", "user"}),
    "drop_table": frozenset({"table", "name"}),
}
"""What is filled in, by purpose; the others are sent as they stand."""

_ALSO_SAID = {"drop_role": "DROP ROLE {role}", "drop_user": "DROP USER {user} CASCADE"}
"""Purposes for which the cases send statements too, and how they spell these."""

DEFAULT_PROFILE = "oceanbase-oracle"
_FLAGS = re.IGNORECASE | re.DOTALL


@dataclass(frozen=True)
class ErrorPattern:
    """A description of errors; a part that is None fits every error."""

    code: int | None
    sqlstate: str | None
    text: str | None

    def fits(self, error: ServerError) -> bool:
        """Whether all parts that are given fit."""
        return (
            (self.code is None or self.code == error.code)
            and (self.sqlstate is None or self.sqlstate == error.sqlstate)
            and (self.text is None or re.search(self.text, error.message, _FLAGS) is not None)
        )


@dataclass(frozen=True)
class Spelling:
    """A statement of the cases, and what this server is sent instead."""

    statement: str
    becomes: str

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        parts = re.split(r"\{(\w+)\}", self.statement)
        texts = [re.escape(part) if index % 2 == 0 else f"(?P<{part}>[^']*)" for index, part in enumerate(parts)]
        return re.compile("".join(texts))

    def apply(self, statement: str) -> str | None:
        """The statement as this server spells it, or None if it isn't the one meant here."""
        match = self._pattern.fullmatch(statement)
        return None if match is None else self.becomes.format(**match.groupdict())


@dataclass(frozen=True)
class Exemption:
    """Requirements and cases that don't apply to such a server, and why."""

    requirements: frozenset[str]
    cases: frozenset[str]
    reason: str


@dataclass(frozen=True)
class Withheld:
    """Statements that are not sent to this kind of server, and the reason."""

    statement: re.Pattern[str]
    reason: str


@dataclass(frozen=True)
class Profile:
    """One kind of server."""

    name: str
    title: str
    client_flag: int
    sql: Mapping[str, tuple[str, ...]]
    privileges: Mapping[str, tuple[str, ...]]
    words: Mapping[str, tuple[str, ...]]
    drawbacks: Mapping[str, str]
    """The drawback of a text of a word, by the text: it is used only if the server accepts no other."""
    errors: Mapping[str, tuple[ErrorPattern, ...]]
    retry: tuple[ErrorPattern, ...]
    spellings: tuple[Spelling, ...]
    exemptions: tuple[Exemption, ...]
    lacks: Mapping[str, str] = field(default_factory=dict)
    """What this kind of server doesn't have: the reason, by the name of the register's capability."""
    withheld: tuple[Withheld, ...] = ()
    administrators: tuple[str, ...] = ()
    """The users, in upper case, of whom one can end every user's sessions; empty where privileges decide that."""
    quotes: Mapping[str, str] = field(default_factory=dict)
    """The quotes around a user name with small letters: in a ``statement``, and in a ``login`` if it needs any."""
    fixes: Mapping[str, str] = field(default_factory=dict)
    """What the doctor advises where something is missing."""
    document: Document | None = field(default=None, compare=False, repr=False)
    """The file, for the places of its names."""

    def statements(self, purpose: str, **values: object) -> list[str]:
        """The statements for a purpose of the runner's own, filled in; a ``user`` is quoted if its name needs it."""
        if "user" in values:
            values["user"] = self.quoted(str(values["user"]))
        return [statement.format(**values) for statement in self.sql[purpose]]

    def statement(self, purpose: str, **values: object) -> str:
        """The one statement for a purpose."""
        return self.statements(purpose, **values)[0]

    def grants(self, privilege: str, user: str) -> list[str]:
        """The statements that grant a privilege; none where the server knows no such privilege."""
        own = self.privileges.get(privilege, self.sql["grant"])
        return [statement.format(privilege=privilege, user=self.quoted(user)) for statement in own]

    def quoted(self, user: str, where: str = "statement") -> str:
        """A user's name as it is written in a statement or in a login, in quotes if it has small letters.

        Args:
            user: the name.
            where: ``statement`` or ``login``.
        """
        quote = self.quotes.get(where, "") if needs_quotes(user) else ""
        return f"{quote}{user}{quote}"

    def spell(self, statement: str) -> str:
        """A statement of the cases in the profile's spelling."""
        body = statement.rstrip().removesuffix(";")
        spelling = self.spelling_of(statement)
        spelled = spelling.apply(body) if spelling is not None else None
        return statement if spelled is None else spelled + statement[len(body) :]

    def spelling_of(self, statement: str) -> Spelling | None:
        """The spelling that a statement of the cases has here, if it isn't its own."""
        body = statement.rstrip().removesuffix(";")
        return next((spelling for spelling in self.spellings if spelling.apply(body) is not None), None)

    @cached_property
    def spelled_words(self) -> frozenset[str]:
        """The words of its own spellings, in which nothing is filled in yet."""
        texts = (re.sub(r"\{\w*\}", " ", spelling.becomes) for spelling in self.spellings)
        return frozenset(word for text in texts for word in re.findall(r"[A-Za-z_]+", text))

    @cached_property
    def spelled_routines(self) -> frozenset[str]:
        """The procedures and functions that its own spellings call."""
        texts = (re.sub(r"\{\w*\}", "1", spelling.becomes) for spelling in self.spellings)
        return frozenset(routine for text in texts if (routine := called_routine(text)) is not None)

    def classes_of(self, error: ServerError) -> list[str]:
        """The error classes that an error belongs to."""
        return [name for name, patterns in self.errors.items() if any(pattern.fits(error) for pattern in patterns)]

    def missing_error_class(self, error_class: str) -> str | None:
        """The problem and the fix if the profile lacks an error class; None if it has it, even as an empty list."""
        if error_class in self.errors:
            return None
        return (
            f"the profile {self.name!r} doesn't define the error class {error_class!r}: "
            f"add errors: {{{error_class}: [\u2026]}}"
        )

    def is_transient(self, outcome: Outcome) -> bool:
        """Whether an outcome is an error that disappears if the statement is sent again."""
        return isinstance(outcome, ServerError) and any(pattern.fits(outcome) for pattern in self.retry)

    def withholds(self, statement: str) -> str | None:
        """The reason why a statement, in its spelling, is not sent to such a server; None if it is sent."""
        return next((each.reason for each in self.withheld if each.statement.search(statement)), None)

    def other_administrators(self, user: str) -> str | None:
        """Who may end every user's sessions where this user may not, whatever its privileges; None if it may."""
        named = bool(self.administrators) and user.upper() not in self.administrators
        return " or ".join(self.administrators) if named else None

    def sending_all(self) -> Profile:
        """The same profile for a server to which everything may be sent."""
        return replace(self, withheld=())

    def exemption_reason(self, requirement: str, *names: str) -> str | None:
        """The reason why a case with these names is not applicable; None if it applies."""
        for exemption in self.exemptions:
            if requirement in exemption.requirements or exemption.cases.intersection(names):
                return exemption.reason
        return None


def load_profile(name_or_file: str) -> Profile:
    """Reads a profile by its name, or from a file of the user's own, with all that it extends.

    Raises:
        SourceError: there is no such profile, or a file isn't one.
    """
    document = open_profile(name_or_file)
    data: Mapping[str, Any] = document.data
    _check_holes(document)
    return Profile(
        name=data["name"],
        title=data["title"],
        client_flag=sum(1 << bit for bit in set(data.get("client_flag_bits", ()))),
        sql={purpose: _several(value) for purpose, value in data["sql"].items()},
        privileges={name: _several(value) for name, value in data.get("privileges", {}).items()},
        words={name: tuple(text for text, _ in _spellings(value)) for name, value in data["words"].items()},
        drawbacks={
            text: drawback for value in data["words"].values() for text, drawback in _spellings(value) if drawback
        },
        errors={name: _patterns(document, ("errors", name), rows) for name, rows in data["errors"].items()},
        retry=_patterns(document, ("retry",), data.get("retry", ())),
        spellings=(*(Spelling(row["statement"], row["becomes"]) for row in data.get("spellings", ())), *_implied(data)),
        exemptions=tuple(
            Exemption(frozenset(row.get("requirements", ())), frozenset(row.get("cases", ())), row["reason"])
            for row in data.get("not_applicable", ())
        ),
        lacks=data.get("lacks", {}),
        withheld=tuple(
            Withheld(document.expression(("withheld", index, "statement"), row["statement"], _FLAGS), row["reason"])
            for index, row in enumerate(data.get("withheld", ()))
        ),
        administrators=tuple(name.upper() for name in data.get("administrators", ())),
        quotes=data.get("quotes", {}),
        fixes=data.get("fixes", {}),
        document=document,
    )


def _implied(data: Mapping[str, Any]) -> Iterator[Spelling]:
    """The spellings of statements of the cases that the runner sends for itself too, and that ``sql`` spells."""
    for purpose, statement in _ALSO_SAID.items():
        own = _several(data["sql"][purpose])
        if len(own) == 1 and own[0] != statement:
            yield Spelling(statement, own[0])


def _patterns(document: Document, keys: KeyPath, rows: Sequence[Mapping[str, Any]]) -> tuple[ErrorPattern, ...]:
    """Reads descriptions of errors, and checks their regular expressions."""
    for index, row in enumerate(rows):
        if "text" in row:
            document.expression((*keys, index, "text"), row["text"], _FLAGS)
    return tuple(ErrorPattern(row.get("code"), row.get("sqlstate"), row.get("text")) for row in rows)


def _check_holes(document: Document) -> None:
    """Checks that every {hole} of a text is one that the runner fills in there."""
    data = document.data
    texts: list[tuple[KeyPath, str, frozenset[str]]] = []
    for purpose, value in data["sql"].items():
        texts += [(("sql", purpose), text, _HOLES.get(purpose, frozenset())) for text in _several(value)]
    for name, value in data.get("privileges", {}).items():
        texts += [(("privileges", name), text, _HOLES["grant"]) for text in _several(value)]
    for name, value in data["words"].items():
        texts += [(("words", name), text, frozenset({"seconds"})) for text, _ in _spellings(value)]
    for name, text in data.get("fixes", {}).items():
        texts.append((("fixes", name), text, frozenset({"administrator", "name"})))
    for index, spelling in enumerate(data.get("spellings", ())):
        keys: KeyPath = ("spellings", index)
        holes = _holes(document, (*keys, "statement"), spelling["statement"])
        if len(holes) != len(set(holes)):
            raise document.fail((*keys, "statement"), "it contains {name} twice", "each name once")
        texts.append(((*keys, "becomes"), spelling["becomes"], frozenset(holes)))
    for keys, text, known in texts:
        for hole in _holes(document, keys, text):
            if hole not in known:
                raise document.fail(keys, f"{{{hole}}} has no value here", did_you_mean(hole, known))


def _holes(document: Document, keys: KeyPath, text: str) -> list[str]:
    try:
        parts = list(string.Formatter().parse(text))
    except ValueError as error:
        raise document.fail(
            keys, f"{text!r} has a misplaced brace: {error}", "write a literal brace twice: {{"
        ) from error
    if any(form or conversion for _, _, form, conversion in parts):
        raise document.fail(keys, f"{text!r} has a {{placeholder}} with a : or ! in it", "write {name} only")
    return [hole for _, hole, _, _ in parts if hole is not None]


def _spellings(value: str | list[str | Mapping[str, str]]) -> list[tuple[str, str]]:
    """The spellings of a word, each with what speaks against it."""
    rows = [value] if isinstance(value, str) else value
    return [(row, "") if isinstance(row, str) else (row["text"], row["drawback"]) for row in rows]


def _several(value: str | list[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)
