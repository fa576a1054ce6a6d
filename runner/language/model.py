"""The model of the case language: frozen values for cases, steps, replies, requirements and registers."""

from __future__ import annotations

import enum
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from runner.language.placeholder_text import Template
from runner.language.problems import Place

ADMINISTRATOR = "administrator"
"""The name of the DSN's user in cases."""

REPLY_WORDS = ("ok", "rows", "success", "error", "same-error", "same-rows", "connection-lost", "observed")
"""The replies that are the same in all registers; the others are error classes of the register."""


class Level(enum.Enum):
    """The level of a requirement, strictest first; only the register states it."""

    MUST = "must"
    SHOULD = "should"
    OBSERVE = "observe"

    @property
    def rank(self) -> int:
        """The position in the order of levels: 0 is the strictest."""
        return list(Level).index(self)


@dataclass(frozen=True)
class Specification:
    """The specification that a register numbers; None: not known.

    Attributes:
        date: the date of its last change, as stated in it.
        address: its public URL.
    """

    title: str
    product: str | None = None
    mode: str | None = None
    date: str | None = None
    address: str | None = None

    def __str__(self) -> str:
        """All that is known, on one line."""
        known = [part for part in (self.title, self.product, self.mode, self.date, self.address) if part]
        return ", ".join(known) + ("" if self.address else " (public address not known)")


GONE, ACCEPTED, ANSWERED, KNOWN = "gone", "accepted", "answered", "known"
"""What cases presume of the statement under test: a named session is gone, no error, a reply in time, a known id."""


@dataclass(frozen=True)
class Presumed:
    """What the cases of a requirement presume, because other requirements are about it.

    Attributes:
        aspects: constants as above.
        cases: the names of the cases that show whether the statement kills sessions, in plain situations.
        unknown_error: the error class of a refused id.
        compares: whether its cases compare another form of the statement with the plain one, so that a failure of the
            plain one alone is a difference.
    """

    aspects: frozenset[str]
    cases: tuple[str, ...]
    unknown_error: str
    compares: bool = False


@dataclass(frozen=True)
class Requirement:
    """A requirement of the register.

    Attributes:
        about: the first words of its statements under test, besides the guarded statements. Other statements prepare
            the test or check its effect.
        verbatim: whether it is about the wording of the statement, so that a spelling can't replace it.
        needs: the capabilities that all its cases need.
        refused_senders: the requirement, if it has another level, that a session stays usable after its guarded
            statement was refused. Cases of that level judge the loss of such a session, those of this one don't.
        presumed: what its cases presume; None: nothing.
    """

    id: str
    level: Level
    text: str
    about: tuple[str, ...] = ()
    verbatim: bool = False
    needs: tuple[str, ...] = ()
    refused_senders: str | None = None
    presumed: Presumed | None = None

    def judges(self, aspect: str) -> bool:
        """Whether its cases deviate by an aspect that the cases of other requirements presume."""
        return self.presumed is None or aspect not in self.presumed.aspects

    def is_about(self, statement: str) -> bool:
        """Whether a statement is one of its statements under test."""
        return begins(statement, self.about)


_BLOCK_WORDS = re.compile(r"^\s*(?:(?:begin|end|null|exception when others then)(?: +|$))*")
"""The words of a PL/SQL block in front of a statement."""


def begins(statement: str, starts: Iterable[str]) -> bool:
    """Whether a statement begins with one of these texts, in any letter case and white space."""
    words = _words(statement)
    return any(words.startswith(f"{start.casefold()} ") for start in starts)


def _words(statement: str) -> str:
    return " ".join(statement.casefold().rstrip("; \t\r\n").split()) + " "


@dataclass(frozen=True)
class SessionSpec:
    """A session of a case.

    Attributes:
        same_user_as: another session's name, ``administrator``, or None for a separate user.
        connect: whether it logs in before the first step.
        create: whether the runner creates the user; otherwise a step does.
        name_extends: another session; this session's user name begins with the name of that session's user.
        quoted: whether the user's name is a quoted identifier with small letters.
        small_letters_of: another session; this session's user name is the name of that session's user in small letters.
    """

    name: str
    same_user_as: str | None = None
    grants: tuple[str, ...] = ()
    connect: bool = True
    create: bool = True
    name_extends: str | None = None
    quoted: bool = False
    small_letters_of: str | None = None


