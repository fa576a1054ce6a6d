"""Recognises errors unrelated to the test: an unknown statement, no memory or connections left, a lock conflict.

The profile has the error classes of the statement under test. A statement that only prepares a test or checks its
effect can be refused with an error that is unrelated to the test: the server does not know the statement or an object
in it, or is itself in trouble. Codes are MySQL's, Oracle's and those that servers of these families share; sqlstates
and messages decide the rest, as many servers have one code (1105, 600) for nearly everything.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

from runner.database.outcome import Lost, Outcome, ServerError


class ErrorKind(enum.Enum):
    """The subject of an error, as far as the protocol shows it."""

    UNSUPPORTED = "the server does not know the statement, or an object in it"
    SHORTAGE = "the server is out of memory, disk space or connections, is read-only, or accepts no statements now"
    CONFLICT = "a conflict with a lock, another transaction, a read-only transaction or a shutdown"
    RULES = "the server's rules reject a password or its age, a long name, a connection (TLS, host) or a text"
    OTHER = "anything else"


@dataclass(frozen=True)
class _Mark:
    """Errors of one kind: by code, by the beginning of the sqlstate, or by the message."""

    codes: frozenset[int]
    sqlstates: tuple[str, ...]
    text: re.Pattern[str]

    def fits(self, error: ServerError) -> bool:
        return (
            error.code in self.codes
            or (bool(self.sqlstates) and error.sqlstate.startswith(self.sqlstates))
            or self.text.search(error.message) is not None
        )


_NAMES_IN_USE = {955, 957}
"""Oracle's 009xx errors that are not about syntax or unknown objects: the name is used already."""

