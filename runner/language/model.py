"""Cases as values: what a YAML case says, checked and frozen."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from runner.language.problems import Place
from runner.language.template import Template

ADMINISTRATOR = "administrator"
"""The user whom the DSN names, as cases call it."""

REPLY_WORDS = ("ok", "rows", "success", "error", "same-error", "same-rows", "connection-lost", "any")
"""The replies that every register has; the others are its error classes."""


class Level(enum.Enum):
    """How binding a requirement is; only the register says which one a requirement has."""

    MUST = "must"
    SHOULD = "should"
    OBSERVE = "observe"


@dataclass(frozen=True)
class Specification:
    """The document that a register numbers; None is what is not known of it.

    Attributes:
        date: when the document was last changed, as it states it.
        address: its public address.
    """

    title: str
    product: str | None = None
    mode: str | None = None
    date: str | None = None
    address: str | None = None

    def __str__(self) -> str:
        """In one line."""
        known = [part for part in (self.title, self.product, self.mode, self.date, self.address) if part]
        return ", ".join(known) + ("" if self.address else " (public address not known)")


@dataclass(frozen=True)
class Requirement:
    """A row of the register.

    Attributes:
        about: how statements begin that the requirement itself is about, besides the guarded ones. All others only
            prepare a test or look at its effect.
        verbatim: whether it is about the very words of the statement, so that it can't be met by another one.
    """

    id: str
    level: Level
    text: str
    about: tuple[str, ...] = ()
    verbatim: bool = False

    def is_about(self, statement: str) -> bool:
        """Whether a statement is one that the requirement is about."""
        return begins(statement, self.about)


def begins(statement: str, starts: Iterable[str]) -> bool:
    """Whether a statement begins with one of these words, in any letter case and white space."""
    words = _words(statement)
    return any(words.startswith(f"{start.casefold()} ") for start in starts)


def _words(statement: str) -> str:
    return " ".join(statement.casefold().rstrip("; \t\r\n").split()) + " "


@dataclass(frozen=True)
class SessionSpec:
    """A session that a case declares.

    Attributes:
        same_user_as: another session's name, ``administrator``, or None for a user of its own.
        connect: whether it logs in before the first step.
        create: whether the runner creates the user; otherwise the steps do.
        name_extends: the session with whose user's name this user's name begins, or None.
    """

    name: str
    same_user_as: str | None = None
    grants: tuple[str, ...] = ()
    connect: bool = True
    create: bool = True
    name_extends: str | None = None


@dataclass(frozen=True)
class ListedSession:
    """What the process list has to show of one session; None is NULL."""

    session: str
    fields: tuple[tuple[str, Template | None], ...]


@dataclass(frozen=True)
class Expect:
    """One lawful reply.

    Attributes:
        kind: ``ok``, ``rows``, ``success`` (either), ``error`` (any), ``same-error``, ``same-rows``,
            ``connection-lost``, ``any``, or an error class of the vocabulary.
    """

    kind: str
    affected: int | None = None
    warnings: int | None = None
    values: tuple[tuple[Template | None, ...], ...] | None = None
    columns: tuple[str, ...] = ()
    listed: tuple[ListedSession, ...] = ()

    @property
    def error_class(self) -> str | None:
        """The error class of the register that this reply names, if it names one."""
        return None if self.kind in REPLY_WORDS else self.kind

    def __str__(self) -> str:
        details = [f"{self.affected} affected"] if self.affected is not None else []
        details += [f"{self.warnings} warnings"] if self.warnings is not None else []
        if self.values is not None:
            details.append(f"{[[value and value.text for value in row] for row in self.values]}")
        details += [f"columns {', '.join(self.columns)}"] if self.columns else []
        for listed in self.listed:
            shown = ", ".join(f"{column}={wanted.text if wanted else 'NULL'}" for column, wanted in listed.fields)
            details.append(f"a row of {listed.session}" + (f" with {shown}" if shown else ""))
        return self.kind + (f" ({'; '.join(details)})" if details else "")


Reply = tuple[Expect, ...]
"""Lawful alternatives. The empty tuple: the step prepares the test and has to succeed."""

SUCCESS = Expect("success")
ANYTHING = Expect("any")


@dataclass(frozen=True)
class Say:
    """A session sends a statement.

    Attributes:
        later: whether the reply is left to an Await.
        prepared: whether it is sent as a prepared statement.
        prepares: whether it is prepared only; an Execute executes it.
        unread: whether the client reads the beginning of a result set and leaves the rest on the wire.
        sets_state: whether it belongs to a state that a case brings about with ``do``.
    """

    session: str
    statement: Template
    reply: Reply
    later: bool
    prepared: bool
    place: Place
    prepares: bool = False
    unread: bool = False
    sets_state: bool = False


@dataclass(frozen=True)
class Execute:
    """A session executes the statement that it has prepared."""

    session: str
    reply: Reply
    place: Place


@dataclass(frozen=True)
class Await:
    """The reply of a statement that was sent earlier is awaited."""

    session: str
    reply: Reply
    place: Place


@dataclass(frozen=True)
class Wait:
    """Waits until a session is ``running``, ``blocked`` or ``gone``; ``sets_state`` as of Say."""

    session: str
    state: str
    place: Place
    sets_state: bool = False


@dataclass(frozen=True)
class Connect:
    """A session logs in; ``new_id_than`` names a session whose id it must not have, ``name`` how its user is typed."""

    session: str
    reply: Reply
    new_id_than: str | None
    place: Place
    name: Template | None = None


@dataclass(frozen=True)
class Create:
    """The user of a session is created, with the right to log in and nothing else."""

    session: str
    place: Place


@dataclass(frozen=True)
class Leave:
    """A session's client leaves: ``disconnect`` says COM_QUIT first, ``abort`` resets the connection."""

    session: str
    how: str
    place: Place


