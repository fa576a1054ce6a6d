"""The target as one thread of the runner uses it: the logins, and a session of the administrator."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from runner.database.administrator_session import Administrator, TargetError
from runner.database.dsn import Dsn
from runner.database.naming import Names
from runner.database.outcome import LoginAborted, NoReply, Outcome, Rows, ServerError, has_reply, succeeded
from runner.database.process_list import ProcessList, Row, is_odps
from runner.database.profile import Profile
from runner.database.server_facts import ServerFacts
from runner.database.session import Login, Session
from runner.database.target_fixes import ODPS_LIST, advice
from runner.database.time_limits import Limits, Poll
from runner.database.unrelated_errors import ErrorKind, error_kind_of

_TRIAL_SLEEP = 0.01  # seconds that ${sleep} sleeps when its text is tried out; some servers refuse less (ORA-14312)


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
        self.administrator = Administrator(Login(dsn, dsn.user, dsn.password, profile.client_flag), self.facts, limits)

    def for_another_thread(self) -> Target:
        """The same server for another thread, with an administrator's session of its own."""
        return Target(self.dsn, self.profile, self.limits, self.names, self.facts)

    @property
    def stop_reason(self) -> str:
        """Why no further guarded statement is sent to this server; empty while they are sent."""
        return self.facts.stop_reason

    def stop_guarded_statements(self, reason: str) -> None:
        """Prevents further guarded statements to this server, by all threads; ``reason`` is part of the results."""
        self.facts.stop_reason = reason

    def login(self, user: str, password: str) -> Login:
        """How a user of the target's tenant logs in."""
        return Login(self.dsn, self.dsn.login(self.profile.quoted(user, "login")), password, self.profile.client_flag)

    def logins(self, user: str, password: str) -> tuple[Login, ...]:
        """All ways in which a user may log in: as in ``login``, and without quotes around a quoted name."""
        login = self.login(user, password)
        bare = replace(login, user=self.dsn.login(user))
        return (login,) if bare == login else (login, bare)

    def find_trouble(self) -> str | None:
        """Why the target can't be used now, or None: tests a new login of the administrator, a probe, the process list.

        A process list that is refused is no trouble here: the cases that need it report it.
        """
        session = self.facts.administrators.add(Session(self.administrator.login))
        limit, open_session = self.administrator.short_limit, self.administrator.idle_session
        try:
            outcome = session.open(limit)
            if isinstance(outcome, ServerError) and open_session is not None:
                # It may allow its administrator so many sessions and no more.
                outcome = open_session.execute(self.probe, limit)
            elif succeeded(outcome):
                self.find_probe(session, limit)  # it may time out: then the session still waits for a reply
                outcome = session.result(limit) if session.busy else session.execute(self.probe, limit)
                if succeeded(outcome) and isinstance(listing := self._list_on(session, limit), NoReply):
                    self.administrator.note_reply(listing)
                    return f"{self.profile.statement('process_list')}: {listing}"
            else:
                return f"{self.administrator} can't log in: {outcome}"
        finally:
            session.close()
        self.administrator.note_reply(outcome)
        return None if succeeded(outcome) else f"{self.probe}: {outcome}"

    def _list_on(self, session: Session, limit: float) -> Outcome:
        return session.execute(self.profile.statement("process_list"), limit)

    def keep_active(self, idle: float) -> None:
        """Sends the probe on the administrator's session if that has been idle for more than ``idle`` seconds."""
        self.administrator.keep_active(self.probe, idle)

    def close(self) -> None:
        """Closes the administrator's session."""
        self.administrator.close()

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
            outcome = session.execute(probe, limit or self.administrator.shortened(self.limits.statement))
            if isinstance(outcome, ServerError) and error_kind_of(outcome) is ErrorKind.UNSUPPORTED:
                continue
            self.facts.probe = probe if succeeded(outcome) else None
            return
        if probes:
            self.facts.probe = probes[-1]

    def _check_probe(self) -> None:
        self.find_probe(self.administrator.session)
        outcome = self.administer(self.probe)
        if not succeeded(outcome):
            raise TargetError(f"{self.probe}: {outcome}", outcome)

    def _advice(self, outcome: Outcome | None) -> str:
        return advice(
            outcome,
            self.dsn,
            self.profile,
            offered=self.administrator.offered_capabilities,
            logged_in=self.administrator.has_logged_in,
        )

    def administer(self, statement: str) -> Outcome:
        """Sends a statement as the administrator; never raises for the server's reply.

        Raises:
            TargetError: the administrator can't log in.
        """
        return self.administrator.execute(statement, self.limits.cleanup)

    def administer_quickly(self, statement: str) -> Outcome:
        """Sends a statement as the administrator that must not wait; the limit is that for a target that may be down.

        Raises:
            TargetError: the administrator can't log in.
        """
        return self.administrator.execute(statement, min(self.limits.cleanup, self.administrator.short_limit))

    def process_list(self, session: Session | None = None) -> ProcessList:
        """The process list that ``session`` reads; that of the administrator's session if it is None.

        Raises:
            TargetError: the reply is not a result set.
        """
        statement = self.profile.statement("process_list")
        limit, poll = self.limits.statement, Poll(self.limits.retry)
        while True:
            outcome = (session or self.administrator).execute(statement, limit)
            # An error may be transient, as while a session is removed, but not that of an unknown statement.
            known = isinstance(outcome, ServerError) and error_kind_of(outcome) is not ErrorKind.UNSUPPORTED
            if not known or not poll.again():
                break
        if not isinstance(outcome, Rows):
            raise TargetError(f"{statement}: {outcome}", outcome)
        return ProcessList.read(outcome)

    def lists_own_thread_id(self) -> bool:
        """Whether the administrator's process list shows its own session under its thread id: both are on one server.

        Raises:
            TargetError: as ``process_list``.
        """
        shown = self.process_list()
        return any(self.administrator.session.handshake_id_is(row.id) for row in shown.of_user(self.dsn.account))

    def are_administrators_rows(self, rows: Collection[Row]) -> bool:
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