_UNSUPPORTED = _Mark(
    codes=frozenset(
        # MySQL and its relatives: syntax, not supported here, prepared statements, unknown commands and objects
        {1064, 1149, 1178, 1221, 1235, 1286, 1289, 1295, 1148, 1047}
        | {1049, 1051, 1054, 1096, 1109, 1128, 1146, 1305, 1115, 1193, 1231, 1238, 1273}
        # Oracle: syntax and unknown objects, a feature not enabled or not implemented, PL/SQL that does not compile
        | set(range(900, 1000)) - _NAMES_IN_USE
        | {439, 3001, 4043, 6550}
    ),
    sqlstates=("0A", "42S02", "42S22", "42601", "42P01", "42703", "42883", "HYC00"),
    text=re.compile(
        r"""\b(?:syntax\ error|error\ in\ your\ SQL\ syntax|(?:parse|parser|parsing)\ (?:error|failed|failure))\b
        | \b(?:(?:is|are)?\ ?not\ (?:yet\ )?(?:supported?|implemented|allowed\ in\ this\ version))\b
        | \b(?:does\ ?n[o']?t|do\ not|cannot)\ support\b | \bunsupported\b | \bunimplemented\b | \bunrecognized\b
        | \bunknown\ (?:table|column|function|procedure|command|statement|system\ variable|variable|session\ variable
            |character\ set|charset|collation|database|keyword|identifier|object)\b
        | \bno\ such\ (?:table|column|function|object|relation)\b
        | \b(?:table|view|relation|column|function|procedure|package|object|variable)\b .{0,80}?
            (?:\bdoes\ not\ exist\b|\bdoesn't\ exist\b|\bnot\ found\b)
        | \b(?:mismatched|extraneous)\ input\b | \bno\ viable\ alternative\b | \bunexpected\ (?:token|input)\b
        | \b(?:ORA|OBE)-(?:009(?!55|57)[0-9]{2}|00439|03001|04043|06550)\b | -(?:4007|5193|5001|5019|5217|5055)\b(?=,)
        """,
        re.VERBOSE | re.IGNORECASE | re.DOTALL,
    ),
)
_SHORTAGE = _Mark(
    codes=frozenset(
        # too many connections, out of memory, disk full, too many open files, tables full, a node that is not ready
        {1040, 1203, 1129, 1226, 2391, 1037, 1038, 1041, 1021, 1114, 1135, 4030, 4013, 4184, 1653, 9001}
        # a time limit of the server for every statement, offline mode, a storage node that does not answer
        | {3024, 1969, 3032, 3168, 9002, 9003, 9005}
        | {1836, 1874, 16000}  # the server, and not only a transaction, is read-only
    ),  # not 3 and 28, MySQL's file errors: Oracle has these numbers for other things, so the message decides
    sqlstates=("53", "08004"),
    text=re.compile(
        r"""\btoo\ many\ (?:connections|open\ files|clients|sessions)\b | \bout\ of\ (?:memory|disk|resources?|space)\b
        | \b(?:disk|tablespace|file\ ?system)\b .{0,40}? \bfull\b | \bno\ space\ left\b | \bErrcode:\ 28\b
        | \bnot\ enough\ (?:memory|space|disk)\b | \bmemory\ (?:limit|exceed|capacity|quota)
        | \bmaximum\ number\ of\ sessions\b | \bSESSIONS_PER_USER\b
        | \bmax(?:imum)?\ concurren(?:t|cy)\b | \bthrottl(?:ed|ing)\b | \brate\ (?:limit|exceeded)\b
        | \bRESTRICTED\ SESSION\b | \boffline\ mode\b | \bserver\ isn't\ available\b
        | \b(?:statement\ execution\ time|max_statement_time)\ exceeded\b | \bRPC\ (?:send\ )?error\b
        | \b(?:query|statement|request|execution)\ (?:timeout|has\ timed\ out|timed\ out)\b
        | \blost\ connection\ to\ backend\b | \bregion\ is\ unavailable\b | \b(?:TiKV|PD)\ server\ timeout\b
        | \bno\ memory\b | \bmax\ connect\ timeout\b
        | \bcan(?:'t|not)\ (?:create|allocate)\ (?:a\ )?(?:new\ )?(?:thread|memory)\b
        | \bWSREP\ has\ not\ yet\ prepared\b | \bnot\ ready\ to\ accept\b
        | \bservice\ (?:is\ )?(?:temporarily\ )?unavailable\b
        | \btemporarily\ unavailable\b | \bno\ (?:available|alive)\ (?:backends?|nodes?|servers?)\b
        | \bquota\ (?:exceeded|exhausted|limitation)\b | \bexceed(?:ed|s)?\b .{0,60}? \bquota\b
        | \b(?:concurrency|flow|traffic)[_ ]control\b | \bserver\ is\ (?:too\ )?busy\b
        | \btoo\ many\ (?:active\ )?(?:concurrent\ )?(?:transactions|requests|statements|queries)\b
        | \brunaway\ (?:query|watch)\b | \bactive\ time\ limit\b | \bmaximum\ connect\ time\b
        | \bleader\ (?:does\ )?not\ (?:exist|found)\b | \bhas\ no\ (?:master|leader)\b
        | \bserver\ is\ initializing\b | \bread[- ]only\b(?!\ transaction\b) | \b(?:ORA|OBE)-16000\b
        | \b(?:ORA|OBE)-(?:00018|00020|00040|00257|02399|04030|04031|01536|01653|01652|12805)\b
        | -(?:4012|4019|4038|4121|4124|4251|4263|4654|4721|4725)\b(?=,)
        | \b(?:maximum\ number\ of|too\ many)\ (?:users|schemas|tables|roles|objects)\b
        | \b(?:user|schema|table|role|object|space)\ (?:quota|limit)\b
        """,
        re.VERBOSE | re.IGNORECASE | re.DOTALL,
    ),
)
_CONFLICT = _Mark(
    codes=frozenset(
        # lock wait timeout, deadlock, a lock on all tables, a write conflict, a read-only transaction, shutdown
        {
            1205,
            1213,
            1223,
            1290,
            1792,
            1053,
            1079,
            3572,
            3100,
            8002,
            8022,
            8028,
            9007,
            30006,
            1033,
            1089,
            1090,
        }
    ),
    sqlstates=("40", "25006", "57P"),
    text=re.compile(
        r"""\block\ wait\ timeout\b | \bdeadlock\b | \bwrite\ conflict\b | \btry\ (?:again|restarting)\b
        | \bplease\ retry\b | \btransaction\ (?:is\ timeout|(?:has\ )?timed\ out)\b
        | \bread[- ]only\ transaction\b | \bshutdown\ in\ progress\b | \bshutting\ down\b | \bcould\ not\ serialize\b
        | \b(?:ORA|OBE)-(?:00054|00060|30006|08177|01033|01089|01090)\b
        """,
        re.VERBOSE | re.IGNORECASE | re.DOTALL,
    ),
)


_RULES = _Mark(
    # passwords, names; hosts, and logins without TLS
    codes=frozenset({1819, 1820, 1862, 28001, 28003, 972, 1059, 1470} | {1130, 3159}),
    sqlstates=(),
    text=re.compile(
        r"""\bpassword\b .{0,80}? \b(?:policy|complexity|requirements?|verification|must\ (?:contain|have|be|not)
            |should\ (?:contain|have|be|not)|too\ (?:short|simple|weak)|at\ least|has\ expired)\b
        | \b(?:ORA|OBE)-(?:28001|28003|00972)\b
        | \b(?:identifier|(?:user|role|table)\ ?names?)\b .{0,80}? \btoo\ long\b
        | \btoo\ long\ for\ (?:user|role|table)\ ?name\b
        | \binsecure\ (?:transport|connections?)\b | \bnot\ allowed\ to\ connect\b
        | \bblocked\b .{0,40}? \bfirewall\b | \bfirewall\b .{0,40}? \bblocked\b
        | \b(?:SSL|TLS)\b .{0,40}? \brequired\b | \brequires?\ (?:a\ |an\ )?(?:SSL|TLS|secure)\b
        """,
        re.VERBOSE | re.IGNORECASE | re.DOTALL,
    ),
)