@dataclass(frozen=True)
class Repeat:
    """Steps that are done several times."""

    times: int
    steps: tuple[Step, ...]
    place: Place


Step = Say | Execute | Await | Wait | Connect | Create | Leave | Repeat


def flat(steps: Iterable[Step]) -> Iterator[Step]:
    """Steps in their order, with those that are repeated in place of their Repeat, each once."""
    for step in steps:
        if isinstance(step, Repeat):
            yield from flat(step.steps)
        else:
            yield step


@dataclass(frozen=True)
class Outcome:
    """A known outcome of a case that observes; what it doesn't say may be anything.

    Attributes:
        sees: how the connections end of the sessions that do: ``closed``, ``reset`` or ``error``.
    """

    name: str
    reply: Reply
    ends: frozenset[str] | None
    connection: str | None = None


@dataclass(frozen=True)
class Case:
    """One runnable case: parameters are filled in, every name is checked.

    Attributes:
        vocabulary: its register's; another register's guarded word must never judge its statements.
        watch: seconds for which the sessions that go on are watched at the end, beyond what every case does.
        settle_times: how many settle times its sessions have to end.
        alone: whether no other case of the process may run meanwhile.
    """

    id: str
    requirement: Requirement
    title: str
    note: str
    sessions: tuple[SessionSpec, ...]
    table: tuple[tuple[int, int], ...] | None
    steps: tuple[Step, ...]
    ends: frozenset[str]
    outcomes: tuple[Outcome, ...]
    repeat: int
    place: Place
    vocabulary: Vocabulary = field(compare=False, repr=False)
    label: str = ""
    watch: int = 0
    settle_times: int = 1
    alone: bool = False

    @property
    def name(self) -> str:
        """The id with the parameters' labels, as pytest shows it."""
        return f"{self.id}[{self.label}]" if self.label else self.id

    @property
    def may_end(self) -> frozenset[str]:
        """Sessions that end or may end; every other session has to go on."""
        return self.ends.union(*(outcome.ends or frozenset() for outcome in self.outcomes))

    @property
    def needs_ids(self) -> bool:
        """Whether a statement of the case names a session's id, or a reply claims rows of sessions in the list."""
        steps = list(flat(self.steps))
        replies = [expect for step in steps for expect in getattr(step, "reply", ())]
        return any(expect.listed for expect in replies) or any(
            isinstance(step, Say) and step.statement.names_ids for step in steps
        )

    @property
    def tells_passwords_of(self) -> frozenset[str]:
        """Sessions whose user's password a statement of the case holds."""
        holes = (hole for step in flat(self.steps) if isinstance(step, Say) for hole in step.statement.holes)
        return frozenset(hole.session for hole in holes if hole.session is not None and hole.part == "password")

    @property
    def named(self) -> frozenset[str]:
        """Sessions whose id a statement of the case names, or that the case says may end."""
        said = (step.statement.named_sessions() for step in flat(self.steps) if isinstance(step, Say))
        return self.may_end.union(*said)


@dataclass(frozen=True)
class Vocabulary:
    """The words that the cases share (cases/requirements.yaml).

    Attributes:
        errors: error classes that a reply may name; profiles hold their codes.
        words: names that a statement may hold as ``${name}``; profiles spell them.
        guarded: a statement with this word (any letter case) can end a session, and passes the guard before it is sent.
        guarded_words: the words that such a statement may hold (upper case); none: all with which SQL doesn't compute.
        harmless: how statements begin that can end no session; none: nobody knows, all that aren't guarded are trusted.
    """

    errors: Mapping[str, str]
    words: Mapping[str, str]
    guarded: str
    harmless: tuple[str, ...] = ()
    guarded_words: frozenset[str] = frozenset()

    def guards(self, statement: str) -> bool:
        """Whether a statement holds the guarded word, also in a name like KILL_SESSION."""
        word = rf"(?<![^\W_]){self.guarded}(?![^\W_])"
        return bool(self.guarded) and re.search(word, statement, re.IGNORECASE) is not None

    def is_harmless(self, statement: str) -> bool:
        """Whether it is one statement that begins as one does which ends no session."""
        return not self.harmless or (";" not in _words(statement) and begins(statement, self.harmless))


@dataclass(frozen=True)
class Register:
    """All requirements by id, in the order of the specification, and the vocabulary of the cases.

    Attributes:
        places: the position of each requirement, by its id.
    """

    requirements: Mapping[str, Requirement] = field(default_factory=dict)
    vocabulary: Vocabulary = field(default_factory=lambda: Vocabulary({}, {}, ""))
    places: Mapping[str, Place] = field(default_factory=dict)
    source: Specification = field(default_factory=lambda: Specification(""))