@dataclass(frozen=True)
class ListedSession:
    """The expected fields of one session's row in the process list; None is NULL.

    Attributes:
        absent: whether the process list has no row of the session.
    """

    session: str
    fields: tuple[tuple[str, Template | None], ...] = ()
    absent: bool = False


@dataclass(frozen=True)
class ExpectedReply:
    """One allowed reply.

    Attributes:
        kind: ``ok``, ``rows``, ``success`` (either), ``error`` (any), ``same-error``, ``same-rows``,
            ``connection-lost``, ``observed``, or an error class of the vocabulary.
    """

    kind: str
    affected: int | None = None
    warnings: int | None = None
    values: tuple[tuple[Template | None, ...], ...] | None = None
    columns: tuple[str, ...] = ()
    listed: tuple[ListedSession, ...] = ()

    @property
    def kept(self) -> frozenset[str]:
        """The names of kept values in it."""
        fields = (wanted for listed in self.listed for _, wanted in listed.fields)
        templates = itertools.chain(fields, *(self.values or ()))
        holes = (hole for template in templates if template is not None for hole in template.holes)
        return frozenset(hole.kept for hole in holes if hole.kept is not None)

    @property
    def error_class(self) -> str | None:
        """The error class of the register, if the reply is one."""
        return None if self.kind in REPLY_WORDS else self.kind

    def __str__(self) -> str:
        details = [f"{self.affected} affected"] if self.affected is not None else []
        details += [f"{self.warnings} warnings"] if self.warnings is not None else []
        if self.values is not None:
            details.append(f"{[[value and value.text for value in row] for row in self.values]}")
        details += [f"columns {', '.join(self.columns)}"] if self.columns else []
        for listed in self.listed:
            shown = ", ".join(f"{column}={wanted.text if wanted else 'NULL'}" for column, wanted in listed.fields)
            a_row = "no row" if listed.absent else "a row"
            details.append(f"{a_row} of {listed.session}" + (f" with {shown}" if shown else ""))
        return self.kind + (f" ({'; '.join(details)})" if details else "")


Claim = tuple[ExpectedReply, ...]
"""The allowed replies. The empty tuple: the step prepares the test and has to succeed."""

SUCCESS = ExpectedReply("success")
OBSERVED = ExpectedReply("observed")


@dataclass(frozen=True)
class Send:
    """A session sends a statement.

    Attributes:
        later: whether a Receive step has the reply.
        prepared: whether it is sent as a prepared statement.
        prepares: whether it is only prepared; an Execute executes it.
        unread: whether the client reads only the beginning of the result set.
        sets_state: whether it is a step of a state, inserted by ``do``.
        keep: a name for the single value of the reply, for later claims.
    """

    session: str
    statement: Template
    reply: Claim
    later: bool
    prepared: bool
    place: Place
    prepares: bool = False
    unread: bool = False
    sets_state: bool = False
    keep: str | None = None


@dataclass(frozen=True)
class Execute:
    """A session executes the statement that it has prepared."""

    session: str
    reply: Claim
    place: Place


@dataclass(frozen=True)
class Receive:
    """A session receives the reply to a statement that it sent earlier."""

    session: str
    reply: Claim
    place: Place


@dataclass(frozen=True)
class Wait:
    """The runner waits until a session is ``running``, ``blocked`` or ``gone``; ``sets_state`` as in Send."""

    session: str
    state: str
    place: Place
    sets_state: bool = False


@dataclass(frozen=True)
class Check:
    """A claim about a session's state. ``unanswered``: the statement that it sent earlier has no reply yet."""

    session: str
    state: str
    place: Place


