"""Errors of a target: those unrelated to the test, and the fixes for a target that can not be used."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

from runner.database.dsn import Dsn
from runner.database.outcome import Lost, NoReply, Outcome, Rows, ServerError, Unreadable
from runner.database.profile import Profile


class ErrorKind(enum.Enum):
    """The subject of an error, as far as the protocol shows it."""

    UNSUPPORTED = "the server does not know the statement, or an object in it"
    SHORTAGE = "the server is out of memory, disk space or connections, is read-only, or accepts no statements now"
    CONFLICT = "a conflict with a lock, another transaction, a read-only transaction or a shutdown"
    RULES = "the server's rules reject a password or its age, the length of a name, or a connection (TLS, host)"
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


def is_connection_limit(error: ServerError) -> bool:
    """Whether the connection limit of the server, or of this user, is reached."""
    return _FULL.fits(error)


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


_ACCESS_DENIED = 1045
_NOT_INVITED = 1227
_NO_SUCH_CLUSTER = 4669
_NEEDS_ORACLE_CLIENT = re.compile("oracle tenant for current client driver", re.IGNORECASE)

TLS_ONLY = "encrypted connections only: add ?ssl_ca=FILE, ?ssl_verify=ca or ?ssl_verify=none to the DSN (docs/dsn.md)"

_NEEDS_TLS = 3159

_ORACLE_TENANT = 1 << 27
"""The capability bit without which an Oracle tenant of OceanBase refuses a client."""
_QUERY_ATTRIBUTES = 1 << 27
"""The same bit, as MySQL (since 8.0.23) offers it, for query attributes; OceanBase doesn't offer it."""

_ORACLE_TENANT_ONLY = (
    "the tenant is in Oracle mode, and the profile is not for it: use --profile oceanbase-oracle (the default), or a "
    "profile that extends it"
)
"""The fix if a tenant in Oracle mode refuses a login without the capability bit 27."""

ODPS_LIST = (
    "ODP replies to SHOW PROCESSLIST itself (client_session_id_version=1, its default), with numbers that no server "
    "knows. Either name an observer's own port in the DSN (2881, USER@TENANT without #CLUSTER), or set "
    "client_session_id_version=2 and a proxy_id in ODP (ALTER PROXYCONFIG SET …; ODP 4.2.3 or newer, OceanBase 4.2.5 "
    "or newer)"
)
"""What is wrong where the list is ODP's, and the two ways out."""


def _needs_oracle_client(error: ServerError) -> bool:
    """Whether a tenant in Oracle mode refuses a login because the client did not set the capability bit 27."""
    return _NEEDS_ORACLE_CLIENT.search(error.message) is not None


def _oracle_login_advice(error: ServerError, dsn: Dsn) -> str | None:
    """The fix for a refused login to an Oracle tenant; None if the error has no particular one.

    A login without tenant is one to the tenant sys. On an observer's own port, all behind the @ is the tenant's name.
    """
    if error.code == _NO_SUCH_CLUSTER:
        return "ODP knows no cluster of that name: correct it behind the # in the DSN's user, or leave it out"
    if error.code == _NOT_INVITED:
        return (
            "the tenant accepts only the addresses in its variable ob_tcp_invited_nodes (127.0.0.1 at first): as its "
            "administrator, on the server's own machine, SET GLOBAL ob_tcp_invited_nodes = '…' with this machine's"
        )
    if error.code != _ACCESS_DENIED:
        return None
    if "@" not in dsn.user:
        return (
            "the DSN's user names no tenant, which means the tenant sys: write USER%40TENANT for an observer's port "
            "(2881), USER%40TENANT%23CLUSTER for ODP's (2883)"
        )
    if "#" in dsn.user:
        return (
            "is that ODP's port (2883)? An observer's own port (2881) takes USER%40TENANT without %23CLUSTER. "
            "Else: are tenant, user and password right?"
        )
    return (
        "check the DSN's user and password, and the tenant behind its @, which OceanBase refuses with the same error. "
        "ODP's port (2883) needs USER%40TENANT%23CLUSTER"
    )


def wants_tls(outcome: Outcome | None) -> bool:
    """Whether a login is refused because the connection is not encrypted (require_secure_transport)."""
    turned_away = isinstance(outcome, Lost) and outcome.refused
    return (isinstance(outcome, ServerError) and outcome.code == _NEEDS_TLS) or (
        turned_away and f"error {_NEEDS_TLS} " in str(outcome)
    )


def _login_advice(error: ServerError, dsn: Dsn, profile: Profile) -> str | None:
    """The fix for a login that a tenant of OceanBase refused; None if there is no particular one."""
    if profile.client_flag & _ORACLE_TENANT:
        return _oracle_login_advice(error, dsn)
    return _ORACLE_TENANT_ONLY if _needs_oracle_client(error) else None


def advice(  # noqa: PLR0911 - a sentence for each way in which it can fail
    outcome: Outcome | None, dsn: Dsn, profile: Profile, *, offered: int, logged_in: bool
) -> str:
    """The fix for the outcome of the administrator's login or of its first statements.

    Args:
        outcome: the outcome.
        dsn: the target's DSN.
        profile: the target's profile.
        offered: the capability bits in the server's handshake.
        logged_in: whether the administrator is logged in.
    """
    match outcome:
        case ServerError() | Lost() if wants_tls(outcome):
            return f"the server accepts {TLS_ONLY}"
        case ServerError() | Lost() | Unreadable() if offered & profile.client_flag & _QUERY_ATTRIBUTES:
            return (
                f"the server offers capability bit 27 for MySQL's query attributes, and the profile {profile.name!r} "
                f"sets it for OceanBase's Oracle mode: both read statements in different ways. For MySQL use "
                f"--profile mysql"
            )
        case Lost(awaited="handshake", refused=True):
            return "the server accepts no more clients: close some connections, or raise its limit"
        case Lost(awaited="handshake") | NoReply(awaited="handshake"):
            return "the port accepts connections, but sends no MySQL handshake: check the port"
        case Unreadable() if not logged_in:
            return "the reply is not MySQL protocol, or a device in between changes the packets: check the address"
        case ServerError() as error if not logged_in and (fix := _login_advice(error, dsn, profile)):
            return fix
        case ServerError() if not logged_in:
            return "check the DSN's user and password, and whether this user may log in from this machine"
        case Lost(awaited=missing) | NoReply(awaited=missing) if not logged_in and "connection" in missing:
            return "check that the server is running, and its address"
        case ServerError() | Rows():
            return f"check whether the profile {profile.name!r} fits this server"
        case _:
            return "the server may be overloaded or stuck, or the network down: check its log"