def error_kind_of(error: ServerError) -> ErrorKind:
    """The kind of an error, by what the protocol and the two families of codes on it have in common."""
    # What the server lacks or waits for is clearer from the message than from a code with several meanings.
    for kind, mark in (
        (ErrorKind.RULES, _RULES),
        (ErrorKind.SHORTAGE, _SHORTAGE),
        (ErrorKind.CONFLICT, _CONFLICT),
        (ErrorKind.UNSUPPORTED, _UNSUPPORTED),
    ):
        if mark.fits(error):
            return kind
    return ErrorKind.OTHER


_FULL = _Mark(
    codes=frozenset({1040, 1203, 1226, 2391}),
    sqlstates=("08004", "53300"),
    text=re.compile(
        r"\btoo many (?:connections|clients|sessions)\b|\bmaximum number of sessions\b|\bSESSIONS_PER_USER\b"
        r"|\b(?:ORA|OBE)-000(?:18|20)\b",
        re.IGNORECASE,
    ),
)


_PER_HOUR = re.compile(r"\bmax_(?:questions|updates)\b|_per_hour\b", re.IGNORECASE)
"""Limits of a user that has sent or logged in too often: they have the code of the limit of its connections."""


def is_connection_limit(error: ServerError) -> bool:
    """Whether the connection limit of the server, or of this user, is reached."""
    return _FULL.fits(error) and _PER_HOUR.search(error.message) is None


def refused_by_connection_limit(login: Outcome | None) -> bool:
    """Whether a login is refused because of the server's limit, before the handshake, or of this user's, after it."""
    if isinstance(login, Lost):
        return login.connection_limit
    return isinstance(login, ServerError) and is_connection_limit(login)


_OBJECT_LIMIT = re.compile(
    r"\b(?:maximum number of|too many) (?:users|schemas|tables|roles|objects)\b"
    r"|\b(?:user|schema|table|role|object|space) (?:quota|limit)\b|\b(?:ORA|OBE)-01536\b",
    re.IGNORECASE,
)


def is_object_limit(outcome: Outcome) -> bool:
    """Whether a statement is refused because no more users or tables may be created."""
    return isinstance(outcome, ServerError) and _OBJECT_LIMIT.search(str(outcome)) is not None


_PASSING = re.compile(
    r"\btime(?:d )?out\b|\bdeadlock\b|\bwrite conflict\b|\btry again\b|\bplease retry\b|-(?:4012|6005|6003)\b"
    r"|\b(?:statement execution time|max_statement_time) exceeded\b"
    r"|\b(?:ORA|OBE)-(?:00054|00060|08177)\b",
    re.IGNORECASE,
)
_EXISTS = re.compile(
    r"\balready (?:exists|used|been granted)\b|\bconflicts with another\b|\bORA-01920\b", re.IGNORECASE
)


_GONE = re.compile(r"\bnot granted\b|\bdoes(?: not|n't) exist\b|\bno such grant\b", re.IGNORECASE)
_REMOVES = re.compile(r"\s*(?:DROP|REVOKE)\b", re.IGNORECASE)


def is_passing_conflict(outcome: Outcome) -> bool:
    """Whether a statement that creates or grants something failed only at this moment; it may have taken effect."""
    return isinstance(outcome, ServerError) and _PASSING.search(str(outcome)) is not None


def took_effect_before(statement: str, outcome: Outcome) -> bool:
    """Whether a statement is refused because an earlier attempt took effect: what it creates exists, or is gone."""
    mark = _GONE if _REMOVES.match(statement) else _EXISTS
    return isinstance(outcome, ServerError) and mark.search(str(outcome)) is not None


_SETTING = re.compile(r"\b(?:set names|character[_ ]set\w*|charset|collation\w*|encoding|variable)\b", re.IGNORECASE)


def is_unknown_setting(error: ServerError) -> bool:
    """Whether a server refuses to set the character set because it does not know it, or no such statement."""
    return error_kind_of(error) is ErrorKind.UNSUPPORTED or _SETTING.search(error.message) is not None