@dataclass(frozen=True)
class Pause:
    """The runner does nothing for some seconds; sessions are kept active, except those in ``idle``."""

    seconds: int
    place: Place
    idle: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Connect:
    """A session logs in, with the user name ``name``; its id must differ from that of ``id_differs_from``.

    ``client``: what its login has besides, one of the words of the case language; None for nothing.
    """

    session: str
    reply: Claim
    id_differs_from: str | None
    place: Place
    name: Template | None = None
    client: str | None = None


@dataclass(frozen=True)
class Create:
    """The user of a session is created, with no privilege but to log in."""

    session: str
    place: Place


@dataclass(frozen=True)
class Disconnect:
    """A session's client closes the connection: ``disconnect`` sends COM_QUIT first, ``abort`` resets it."""

    session: str
    how: str
    place: Place


@dataclass(frozen=True)
class Reset:
    """A session is set back to its state after a login, by COM_RESET_CONNECTION or COM_CHANGE_USER.

    Attributes:
        to: the session whose user it has from then on (COM_CHANGE_USER); None: it keeps its user.
        sets_state: whether the step belongs to a state, which the server may not have.
    """

    session: str
    to: str | None
    place: Place
    sets_state: bool = False


@dataclass(frozen=True)
class SendHalf:
    """A session's client sends the first half of a statement, and then nothing."""

    session: str
    place: Place


@dataclass(frozen=True)
class Repeat:
    """Steps that are repeated."""

    times: int
    steps: tuple[Step, ...]
    place: Place


@dataclass(frozen=True)
class When:
    """Steps that are run only if the last reply that a session received fits a condition.

    Attributes:
        condition: the replies that fit.
        otherwise: the steps that are run for other replies.
    """

    session: str
    condition: Claim
    steps: tuple[Step, ...]
    otherwise: tuple[Step, ...]
    place: Place


Step = (
    Send | Execute | Receive | Wait | Check | Pause | Connect | Create | Disconnect | Reset | SendHalf | Repeat | When
)


def flat(steps: Iterable[Step]) -> Iterator[Step]:
    """The steps in order, each once: those of a Repeat are in its place, and all those of a When follow it."""
    for step in steps:
        match step:
            case Repeat():
                yield from flat(step.steps)
            case When():
                yield step
                yield from flat((*step.steps, *step.otherwise))
            case _:
                yield step


def replies_of(step: Step) -> Claim:
    """The replies that a step names: its claim, or the condition of a ``when``; none for steps without."""
    return step.condition if isinstance(step, When) else getattr(step, "reply", ())


def _claim_in_any_case(steps: Iterable[Step]) -> bool:
    """Whether steps claim something, whatever the replies to them are."""
    return any(_claims_in_any_case(step) for step in steps)


def _claims_in_any_case(step: Step) -> bool:
    match step:
        case Repeat():
            return _claim_in_any_case(step.steps)
        case When():
            return _claim_in_any_case(step.steps) and _claim_in_any_case(step.otherwise)
        case _:
            return isinstance(step, Check) or bool(getattr(step, "reply", ()))


@dataclass(frozen=True)
class KnownOutcome:
    """A known outcome of a case of level observe; an attribute that is empty or None fits everything.

    Attributes:
        ends: the sessions that end.
        connection: how the connections of these sessions end: ``closed``, ``reset`` or ``error``.
    """

    name: str
    reply: Claim
    ends: frozenset[str] | None
    connection: str | None = None


