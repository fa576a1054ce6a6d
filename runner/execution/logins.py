"""The logins of a case's sessions, and the ids that the process list shows for them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

from runner.database.outcome import Lost, Outcome, ServerError, succeeded
from runner.database.process_list import ProcessList
from runner.database.session import Login, Session, several_statements
from runner.database.target import Target
from runner.database.time_limits import CHANCES, Poll
from runner.database.unrelated_errors import (
    ErrorKind,
    error_kind_of,
    is_connection_limit,
    refused_by_connection_limit,
)
from runner.execution.case_errors import InconclusiveError, NotApplicableError, raise_if_run_ends
from runner.execution.case_session import CaseSession, others_of_same_user
from runner.execution.guarded_history import GuardedHistory
from runner.execution.session_ids import find_id, id_by_address
from runner.execution.transcript import Transcript

_QUICK = 0.02  # seconds: faster logins are not worth a thread
_TWO_ROWS = 1.0  # seconds for the process list to show both rows of an id that two sessions have


class Logins:
    """Logs the sessions of one run of a case in.

    Attributes:
        full: whether the server refused a login because of too many connections or logins.
        broken_off: whether a session was lost during its login, and replaced.
    """

    def __init__(
        self,
        target: Target,
        transcript: Transcript,
        by_name: Mapping[str, CaseSession],
        history: GuardedHistory,
        *,
        waits_if_full: bool,
    ) -> None:
        """Notes what it needs; sends nothing.

        Args:
            target: the server.
            transcript: of the case.
            by_name: the sessions of the case, by their names in it.
            history: the guarded statements of the case.
            waits_if_full: whether a login that is refused because of too many connections or logins is repeated.
        """
        self._target = target
        self._transcript = transcript
        self._by_name = by_name
        self._history = history
        self._waits_if_full = waits_if_full
        self._logged_in_clients: list[Session] = []
        self._most_connected = 0
        """The largest number of sessions of the case that were connected at the same time."""
        self.full = False
        self.broken_off = False

    def connect_all(self, sessions: list[CaseSession]) -> None:
        """Logs sessions in: all at once if the process list shows client addresses, else one after the other."""
        if self._target.facts.shows_client_addresses:
            self._connect_together([session for session in sessions if session.account.exclusive])
        unknown = [session for session in sessions if session.id is None]
        for session in unknown:  # first all of them: each could be mistaken for another session of the same user
            if session.client is not None:
                session.client.close()
        for session in unknown:
            _require(session, self.connect(session, setup=True))
            if session.spec.quoted and session.id is None:
                raise NotApplicableError(
                    f"the process list doesn't show the quoted name of {session.name}'s user: {session.no_id_reason}"
                )

    def _connect_together(self, sessions: list[CaseSession]) -> None:
        start, since = time.monotonic(), self._transcript.now_ms()
        limit = self._target.limits.connect
        quick = self._target.facts.login_seconds < _QUICK
        for session in sessions:
            session.client = Session(self.login_of(session))
            if not quick:
                session.client.begin_open(limit)
        for session in sessions:
            opened = session.required_client.open(limit) if quick else session.required_client.end_open(limit)
            opened = self._retry_if_full(session, self._retry_if_new(session, opened))
            _require(session, self._after_login(session, opened, since, setup=True))
        if sessions:
            self._target.facts.note_login_time((time.monotonic() - start) / (len(sessions) if quick else 1))
        process_list = self._target.process_list() if sessions else None
        found = [
            id_by_address(process_list, session.required_client, session.account.user) if process_list else None
            for session in sessions
        ]
        lost = any(session.required_client.check_connection() is not None for session in sessions)
        self.broken_off |= lost
        # Without client addresses, only one new session at a time can be found. One match may be by chance: the
        # addresses of a proxy are of the same kind.
        self._target.facts.note_client_addresses(listed=lost or None not in found)
        if None not in found:
            for session, number in zip(sessions, found, strict=True):
                session.id = number
                self._note_id(session, setup=True)

    def connect(
        self,
        session: CaseSession,
        *,
        login_name: str | None = None,
        client_kind: str | None = None,
        setup: bool = False,
        has_claim: bool = False,
        claims_refusal: bool = False,
    ) -> Outcome:
        """Logs a session in, and finds its id in the process list if possible.

        An earlier connection of the session is closed first.

        Args:
            session: the session.
            login_name: the user's name as sent in the login, if a step gives another spelling of it.
            client_kind: what the login has besides, as the step states it.
            setup: whether the login belongs to the setup of the case.
            has_claim: whether a step has a claim about the login; after a guarded statement, a login that fails at its
                first statement is not retried then.
            claims_refusal: whether the claim is that the login is refused, or may be with this spelling of the name; a
                refusal is not retried then.

        Returns:
            The outcome of the login.

        Raises:
            InconclusiveError: the id is shared with another connected session.
            TargetError: the administrator can't read the process list.
        """
        if session.client is not None:
            self._target.facts.note_ended(session.id)
            session.client.close()
        session.changed_to = None
        before = None if session.account.exclusive else self._target.process_list()
        self._history.forget(session.name)
        login = _with_client(client_kind, self.login_of(session, login_name), session.account.user)
        client = session.client = Session(login)
        if session.account.administrator:
            self._target.facts.administrators.add(client)
        session.id, session.gone = None, False
        since = self._transcript.now_ms()
        tested = has_claim and self._history.any_sent and not self._target.facts.loses_logins
        opened = client.open(self._target.limits.connect, once=tested)
        if not claims_refusal:
            opened = self._retry_if_full(session, self._retry_if_new(session, opened))
        if client_kind is not None:
            self._transcript.add(
                session.name, "note", f"its client logs in {client_kind.replace('-', ' ')}", setup=setup
            )
        outcome = self._after_login(session, opened, since, login_name=login_name, setup=setup)
        if succeeded(outcome):
            self._find_id(session, before, setup=setup)
        return outcome

    def _find_id(self, session: CaseSession, before: ProcessList | None = None, *, setup: bool = False) -> None:
        taken = {
            other.id
            for other in others_of_same_user(session, self._by_name.values())
            if other.id is not None and not other.gone
        }
        earlier = set(session.account.ids) - taken
        user, client = session.account.user, session.required_client
        found = find_id(self._target, client, user, taken, before, earlier=earlier)
        session.id, session.no_id_reason = found.id, found.trouble
        self._note_id(session, setup=setup)

    def reset(self, session: CaseSession, user_of: str | None) -> Outcome:
        """Resets a session, or changes its user to that of another session, and finds its id again.

        Returns:
            The reply to COM_RESET_CONNECTION or COM_CHANGE_USER.

        Raises:
            InconclusiveError, TargetError: as for ``connect``.
        """
        client, limit, since = session.required_client, self._target.limits.connect, self._transcript.now_ms()
        if user_of is None:
            what, reply = "its client resets the session (COM_RESET_CONNECTION)", client.reset(limit)
        else:
            account = self._by_name[user_of].account
            login = self._target.login(account.user, account.password)
            what = f"its client changes the user to that of {user_of} (COM_CHANGE_USER)"
            reply = client.change_user(login.user, login.password, limit)
            if succeeded(reply):
                session.changed_to = account
        self._transcript.add(session.name, "note", f"{what}: {reply}", since=since)
        if succeeded(reply):
            self._find_id(session)
        return reply

    def _retry_if_new(self, session: CaseSession, opened: Outcome) -> Outcome:
        """Repeats a refused login if the user is new and no guarded statement, which may be the cause, was sent."""
        facts = self._target.facts
        if self._history.any_sent or not (session.account.exclusive and session.account.is_new):
            return opened
        if not isinstance(opened, ServerError) or facts.refused_new_users >= CHANCES:
            return opened
        again = session.required_client.open_new_user(opened, self._target.limits.connect)
        facts.note_new_user(refused=not succeeded(again))
        return again

    def _retry_if_full(self, session: CaseSession, opened: Outcome) -> Outcome:
        """Repeats a login that is refused because of too many connections, or too many logins in a time.

        Sessions that were closed or killed just now may still count. After three waits in vain, none follows, except
        where the server had more sessions before: killed ones may count until they have to be gone.
        """
        facts, client, limits = self._target.facts, session.required_client, self._target.limits
        counts_killed = self._history.any_sent and self.refused_below_earlier_maximum(opened)
        hopeless = facts.full_server_waits >= CHANCES and not counts_killed
        if hopeless or not (self._waits_if_full and refused_by_connection_limit(opened)):
            return opened
        poll = Poll(max(limits.retry, limits.settle if self._history.any_sent else 0.0))
        while refused_by_connection_limit(opened) and poll.again():
            raise_if_run_ends(self._target)
            client.abandon()
            opened = client.open(limits.connect, once=True)
        vain = refused_by_connection_limit(opened)
        if not (vain and counts_killed):  # no later login would be in vain for that reason
            facts.note_wait_for_room(vain=vain)
        return opened

    @property
    def _connected(self) -> int:
        return sum(client.check_connection() is None for client in self._logged_in_clients)

    def refused_below_earlier_maximum(self, login: Outcome) -> bool:
        """Whether a login is refused because the server is full, though it had more sessions of the case before.

        Then killed sessions still occupy the server, which is no fault of the environment.
        """
        full = (isinstance(login, Lost) and login.refused) or (
            isinstance(login, ServerError) and is_connection_limit(login)
        )
        return full and self._connected < self._most_connected

    def login_of(self, session: CaseSession, login_name: str | None = None) -> Login:
        """The login of the user of a session; ``login_name``: another spelling of the user's name."""
        account = session.account
        if account.administrator:
            return self._target.administrator.login
        return self._target.login(login_name or account.user, account.password)

    def _after_login(
        self, session: CaseSession, outcome: Outcome, since: float, *, login_name: str | None = None, setup: bool
    ) -> Outcome:
        user = login_name or session.account.user
        user = self._target.dsn.user if session.account.administrator else self._target.profile.quoted(user, "login")
        # A login that fails at its first statement each time is refused: no other session is the cause.
        passed = succeeded(outcome) or isinstance(outcome, Lost)
        if session.client is not None and session.client.broken_off is not None and passed:
            self._transcript.add(session.name, "note", f"its first login: {session.client.broken_off}", setup=setup)
            self.broken_off = True
        self._transcript.add(session.name, "connects", f"as {user}: {outcome}", since=since, setup=setup)
        self.full |= refused_by_connection_limit(outcome)
        if session.client is None:
            return outcome
        if succeeded(outcome):
            self._logged_in_clients.append(session.client)
            self._most_connected = max(self._most_connected, self._connected)
        else:
            session.client.abandon()
            session.client = None
        return outcome

    def _note_id(self, session: CaseSession, *, setup: bool) -> None:
        if session.id is not None:
            session.account.ids.append(session.id)
            self._target.facts.note_new_id(session.id, self._target.administrator.connected_since)
        text = f"its id in the process list: {session.id or 'unknown, ' + session.no_id_reason}"
        self._transcript.add(session.name, "note", text, setup=setup)
        for other in self._by_name.values():
            if other is not session and other.id is not None and other.id == session.id and other.is_connected:
                self._raise_if_id_shared(other, session)

    def _raise_if_id_shared(self, one: CaseSession, other: CaseSession) -> None:
        """Raises if two connected sessions share one row; two rows with one id are a fault of the server.

        Raises:
            InconclusiveError: the list has one row: a proxy shares a session, or the connections lead to two servers.
        """
        poll = Poll(min(_TWO_ROWS, self._target.limits.settle))
        while len(self._target.process_list().with_id(str(one.id))) < 2:  # noqa: PLR2004 - a row each
            if not poll.again():
                self._target.stop_guarded_statements(
                    f"two connected sessions have the same id {one.id}, and the process list shows one row: "
                    "a proxy shares server sessions among connections, or connections lead to different servers. Name "
                    "one server, or a proxy without connection sharing, in the DSN"
                )
                raise InconclusiveError(f"{one.name} and {other.name}: {self._target.stop_reason}")


_REFUSES_NAMES = {ErrorKind.UNSUPPORTED, ErrorKind.OTHER}
"""The kinds of errors with which a server refuses a name, and not every login."""


def _with_client(kind: str | None, login: Login, user: str) -> Login:
    """The login that a client of some kind sends."""
    match kind:
        case "with-schema":
            return replace(login, schema=user)
        case "with-several-statements":
            return several_statements(login)
    return login


def _require(session: CaseSession, outcome: Outcome) -> None:
    if session.spec.quoted and isinstance(outcome, ServerError) and error_kind_of(outcome) in _REFUSES_NAMES:
        raise NotApplicableError(f"a user with a quoted name can't log in: {session.name}: {outcome}")
    if not succeeded(outcome):
        raise InconclusiveError(f"{session.name} can't log in: {outcome}")
