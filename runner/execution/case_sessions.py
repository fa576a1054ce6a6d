"""The sessions of one run of a case: logins, users, ids, and which of them guarded statements have named."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from runner.database.administrator import TargetError
from runner.database.outcome import Lost, Outcome, Rows, ServerError, succeeded
from runner.database.process_list import ProcessList
from runner.database.session import Login, Session
from runner.database.target import Target
from runner.database.time_limits import CHANCES, Poll
from runner.database.unrelated_errors import (
    ErrorKind,
    error_kind_of,
    is_connection_limit,
    refused_by_connection_limit,
)
from runner.execution.case_errors import InconclusiveError, NotApplicableError
from runner.execution.fixture_pool import Account, CaseChanges, FixturePool
from runner.execution.fixtures import Fixtures
from runner.execution.session_ids import find_id, id_by_address
from runner.execution.transcript import Transcript
from runner.language.message_text import shorten
from runner.language.model import ADMINISTRATOR, Case, SessionSpec

_QUICK = 0.02  # seconds: faster logins are not worth a thread
_TWO_ROWS = 1.0  # seconds for the process list to show both rows of an id that two sessions have
_LONGEST_LIST = 4000  # characters of a process list in a transcript


@dataclass
class CaseSession:
    """A session of a case: its declaration and its state.

    Attributes:
        spec: the declaration.
        own_account: its user at the login.
        changed_to: its user after COM_CHANGE_USER; None before.
        client: its connection; None before the first login and after a failed one.
        id: its id in the process list; None while unknown.
        no_id_reason: why the id is unknown.
        gone: whether its connection and its row were found gone.
        disconnected: whether its client has closed the connection.
    """

    spec: SessionSpec
    own_account: Account
    client: Session | None = None
    id: str | None = None
    no_id_reason: str = "it never logged in"
    gone: bool = False
    disconnected: bool = False
    changed_to: Account | None = None

    @property
    def account(self) -> Account:
        """Its present user."""
        return self.changed_to or self.own_account

    @property
    def name(self) -> str:
        """Its name in the case."""
        return self.spec.name

    @property
    def is_connected(self) -> bool:
        """Whether neither side has closed the connection; sends nothing."""
        return self.client is not None and not self.disconnected and self.client.check_connection() is None

    @property
    def required_client(self) -> Session:
        """Its connection, open or closed by the server.

        Raises:
            InconclusiveError: there is none.
        """
        if self.client is None:
            raise InconclusiveError(f"{self.name} is not connected at its next step")
        return self.client


class CaseSessions:
    """The sessions of one run of a case, with their target, transcript and fixtures.

    Attributes:
        by_name: the sessions, by their names in the case.
        sent_guarded: whether a guarded statement was sent. Before that, every failure is one of the environment.
        named_in_guarded: the sessions that guarded statements have named.
        senders: the sessions that have sent guarded statements.
        named_with_success: the sessions that guarded statements have named whose replies were a success.
        full: whether the server refused a login because of too many connections or logins.
        broken_off: whether a session was lost during its login, and replaced.
    """

    def __init__(
        self,
        case: Case,
        target: Target,
        transcript: Transcript,
        pool: FixturePool | None = None,
        *,
        fresh: bool = True,
        waits_if_full: bool = True,
    ) -> None:
        """Notes the case and what it needs; sends nothing.

        Args:
            case: the case.
            target: the server.
            transcript: of the case.
            pool: lends accounts; see ``Fixtures``.
            fresh: whether no user or table of earlier cases is used.
            waits_if_full: whether a login that is refused because of too many connections or logins is repeated.
        """
        self.case = case
        self._changes = CaseChanges.of(case)
        self.target = target
        self.transcript = transcript
        self.fixtures = Fixtures(target, transcript, pool, fresh=fresh, has_table=case.table is not None)
        self.by_name: dict[str, CaseSession] = {}
        self.sent_guarded = False
        self.named_in_guarded: set[str] = set()
        self.senders: set[str] = set()
        self.named_with_success: set[str] = set()
        self._route_unproven = False
        """Whether a guarded statement was sent on a connection with different ids in handshake and process list."""
        self._replacements = target.administrator.replacements
        """How often the administrator's session had been replaced when the case was prepared."""
        self._logged_in_clients: list[Session] = []
        self.full = False
        self._waits_if_full = waits_if_full
        self.broken_off = False
        self._most_connected = 0
        """The largest number of sessions of the case that were connected at the same time."""

    def set_up(self) -> None:
        """Creates the fixtures of the case, and logs its sessions in.

        Raises:
            InconclusiveError: the target refused a statement or a login.
            NotApplicableError: the target doesn't accept the quoted name of a user.
        """
        self.target.find_probe(self.target.administrator.session)
        for spec in self.case.sessions:
            self.by_name[spec.name] = CaseSession(spec, self._account(spec))
        if self.case.table is not None:
            self.fixtures.make_table(self.case.table, [session.account for session in self.by_name.values()])
        self.wait_for_grants(self.fixtures.granted_at)
        self._connect_all([session for session in self.by_name.values() if session.spec.connect])
        self._replacements = self.target.administrator.replacements

    def wait_for_grants(self, since: float, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Waits until the GRANT of a moment has an effect, on a server where that takes time.

        Args:
            since: the moment (``time.monotonic``).
            meanwhile: called repeatedly, to keep other sessions active.
        """
        if (delay := self.target.facts.grant_delay) and (seconds := since + delay - time.monotonic()) > 0:
            self.transcript.add(ADMINISTRATOR, "note", f"waits {delay:g} s: here, a GRANT has no effect before")
            poll = Poll(seconds)
            while poll.again():
                self.raise_if_run_ends()
                meanwhile()

    def _account(self, spec: SessionSpec) -> Account:
        if spec.same_user_as == ADMINISTRATOR:
            return Account(self.target.dsn.account, "", exclusive=False, administrator=True)
        if spec.same_user_as is not None:
            return self.by_name[spec.same_user_as].account
        model = spec.name_extends or spec.small_letters_of
        like = self.by_name[model].account if model else None
        plain = spec.name in self.case.passwords_in_statements_of
        return self.fixtures.provide_account(spec, like, plain=plain, reusable=spec.name not in self._changes.users)

    def clean_up(self, *, keep: bool = False) -> list[str]:
        """Closes the sessions and removes the fixtures.

        Args:
            keep: whether later cases can use the users and the table that this case doesn't change.

        Returns:
            A line for each statement that failed.
        """
        for session in self.by_name.values():
            if session.client is not None:
                self.target.facts.note_ended(session.id)
                session.client.close()
        return self.fixtures.remove(keep=keep, keep_table=keep and not self._changes.table)

    def identifiers(self) -> dict[str, str]:
        """The values of this run, by placeholder: ids, users, addresses, names; never a password."""
        found: dict[str, str] = {}
        for session in self.by_name.values():
            if session.id is not None:
                found[f"id of {session.name}"] = session.id
            if session.own_account.exclusive:
                found.setdefault(f"user of {session.spec.same_user_as or session.name}", session.own_account.user)
            if session.client is not None and session.client.local_address is not None:
                found[f"address of {session.name}"] = session.client.local_address
        return found | self.fixtures.identifiers()

    def describe(self, outcome: Outcome) -> str:
        """The text of an outcome. Of a process list, only the rows of this case: others are private."""
        if not isinstance(outcome, Rows) or not {"id", "user"} <= {column.casefold() for column in outcome.columns}:
            return str(outcome)
        own = [session.id for session in self.by_name.values()]
        time_at = {index for index, column in enumerate(outcome.columns) if column.casefold() == "time"}
        listed = sorted(
            (own.index(row.id), values)
            for row, values in zip(ProcessList.read(outcome).rows, outcome.values, strict=True)
            if row.id in own
        )
        rows = [
            tuple("<seconds>" if index in time_at and value else value for index, value in enumerate(values))
            for _, values in listed
        ]
        columns = ", ".join(outcome.columns)
        process_list = "; ".join(", ".join("NULL" if value is None else value for value in row) for row in rows)
        return f"{columns}: {shorten(process_list, _LONGEST_LIST)}" + (
            ", and others" if len(outcome.values) > len(rows) else ""
        )

    def raise_if_run_ends(self) -> None:
        """Ends the case if the run ends now.

        Raises:
            InconclusiveError: the run ends; the message is not shown.
        """
        if self.target.facts.cut_off.is_set():
            raise InconclusiveError("the run was ended")

    def note_guarded_statement(self, sender: CaseSession, named: Collection[str]) -> None:
        """Notes that a guarded statement is sent now, and names these sessions."""
        self.sent_guarded = True
        self.named_in_guarded.update(named)
        self.senders.add(sender.name)
        for name in named:
            self.target.facts.note_ended(self.by_name[name].id)  # not earlier than now, if it ends
        self._route_unproven |= sender.id is None or not sender.required_client.handshake_id_is(sender.id)

    def raise_if_route_unproven(self, session: CaseSession) -> None:
        """Raises if a named session is still connected and listed, but its statement may have reached another server.

        If the ids in the handshakes differ from those in the process list, the statement may have reached another
        server, where the id belongs to another client. Then no further guarded statement is sent.

        Raises:
            InconclusiveError: the ids differ.
        """
        if not self._route_unproven:
            return
        self.target.stop_guarded_statements(
            f"a statement that named {session.name} was accepted, and {session.name} is still connected and listed, "
            "behind a proxy whose connections have other ids than the process list: the statement may have reached "
            "another server than the one that shows the list. Use the address of one server in the DSN"
        )
        raise InconclusiveError(self.target.stop_reason)

    # Logins

    def _connect_all(self, sessions: list[CaseSession]) -> None:
        """Logs sessions in: all at once if the process list shows client addresses, else one after the other."""
        if self.target.facts.shows_client_addresses:
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
        start, since = time.monotonic(), self.transcript.now_ms()
        limit = self.target.limits.connect
        quick = self.target.facts.login_seconds < _QUICK
        for session in sessions:
            session.client = Session(self._login(session))
            if not quick:
                session.client.begin_open(limit)
        for session in sessions:
            opened = session.required_client.open(limit) if quick else session.required_client.end_open(limit)
            opened = self._retry_if_full(session, self._retry_if_new(session, opened))
            _require(session, self._after_login(session, opened, since, setup=True))
        if sessions:
            self.target.facts.note_login_time((time.monotonic() - start) / (len(sessions) if quick else 1))
        process_list = self.target.process_list() if sessions else None
        found = [
            id_by_address(process_list, session.required_client, session.account.user) if process_list else None
            for session in sessions
        ]
        lost = any(session.required_client.check_connection() is not None for session in sessions)
        self.broken_off |= lost
        # Without client addresses, only one new session at a time can be found. One match may be by chance: the
        # addresses of a proxy are of the same kind.
        self.target.facts.note_client_addresses(listed=lost or None not in found)
        if None not in found:
            for session, number in zip(sessions, found, strict=True):
                session.id = number
                self._note_id(session, setup=True)

    def connect(
        self,
        session: CaseSession,
        *,
        login_name: str | None = None,
        setup: bool = False,
        has_claim: bool = False,
        claims_refusal: bool = False,
    ) -> Outcome:
        """Logs a session in, and finds its id in the process list if possible.

        An earlier connection of the session is closed first.

        Args:
            session: the session.
            login_name: the user's name as sent in the login, if a step gives another spelling of it.
            setup: whether the login belongs to the setup of the case.
            has_claim: whether a step has a claim about the login; after a guarded statement, a login that fails at its
                first statement is not retried then.
            claims_refusal: whether the claim is that the login is refused; a refusal is not retried then.

        Returns:
            The outcome of the login.

        Raises:
            InconclusiveError: the id is shared with another connected session.
            TargetError: the administrator can't read the process list.
        """
        if session.client is not None:
            self.target.facts.note_ended(session.id)
            session.client.close()
        session.changed_to = None
        before = None if session.account.exclusive else self.target.process_list()
        self.named_in_guarded.discard(session.name)
        self.named_with_success.discard(session.name)
        client = session.client = Session(self._login(session, login_name))
        if session.account.administrator:
            self.target.facts.administrators.add(client)
        session.id, session.gone = None, False
        since = self.transcript.now_ms()
        opened = client.open(self.target.limits.connect, once=has_claim and self.sent_guarded)
        if not claims_refusal:
            opened = self._retry_if_full(session, self._retry_if_new(session, opened))
        outcome = self._after_login(session, opened, since, login_name=login_name, setup=setup)
        if succeeded(outcome):
            self._find_id(session, before, setup=setup)
        return outcome

    def _find_id(self, session: CaseSession, before: ProcessList | None = None, *, setup: bool = False) -> None:
        taken = {other.id for other in self.others_of_same_user(session) if other.id is not None and not other.gone}
        earlier = session.account.ids - taken
        user, client = session.account.user, session.required_client
        found = find_id(self.target, client, user, taken, before, earlier=earlier)
        session.id, session.no_id_reason = found.id, found.trouble
        self._note_id(session, setup=setup)

    def reset(self, session: CaseSession, user_of: str | None) -> Outcome:
        """Resets a session, or changes its user to that of another session, and finds its id again.

        Returns:
            The reply to COM_RESET_CONNECTION or COM_CHANGE_USER.

        Raises:
            InconclusiveError, TargetError: as for ``connect``.
        """
        client, limit, since = session.required_client, self.target.limits.connect, self.transcript.now_ms()
        if user_of is None:
            what, reply = "its client resets the session (COM_RESET_CONNECTION)", client.reset(limit)
        else:
            account = self.by_name[user_of].account
            login = self.target.login(account.user, account.password)
            what = f"its client changes the user to that of {user_of} (COM_CHANGE_USER)"
            reply = client.change_user(login.user, login.password, limit)
            if succeeded(reply):
                session.changed_to = account
        self.transcript.add(session.name, "note", f"{what}: {reply}", since=since)
        if succeeded(reply):
            self._find_id(session)
        return reply

    def _retry_if_new(self, session: CaseSession, opened: Outcome) -> Outcome:
        """Repeats a refused login if the user is new and no guarded statement, which may be the cause, was sent."""
        facts = self.target.facts
        if self.sent_guarded or not (session.account.exclusive and session.account.is_new):
            return opened
        if not isinstance(opened, ServerError) or facts.refused_new_users >= CHANCES:
            return opened
        again = session.required_client.open_new_user(opened, self.target.limits.connect)
        facts.note_new_user(refused=not succeeded(again))
        return again

    def _retry_if_full(self, session: CaseSession, opened: Outcome) -> Outcome:
        """Repeats a login that is refused because of too many connections, or too many logins in a time.

        Sessions that were closed or killed just now may still count. After three waits in vain, none follows.
        """
        facts, client, limits = self.target.facts, session.required_client, self.target.limits
        if not (self._waits_if_full and refused_by_connection_limit(opened)) or facts.vain_waits >= CHANCES:
            return opened
        poll = Poll(max(limits.retry, limits.settle if self.sent_guarded else 0.0))
        while refused_by_connection_limit(opened) and poll.again():
            self.raise_if_run_ends()
            client.abandon()
            opened = client.open(limits.connect, once=True)
        facts.note_wait_for_room(vain=refused_by_connection_limit(opened))
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

    def login_of(self, session: CaseSession) -> Login:
        """The login of another session of the same user."""
        return self._login(session)

    def _login(self, session: CaseSession, login_name: str | None = None) -> Login:
        account = session.account
        if account.administrator:
            return self.target.administrator.login
        return self.target.login(login_name or account.user, account.password)

    def _after_login(
        self, session: CaseSession, outcome: Outcome, since: float, *, login_name: str | None = None, setup: bool
    ) -> Outcome:
        user = login_name or session.account.user
        user = self.target.dsn.user if session.account.administrator else self.target.profile.quoted(user, "login")
        # A login that fails at its first statement each time is refused: no other session is the cause.
        passed = succeeded(outcome) or isinstance(outcome, Lost)
        if session.client is not None and session.client.broken_off is not None and passed:
            self.transcript.add(session.name, "note", f"its first login: {session.client.broken_off}", setup=setup)
            self.broken_off = True
        self.transcript.add(session.name, "connects", f"as {user}: {outcome}", since=since, setup=setup)
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
            session.account.ids.add(session.id)
            self.target.facts.note_new_id(session.id, self.target.administrator.connected_since)
        text = f"its id in the process list: {session.id or 'unknown, ' + session.no_id_reason}"
        self.transcript.add(session.name, "note", text, setup=setup)
        for other in self.by_name.values():
            if other is not session and other.id is not None and other.id == session.id and other.is_connected:
                self._raise_if_id_shared(other, session)

    def _raise_if_id_shared(self, one: CaseSession, other: CaseSession) -> None:
        """Raises if two connected sessions share one row; two rows with one id are a fault of the server.

        Raises:
            InconclusiveError: the list has one row: a proxy shares a session, or the connections lead to two servers.
        """
        poll = Poll(min(_TWO_ROWS, self.target.limits.settle))
        while len(self.target.process_list().with_id(str(one.id))) < 2:  # noqa: PLR2004 - a row each
            if not poll.again():
                self.target.stop_guarded_statements(
                    f"two connected sessions have the same id {one.id}, and the process list shows one row: "
                    "a proxy shares server sessions among connections, or connections lead to different servers. Name "
                    "one server, or a proxy without connection sharing, in the DSN"
                )
                raise InconclusiveError(f"{one.name} and {other.name}: {self.target.stop_reason}")

    def disconnect(self, session: CaseSession, how: str) -> None:
        """Closes a session as its client; ``how``: ``disconnect`` sends COM_QUIT, ``abort`` resets the connection."""
        self.target.facts.note_ended(session.id)
        if how == "abort":
            session.required_client.abort()
        else:
            session.required_client.close()
        session.disconnected = True

    # The process list

    def id_of(self, name: str) -> str:
        """The id of a session.

        Raises:
            InconclusiveError: it is not known.
        """
        session = self.by_name[name]
        if session.id is None:
            raise InconclusiveError(f"the id of {name} is unknown: {session.no_id_reason}")
        return session.id

    def user_of(self, name: str) -> str:
        """The user of a session, as the process list shows it."""
        account = self.by_name[name].account
        return self.target.dsn.account if account.administrator else account.user

    def has_grants(self, name: str) -> bool:
        """Whether privileges are granted to the user of a session when the case is set up."""
        account = self.by_name[name].account
        return any(session.own_account is account and session.spec.grants for session in self.by_name.values())

    def others_of_same_user(self, session: CaseSession) -> list[CaseSession]:
        """The other sessions of the same user."""
        return [other for other in self.by_name.values() if other.account is session.account and other is not session]

    def shows_others(self, process_list: ProcessList) -> bool:
        """Whether the administrator's process lists show other users' sessions: this list, or one read before."""
        others = [session for session in self.by_name.values() if not session.account.administrator]
        if any(process_list.with_id(session.id) for session in others if session.id):
            self.target.facts.note_others_listed()
        return self.target.facts.sees_others

    def read_process_list_for(self, session: CaseSession, *, fresh: bool = False) -> ProcessList | None:
        """Reads a process list that can show a session: the administrator's, or that of a session of the same user.

        Args:
            session: the session.
            fresh: whether a new session of the user may be opened, if there is no other way.

        Returns:
            None if no process list can show the session.

        Raises:
            TargetError: the administrator can't read the process list.
        """
        process_list = self.target.process_list()
        if session.account.administrator or self.shows_others(process_list):
            return process_list
        for other in self.others_of_same_user(session):
            if other.client is not None and other.is_connected and not other.client.busy:
                return self._list_of(other.client)
        if not fresh:
            return None
        new_client = Session(self._login(session))
        try:
            opened = new_client.open(self.target.limits.connect)
            return self._list_of(new_client) if succeeded(opened) else None
        finally:
            new_client.close()

    def _list_of(self, client: Session) -> ProcessList | None:
        reply = client.execute(self.target.profile.statement("process_list"), self.target.limits.statement)
        return ProcessList.read(reply) if isinstance(reply, Rows) else None

    def activity(self, session: CaseSession) -> object:
        """The activity of a session in the process list, in the server's words; None if unknown."""
        try:
            process_list = self.read_process_list_for(session)
        except TargetError:
            return None
        rows = [] if process_list is None or session.id is None else process_list.with_id(session.id)
        return rows[0].activity if rows else None

    def lost_any(self) -> bool:
        """Whether the target has closed a session that has to stay usable, or the administrator's; sends nothing."""
        return self.administrator_lost() or any(
            session.client is not None and not session.disconnected and session.client.check_connection() is not None
            for session in self.by_name.values()
            if session.name not in self.case.may_end
        )

    def administrator_lost(self) -> bool:
        """Whether the server has closed the administrator's session since the case was prepared."""
        return self.target.administrator.losses > self._replacements


_REFUSES_NAMES = {ErrorKind.UNSUPPORTED, ErrorKind.OTHER}
"""The kinds of errors with which a server refuses a name, and not every login."""


def _require(session: CaseSession, outcome: Outcome) -> None:
    if session.spec.quoted and isinstance(outcome, ServerError) and error_kind_of(outcome) in _REFUSES_NAMES:
        raise NotApplicableError(f"a user with a quoted name can't log in: {session.name}: {outcome}")
    if not succeeded(outcome):
        raise InconclusiveError(f"{session.name} can't log in: {outcome}")