@dataclass(frozen=True)
class Case:
    """One case with its parameters filled in and all names checked.

    Attributes:
        vocabulary: the vocabulary of its own register, whose guarded word applies to its statements.
        watch: additional seconds for which the surviving sessions are watched at the end.
        settle_factor: the time in which its sessions have to end, in settle times.
        alone: whether no other case of the process may run at the same time.
        needs: the capabilities that a server needs for it, in the register's order.
    """

    id: str
    requirement: Requirement
    title: str
    note: str
    sessions: tuple[SessionSpec, ...]
    table: tuple[tuple[int, int], ...] | None
    steps: tuple[Step, ...]
    ends: frozenset[str]
    outcomes: tuple[KnownOutcome, ...]
    repeat: int
    place: Place
    vocabulary: Vocabulary = field(compare=False, repr=False)
    label: str = ""
    watch: int = 0
    settle_factor: int = 1
    alone: bool = False
    needs: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The id with the labels of the parameters, as pytest shows it."""
        return f"{self.id}[{self.label}]" if self.label else self.id

    @property
    def claims_nothing(self) -> bool:
        """Whether it may claim nothing beyond what every case does: that the sessions stay usable."""
        return not (self.ends or self.outcomes or _claim_in_any_case(self.steps))

    @property
    def may_end(self) -> frozenset[str]:
        """The sessions that end or may end; all others have to stay usable."""
        return self.ends.union(*(outcome.ends or frozenset() for outcome in self.outcomes))

    @property
    def needs_ids(self) -> bool:
        """Whether a statement contains a session's id, or a reply claims rows of sessions in the process list."""
        steps = list(flat(self.steps))
        replies = [expect for step in steps for expect in getattr(step, "reply", ())]
        return any(expect.listed for expect in replies) or any(
            isinstance(step, Send) and step.statement.contains_ids for step in steps
        )

    @property
    def passwords_in_statements_of(self) -> frozenset[str]:
        """The sessions whose user's password is in a statement."""
        holes = (hole for step in flat(self.steps) if isinstance(step, Send) for hole in step.statement.holes)
        return frozenset(hole.session for hole in holes if hole.session is not None and hole.part == "password")

    @property
    def named_or_may_end(self) -> frozenset[str]:
        """The sessions whose id is in a statement, or that may end according to the case."""
        sent = (step.statement.sessions_named_by_id() for step in flat(self.steps) if isinstance(step, Send))
        return self.may_end.union(*sent)


@dataclass(frozen=True)
class Capability:
    """A feature that not all servers have.

    Attributes:
        guarded: matches the guarded statements that need it; None: not derived from these.
        statement: matches the statements, guarded or not, that need it; None: not derived from these.
        state: a case that waits for this state needs it; None: not derived from states.
    """

    text: str
    guarded: re.Pattern[str] | None = None
    statement: re.Pattern[str] | None = None
    state: str | None = None


@dataclass(frozen=True)
class Example:
    """The plainest guarded statement that names a session called victim, and the privileges of its sender."""

    statement: str
    grants: tuple[str, ...] = ()


@dataclass(frozen=True)
class Vocabulary:
    """The words and rules that the cases of a register share.

    Attributes:
        errors: the error classes; profiles have their codes.
        words: the names that a statement may contain as ``${name}``; profiles have their SQL text.
        guarded: a statement with this word (any letter case) can kill sessions: the guard checks it before it is sent.
        guarded_words: the words (upper case) that such a statement may contain; empty: all but those for computations.
        harmless: the first words of statements that can't kill sessions; empty: all without the guarded word.
        capabilities: the capabilities by name; profiles list those that a server doesn't have.
        example: the statement of the cases that ``new-case`` writes.
    """

    errors: Mapping[str, str]
    words: Mapping[str, str]
    guarded: str
    harmless: tuple[str, ...] = ()
    guarded_words: frozenset[str] = frozenset()
    capabilities: Mapping[str, Capability] = field(default_factory=dict)
    example: Example = Example("")

    def contains_guarded_word(self, statement: str) -> bool:
        """Whether a statement contains the guarded word, also in a name like KILL_SESSION."""
        word = rf"(?<![^\W_]){self.guarded}(?![^\W_])"
        return bool(self.guarded) and re.search(word, statement, re.IGNORECASE) is not None

    def is_harmless(self, statement: str) -> bool:
        """Whether it begins like a harmless one; of several statements, also in a PL/SQL block, each has to."""
        parts = (_BLOCK_WORDS.sub("", part) for part in _words(statement).split(";"))
        return not self.harmless or all(not part.strip() or begins(part, self.harmless) for part in parts)


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
