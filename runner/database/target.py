"""The runner's own session, as the administrator: it prepares, looks at the list, and clears up."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Collection
from dataclasses import dataclass, field

from runner.database.adaptivelimit import AdaptiveLimit
from runner.database.dsn import Dsn
from runner.database.errorkinds import ErrorKind, kind_of
from runner.database.limits import Limits
from runner.database.naming import Names
from runner.database.oceanbase import ODPS_LIST, is_odps, login_advice
from runner.database.outcome import GivenUp, Lost, NoReply, Outcome, Rows, ServerError, Unreadable, answered, succeeded
from runner.database.poll import Poll
from runner.database.processlist import ProcessList, Row
from runner.database.profile import Profile
from runner.database.session import Login, Session, Sessions


class TargetError(Exception):
    """The target did not do what the runner needs for itself; the message says what, and what the server answered."""

    def __init__(self, message: str, outcome: Outcome | None = None) -> None:
        super().__init__(message)
        self.outcome = outcome


TLS_ONLY = "encrypted connections only: add ?ssl_ca=FILE, ?ssl_verify=ca or ?ssl_verify=none to the DSN (docs/dsn.md)"

_NEEDS_TLS = 3159

_QUERY_ATTRIBUTES = 1 << 27
"""MySQL 8.0.23 offers this bit for its query attributes; OceanBase doesn't offer it, and wants it of its clients."""

_TRIAL = 0.01  # seconds that a statement takes that is tried out: less is an error on some servers (ORA-14312)
ORACLE_TENANT = 1 << 27
"""The capability bit without which an Oracle tenant of OceanBase refuses a client."""

_BRIEF = 1.0  # seconds for a target that has just not answered
_OF_THE_SLOWEST = 2  # times as long as the administrator's slowest answer took: a slow target is no dead one


def wants_tls(outcome: Outcome | None) -> bool:
    """Whether a login is refused because the connection is not encrypted (require_secure_transport)."""
    turned_away = isinstance(outcome, Lost) and outcome.turned_away
    return (isinstance(outcome, ServerError) and outcome.code == _NEEDS_TLS) or (
        turned_away and f"error {_NEEDS_TLS} " in str(outcome)
    )


@dataclass
class Known:
    """What was learnt of a server, by all threads of a process; each value is set at once, and needs no lock.

    Attributes:
        hosts_tell: whether HOST in the list shows the clients' ends of their connections, as far as is known.
        sees_others: whether the administrator's list was seen to show other users' sessions.
        stopped: why no statement that can end a session may be sent to it any more; empty while it may.
        probe: which of the profile's probes it knows, once that is known.
        slowest: seconds that the administrator's slowest answer took.
        login: seconds that the last logins took, each; infinite before the first.
        spelled: how it spells the words of the vocabulary, as far as they were used.
        listing: how long a session that has logged in takes to be listed.
        unlisted: the thread ids of sessions that no process list showed.
        administrators: this process's sessions as the administrator.
        cut_off: whether the run ends now, so that cases have to end as soon as they can.
    """

    hosts_tell: bool
    sees_others: bool = False
    stopped: str = ""
    probe: str | None = None
    slowest: float = 0.0
    login: float = math.inf
    spelled: dict[str, str] = field(default_factory=dict)
    listing: AdaptiveLimit = field(default_factory=AdaptiveLimit)
    unlisted: list[int | None] = field(default_factory=list)
    administrators: Sessions = field(default_factory=Sessions)
    cut_off: threading.Event = field(default_factory=threading.Event)


