"""The target as one thread of the runner uses it: the logins, and a session of the administrator."""

from __future__ import annotations

import math
import time
from collections.abc import Collection

from runner.database.dsn import Dsn
from runner.database.naming import Names
from runner.database.outcome import (
    LoginAborted,
    NoReply,
    Outcome,
    Rows,
    ServerError,
    has_reply,
    succeeded,
)
from runner.database.process_list import ProcessList, Row
from runner.database.profile import Profile
from runner.database.server_facts import ServerFacts
from runner.database.session import Login, Session
from runner.database.target_advice import ODPS_LIST, advice, is_odps
from runner.database.time_limits import Limits, Poll
from runner.database.unrelated_errors import ErrorKind, error_kind_of


class TargetError(Exception):
    """The target can't do what the runner needs for itself; the message has the statement and the reply."""

    def __init__(self, message: str, outcome: Outcome | None = None) -> None:
        super().__init__(message)
        self.outcome = outcome


_TRIAL_SLEEP = 0.01  # seconds that ${sleep} sleeps when its text is tried out; some servers refuse less (ORA-14312)

_SHORTEST_LIMIT = 1.0  # seconds for a target that has just not replied
_SLOWEST_FACTOR = 2  # times the administrator's slowest reply: a slow target is not down


class Target:
    """The server under test as one thread uses it: the logins of its users, and a session of the administrator.

    Args:
        facts: the facts found out about the server; none yet if None.
    """

    def __init__(
        self, dsn: Dsn, profile: Profile, limits: Limits, names: Names | None = None, facts: ServerFacts | None = None
    ) -> None:
        self.dsn = dsn
        self.profile = profile
        self.limits = limits
        self.names = names or Names()
        self.facts = facts or ServerFacts(shows_client_addresses=dsn.unix_socket is None)
        self._session: Session | None = None
        self._silent = False
        """Whether the administrator's last login or statement got no reply within its time limit."""
        self._offered = 0
        """The capability bits of the greeting at the administrator's last login."""
        self._opened = math.inf
        """The time of the login of the administrator's session."""
        self._lost: Session | None = None
        self._lost_idle = 0.0
        self.administrator_losses = 0
        """How often the administrator's session was found closed by the server."""

    def for_another_thread(self) -> Target:
        """The same server for another thread, with an administrator's session of its own."""
        return Target(self.dsn, self.profile, self.limits, self.names, self.facts)

    @property
    def stopped(self) -> str:
        """Why no further guarded statement is sent to this server; empty while they are sent."""
        return self.facts.stopped

    def stop_guarded_statements(self, reason: str) -> None:
        """Prevents further guarded statements to this server, by all threads; ``reason`` is part of the results."""
        self.facts.stopped = reason

    def login(self, user: str, password: str) -> Login:
        """How a user of the target's tenant logs in."""
        return Login(self.dsn, self.dsn.login(user), password, self.profile.client_flag)

    @property
    def administrator(self) -> Login:
        """How the administrator logs in."""
        return Login(self.dsn, self.dsn.user, self.dsn.password, self.profile.client_flag)

    @property
    def administrator_session(self) -> Session:
        """The administrator's session, opened anew if it is gone.

        Raises:
            TargetError: the administrator can't log in.
        """
        if self._session is not None and (self._session.busy or self._session.check_connection() is not None):
            self.administrator_losses += self.administrator_lost()
            self._session.abandon()
            self._session = None
        if self._session is None:
            session = self.facts.administrators.add(Session(self.administrator))
            start = time.monotonic()
            session.begin_open(limit := self._within(self.limits.connect))  # in a thread: see Session.begin_open
            outcome = session.end_open(limit)
            self._offered = session.offered_capabilities
            self.administrator_losses += session.broken_off is not None
            self._silent |= isinstance(outcome, NoReply)
            if not succeeded(outcome):
                session.abandon()
                raise TargetError(f"the administrator {self.dsn.user!r} can't log in: {outcome}", outcome)
            self.facts.slowest = max(self.facts.slowest, time.monotonic() - start)
            self._session, self._opened = session, time.monotonic()
        return self._session

    @property
    def running_since(self) -> float:
        """The time (monotonic) of the login of the administrator's session; infinite if that is not connected.

        Since then, the server has not restarted.
        """
        connected = self._session is not None and self._session.check_connection() is None
        return self._opened if connected else math.inf

    @property
    def short_limit(self) -> float:
        """The time limit for a target that may be down, in seconds: short, but longer than its slowest reply so far."""
        return min(self.limits.connect, max(_SHORTEST_LIMIT, _SLOWEST_FACTOR * self.facts.slowest))

    def _within(self, limit: float) -> float:
        return min(limit, self.short_limit) if self._silent else limit

    def _ask(self, statement: str, limit: float) -> Outcome:
        administrator, start = self.administrator_session, time.monotonic()
        outcome = administrator.execute(statement, self._within(limit))
        self._silent = isinstance(outcome, NoReply)
        self.facts.slowest = max(self.facts.slowest, 0 if self._silent else time.monotonic() - start)
        return outcome

    def find_trouble(self) -> str | None:
        """Why the target can't be used now, or None: tests a new login of the administrator and a probe."""
        session = self.facts.administrators.add(Session(self.administrator))
        try:
            outcome = session.open(self.short_limit)
            if isinstance(outcome, ServerError) and self._session is not None and not self._session.busy:
                # It may allow its administrator so many sessions and no more.
                outcome = self._session.execute(self.probe, self.short_limit)
            elif succeeded(outcome):
                self.find_probe(session, self.short_limit)  # it may time out: then the session still waits for a reply
                outcome = (
                    session.result(self.short_limit) if session.busy else session.execute(self.probe, self.short_limit)
                )
            else:
                return f"the administrator {self.dsn.user!r} can't log in: {outcome}"
        finally:
            session.close()
        self._silent = isinstance(outcome, NoReply)
        return None if succeeded(outcome) else f"{self.probe}: {outcome}"

    def keep_active(self, idle: float) -> None:
        """Sends the probe on the administrator's session if that has been idle for more than ``idle`` seconds."""
        administrator = self._session
        if (
            administrator is not None
            and not administrator.busy
            and administrator.check_connection() is None
            and administrator.idle > idle
        ):
            administrator.execute(self.probe, self._within(self.limits.statement))

    def administrator_lost(self) -> bool:
        """Whether the current administrator's session is closed by the server; notes how long it had been idle."""
        if self._session is None or self._session.check_connection() is None:
            return False
        if self._lost is not self._session:
            self._lost, self._lost_idle = self._session, self._session.idle
        return True

    @property
    def losses(self) -> int:
        """How often the server has closed the administrator's session, up to now."""
        return self.administrator_losses + self.administrator_lost()

    @property
    def lost_idle(self) -> float:
        """For how many seconds the administrator's session had been idle when it was last seen closed by the server."""
        return self._lost_idle

    def close(self) -> None:
        """Closes the administrator's session."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def check(self, *, anyway: bool = False) -> None:
        """Checks that the target can be used: the administrator logs in, gets replies, and reads the process list.

        Args:
            anyway: whether to accept a target whose process list is ODP's own. Then no guarded statement is sent to it,
                because the ids in that process list are not those of a server.

        Raises:
            TargetError: it can't; the message has the step that failed, and the fix.
        """
        try:
            self._check_probe()
            odps = is_odps(self.process_list())
        except TargetError as error:
            if isinstance(error.outcome, LoginAborted):
                raise  # its message has the fix
            raise TargetError(f"{error}; {self._advice(error.outcome)}", error.outcome) from error
        if odps and not anyway:
            raise TargetError(ODPS_LIST)
        if odps:
            self.stop_guarded_statements(ODPS_LIST)

    @property
    def probe(self) -> str:
        """The statement that every session may run, to check that it is usable."""
        return self.facts.probe or self.profile.statement("probe")

    def find_probe(self, session: Session, limit: float | None = None) -> None:
        """Finds, once, which of the profile's probes the server knows; ``session`` tries them out."""
        probes = self.profile.statements("probe") if self.facts.probe is None else []
        for probe in probes[:-1]:
            outcome = session.execute(probe, limit or self._within(self.limits.statement))
            if isinstance(outcome, ServerError) and error_kind_of(outcome) is ErrorKind.UNSUPPORTED:
                continue
            self.facts.probe = probe if succeeded(outcome) else None
            return
        if probes:
            self.facts.probe = probes[-1]

    def _check_probe(self) -> None:
        self.find_probe(self.administrator_session)
        outcome = self.administer(self.probe)
        if not succeeded(outcome):
            raise TargetError(f"{self.probe}: {outcome}", outcome)

    def _advice(self, outcome: Outcome | None) -> str:
        return advice(outcome, self.dsn, self.profile, offered=self._offered, logged_in=self._session is not None)

    def administer(self, statement: str) -> Outcome:
        """Sends a statement as the administrator; never raises for the server's reply.

        Raises:
            TargetError: the administrator can't log in.
        """
        return self._ask(statement, self.limits.cleanup)

    def process_list(self, session: Session | None = None) -> ProcessList:
        """The process list that ``session`` reads; that of the administrator's session if it is None.

        Raises:
            TargetError: the reply is not a result set.
        """
        statement = self.profile.statement("process_list")
        limit, poll = self.limits.statement, Poll(self.limits.retry)
        while True:
            outcome = self._ask(statement, limit) if session is None else session.execute(statement, limit)
            # An error may be transient, as while a session is removed, but not that of an unknown statement.
            known = isinstance(outcome, ServerError) and error_kind_of(outcome) is not ErrorKind.UNSUPPORTED
            if not known or not poll.again():
                break
        if not isinstance(outcome, Rows):
            raise TargetError(f"{statement}: {outcome}", outcome)
        return ProcessList.read(outcome)

    def reads_own_server(self) -> bool:
        """Whether the administrator's process list shows its own session under its thread id: both are on one server.

        Raises:
            TargetError: as ``process_list``.
        """
        shown = self.process_list()
        return any(self.administrator_session.handshake_id_is(row.id) for row in shown.of_user(self.dsn.account))

    def is_own(self, rows: Collection[Row]) -> bool:
        """Whether each row belongs to an administrator's session of this process: same thread id and client address."""
        return all(
            any(session.handshake_id_is(row.id) and row.get("host") == session.local_address for session in sessions)
            for sessions in [self.facts.administrators.all()]
            for row in rows
        )

    def word(self, name: str, session: Session) -> str:
        """The text of a word on this target: of the profile's texts, the first that the server accepts from a session.

        Raises:
            TargetError: the profile has no text for it, the server accepts none, or a trial gets no reply.
        """
        if name not in self.facts.spelled:
            spellings = self.profile.words.get(name, ())
            refusals = []
            for spelling in spellings:
                if len(spellings) > 1:
                    outcome = session.execute(spelling.format(seconds=_TRIAL_SLEEP), self.limits.statement)
                    if not has_reply(outcome):
                        raise TargetError(f"{spelling}: {outcome}", outcome)
                    if not succeeded(outcome):
                        refusals.append(f"{spelling}: {outcome}")
                        continue
                self.facts.spelled[name] = spelling
                break
            else:
                tried = "; ".join(refusals) or "the profile defines no text for it"
                raise TargetError(f"the target doesn't support the word {name!r} of the cases ({tried})")
        return self.facts.spelled[name]