class Target:
    """A server under test as one thread sees it: who logs in how, and the administrator's session.

    Args:
        known: what is known of the server; nothing yet if None.
    """

    def __init__(
        self, dsn: Dsn, profile: Profile, limits: Limits, names: Names | None = None, known: Known | None = None
    ) -> None:
        self.dsn = dsn
        self.profile = profile
        self.limits = limits
        self.names = names or Names()
        self.known = known or Known(hosts_tell=dsn.unix_socket is None)
        self._control: Session | None = None
        self._silent = False
        """Whether the administrator's last login or statement was not answered in its time."""
        self._offered = 0
        """The capability bits of the greeting at the administrator's last login."""
        self._lost: Session | None = None
        self._lost_idle = 0.0
        self.control_losses = 0
        """How often the administrator's session was found closed by the server."""

    def beside(self) -> Target:
        """The same server for another thread, with an administrator's session of its own."""
        return Target(self.dsn, self.profile, self.limits, self.names, self.known)

    @property
    def stopped(self) -> str:
        """Why no statement that can end a session may be sent to this server any more; empty while it may."""
        return self.known.stopped

    @stopped.setter
    def stopped(self, reason: str) -> None:
        self.known.stopped = reason

    def login(self, user: str, password: str) -> Login:
        """How a user of the target's tenant logs in."""
        return Login(self.dsn, self.dsn.login(user), password, self.profile.client_flag)

    @property
    def administrator(self) -> Login:
        """How the administrator logs in."""
        return Login(self.dsn, self.dsn.user, self.dsn.password, self.profile.client_flag)

    @property
    def control(self) -> Session:
        """The administrator's session, opened anew if it is gone.

        Raises:
            TargetError: the administrator can't log in.
        """
        if self._control is not None and (self._control.busy or self._control.listen() is not None):
            self.control_losses += self.control_lost()
            self._control.abandon()
            self._control = None
        if self._control is None:
            session = self.known.administrators.add(Session(self.administrator))
            start = time.monotonic()
            session.begin_open(limit := self._within(self.limits.connect))  # in a thread: see Session.begin_open
            outcome = session.end_open(limit)
            self._offered = session.offered
            self.control_losses += session.broken_off is not None
            self._silent |= isinstance(outcome, NoReply)
            if not succeeded(outcome):
                session.abandon()
                raise TargetError(f"the administrator {self.dsn.user!r} can't log in: {outcome}", outcome)
            self.known.slowest = max(self.known.slowest, time.monotonic() - start)
            self._control = session
        return self._control

    @property
    def brief(self) -> float:
        """Seconds for an answer of a target that may be dead: few, but enough for what it did before."""
        return min(self.limits.connect, max(_BRIEF, _OF_THE_SLOWEST * self.known.slowest))

    def _within(self, limit: float) -> float:
        return min(limit, self.brief) if self._silent else limit

    def _ask(self, statement: str, limit: float) -> Outcome:
        control, start = self.control, time.monotonic()
        outcome = control.execute(statement, self._within(limit))
        self._silent = isinstance(outcome, NoReply)
        self.known.slowest = max(self.known.slowest, 0 if self._silent else time.monotonic() - start)
        return outcome

    def trouble(self) -> str | None:
        """Why nobody can use the target at this moment: a new login of the administrator and a probe, both brief."""
        session = self.known.administrators.add(Session(self.administrator))
        try:
            outcome = session.open(self.brief)
            if isinstance(outcome, ServerError) and self._control is not None and not self._control.busy:
                # It may allow its administrator so many sessions and no more.
                outcome = self._control.execute(self.probe, self.brief)
            elif succeeded(outcome):
                self.find_probe(session, self.brief)  # its last statement may still be without a reply
                outcome = session.result(self.brief) if session.busy else session.execute(self.probe, self.brief)
            else:
                return f"the administrator {self.dsn.user!r} can't log in: {outcome}"
        finally:
            session.close()
        self._silent = isinstance(outcome, NoReply)
        return None if succeeded(outcome) else f"{self.probe}: {outcome}"

    def keep_active(self, idle: float) -> None:
        """Sends a statement as the administrator if its session has been idle for so many seconds."""
        control = self._control
        if control is not None and not control.busy and control.listen() is None and control.idle > idle:
            control.execute(self.probe, self._within(self.limits.statement))

    def control_lost(self) -> bool:
        """Whether the server has closed the administrator's session just now."""
        if self._control is None or self._control.listen() is None:
            return False
        if self._lost is not self._control:
            self._lost, self._lost_idle = self._control, self._control.idle
        return True

    @property
    def losses(self) -> int:
        """How often the server has closed the administrator's session, up to now."""
        return self.control_losses + self.control_lost()

    @property
    def lost_idle(self) -> float:
        """For how many seconds the administrator's session had been idle when it was last seen closed by the server."""
        return self._lost_idle

    def close(self) -> None:
        """Closes the administrator's session."""
        if self._control is not None:
            self._control.close()
            self._control = None

    def check(self, *, anyway: bool = False) -> None:
        """Sees that the target can be used at all: the administrator logs in, is answered, and can read the list.

        Args:
            anyway: whether it is used too where the list is ODP's own, as far as no statement that can end a session
                has to be sent: its ids are no server's.

        Raises:
            TargetError: it can't; the message says how far it went, and what to do.
        """
        try:
            self._check_probe()
            odps = is_odps(self.process_list())
        except TargetError as error:
            if isinstance(error.outcome, GivenUp):
                raise  # that says itself what to do
            raise TargetError(f"{error}; {self._advice(error.outcome)}", error.outcome) from error
        if odps and not anyway:
            raise TargetError(ODPS_LIST)
        if odps:
            self.stopped = ODPS_LIST

    @property
    def _is_oracle_tenant(self) -> bool:
        return bool(self.profile.client_flag & ORACLE_TENANT)

    @property
    def probe(self) -> str:
        """The statement that every session may run, to see that it goes on."""
        return self.known.probe or self.profile.statement("probe")

    def find_probe(self, session: Session, limit: float | None = None) -> None:
        """Finds, once, which of the profile's probes the server knows; ``session`` tries them out."""
        probes = self.profile.statements("probe") if self.known.probe is None else []
        for probe in probes[:-1]:
            outcome = session.execute(probe, limit or self._within(self.limits.statement))
            if isinstance(outcome, ServerError) and kind_of(outcome) is ErrorKind.UNSUPPORTED:
                continue
            self.known.probe = probe if succeeded(outcome) else None
            return
        if probes:
            self.known.probe = probes[-1]

    def _check_probe(self) -> None:
        self.find_probe(self.control)
        outcome = self.administer(self.probe)
        if not succeeded(outcome):
            raise TargetError(f"{self.probe}: {outcome}", outcome)

    def _advice(self, outcome: Outcome | None) -> str:  # noqa: PLR0911 - a sentence for each way in which it can fail
        logged_in = self._control is not None
        match outcome:
            case ServerError() | Lost() if wants_tls(outcome):
                return f"the server accepts {TLS_ONLY}"
            case ServerError() | Lost() | Unreadable() if self._offered & self.profile.client_flag & _QUERY_ATTRIBUTES:
                return (
                    f"the server offers capability bit 27 for MySQL's query attributes, and the profile "
                    f"{self.profile.name!r} sets it for OceanBase's Oracle mode: both read statements in different "
                    f"ways. For MySQL use --profile mysql"
                )
            case Lost(missing="handshake", turned_away=True):
                return "the server accepts no more clients: close some connections, or raise its limit"
            case Lost(missing="handshake") | NoReply(missing="handshake"):
                return "the port accepts connections, but sends no MySQL handshake: check the port"
            case Unreadable() if not logged_in:
                return "the reply is not MySQL protocol, or a device in between changes the packets: check the address"
            case ServerError() as error if (
                not logged_in and self._is_oracle_tenant and (advice := login_advice(error, self.dsn))
            ):
                return advice
            case ServerError() if not logged_in:
                return "check the DSN's user and password, and whether this user may log in from this machine"
            case Lost(missing=missing) | NoReply(missing=missing) if not logged_in and "connection" in missing:
                return "check that the server is running, and its address"
            case ServerError() | Rows():
                return f"check whether the profile {self.profile.name!r} fits this server"
            case _:
                return "the server may be overloaded or stuck, or the network down: check its log"

    def administer(self, statement: str) -> Outcome:
        """Sends a statement as the administrator; never raises for what the server answers.

        Raises:
            TargetError: the administrator can't log in.
        """
        return self._ask(statement, self.limits.cleanup)

    def process_list(self, session: Session | None = None) -> ProcessList:
        """The list as a session sees it (the administrator's session, if none is given).

        Raises:
            TargetError: the server doesn't answer with rows.
        """
        statement = self.profile.statement("process_list")
        limit, poll = self.limits.statement, Poll(self.limits.retry)
        while True:
            outcome = self._ask(statement, limit) if session is None else session.execute(statement, limit)
            # An error may pass, as while a session is being removed; not one that says that there is no such statement.
            known = isinstance(outcome, ServerError) and kind_of(outcome) is not ErrorKind.UNSUPPORTED
            if not known or not poll.again():
                break
        if not isinstance(outcome, Rows):
            raise TargetError(f"{statement}: {outcome}", outcome)
        return ProcessList.read(outcome)

    def is_tied(self) -> bool:
        """Whether the administrator's own session is listed under its thread id: then the list is its server's.

        Raises:
            TargetError: as ``process_list``.
        """
        shown = self.process_list()
        return any(self.control.greeted_as(row.id) for row in shown.of_user(self.dsn.account))

    def is_own(self, rows: Collection[Row]) -> bool:
        """Whether rows are of this process's sessions as the administrator, by their ids and the clients' addresses."""
        return all(
            any(session.greeted_as(row.id) and row.get("host") == session.local_address for session in sessions)
            for sessions in [self.known.administrators.all()]
            for row in rows
        )

    def word(self, name: str, session: Session) -> str:
        """How the target spells a word of the vocabulary: of several spellings, the first that a session may use.

        Raises:
            TargetError: the server takes none of them.
        """
        if name not in self.known.spelled:
            spellings = self.profile.words.get(name, ())
            refusals = []
            for spelling in spellings:
                if len(spellings) > 1:
                    outcome = session.execute(spelling.format(seconds=_TRIAL), self.limits.statement)
                    if not answered(outcome):
                        raise TargetError(f"{spelling}: {outcome}", outcome)
                    if not succeeded(outcome):
                        refusals.append(f"{spelling}: {outcome}")
                        continue
                self.known.spelled[name] = spelling
                break
            else:
                tried = "; ".join(refusals) or "the profile defines no text for it"
                raise TargetError(f"the target doesn't support the word {name!r} of the cases ({tried})")
        return self.known.spelled[name]
