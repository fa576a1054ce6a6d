"""Checks which sessions are ended and which are usable, and keeps the usable ones active.

A session that should be ended is checked until the settle time is over. A session that should stay usable has to reply
to a statement after the others are ended.

On the connection of an idle session that should be ended, no statement is sent before its row is gone: a server that
only marks the session, and ends it at its client's next statement, would end it because of the check.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from runner.database.outcome import Lost, NoReply, Outcome, ServerError, Unreadable, succeeded
from runner.database.session import Session
from runner.database.time_limits import KEEP_ACTIVE_AFTER, Poll
from runner.execution.adaptive_limits import AdaptiveLimits
from runner.execution.case_errors import Deviation, DeviationError, InconclusiveError, raise_if_run_ends
from runner.execution.case_result import Ending
from runner.execution.case_session import CaseSession, others_of_same_user
from runner.execution.case_sessions import CaseSessions
from runner.execution.idle_timeout import IdleTimeout
from runner.execution.same_server import raise_if_moved

_SLOWEST_PROBE = 1.0  # seconds: the longest pause between check statements
_PROBE_LIMIT = 1.0  # seconds for the reply of a session that should be ended
_LATE = 0.2  # seconds of idling after which an idle timeout may have ended a session
_LISTS = 4  # process lists in a row without the row of an ended session, to find that it stays away
_RECEIVING = 60.0  # seconds after the limit in which the rest of a reply may be received


@dataclass
class _Probe:
    """The time of the next check statement on an open connection: some servers close it only then."""

    due: float
    pause: float

    def is_due(self) -> bool:
        """Whether the statement is due now; if it is, the pause until the next one is doubled."""
        if time.monotonic() < self.due:
            return False
        self.pause = min(2 * self.pause, _SLOWEST_PROBE)
        self.due = time.monotonic() + self.pause
        return True


@dataclass
class _End:
    """The signs of the end of one session so far; times are in seconds since the guarded statement.

    Attributes:
        was_idle: whether no statement was in flight. Blocked sessions may need longer, and don't count as durations.
        first_check: the time of the first check (``time.monotonic``).
        checked: whether the connection was checked before the last check.
        late: whether the connection was gone at the first check, which may have been late.
        connection, row: the times at which they were found gone.
        idle: seconds for which the session was idle at the first sign of its end; None if a statement was in flight.
        state: the activity that its row showed last.
        probe: the check statements; none before the row is gone.
        check_sent: whether a check statement was sent since the row is gone.
    """

    was_idle: bool
    first_check: float = field(default_factory=time.monotonic)
    checked: bool = False
    late: bool = False
    connection: float | None = None
    row: float | None = None
    idle: float | None = None
    state: str = ""
    probe: _Probe | None = None
    check_sent: bool = False

    @property
    def is_over(self) -> bool:
        """Whether connection and row are gone."""
        return self.connection is not None and self.row is not None


@dataclass
class SessionChecks:
    """The checks of the sessions in one run of a case.

    Attributes:
        endings: how the sessions that are gone ended, by name.
    """

    sessions: CaseSessions
    timeouts: AdaptiveLimits
    idle_timeout: IdleTimeout
    endings: dict[str, Ending] = field(default_factory=dict)
    _durations_from: float = field(default_factory=time.monotonic)
    """The time at which the last guarded statement was sent or, once there is a reply, replied to."""
    _sent_since: set[str] = field(default_factory=set)
    """Sessions that have sent a statement of the case since then: their ends have no known duration."""
    _ends: dict[str, _End] = field(default_factory=dict)

    @property
    def settle_time(self) -> float:
        """Seconds after which a killed session of this case has to be gone."""
        return self.timeouts.settle * self.sessions.case.settle_factor

    def _settle_time_of(self, end: _End) -> float:
        """Seconds after which a session has to be gone, which may depend on whether it was idle."""
        return self.timeouts.settle_of(busy=not end.was_idle) * self.sessions.case.settle_factor

    @property
    def elapsed(self) -> float:
        """Seconds since the last guarded statement."""
        return max(0.0, time.monotonic() - self._durations_from)

    def note_guarded_statement(self) -> None:
        """Notes that a guarded statement is sent now: durations of ends are measured from here."""
        self._durations_from = time.monotonic()
        self._sent_since.clear()

    def note_guarded_reply(self) -> None:
        """Notes the reply to the guarded statement, or its timeout: durations of ends are measured from here now."""
        self._durations_from = time.monotonic()

    def note_statement(self, session: CaseSession) -> None:
        """Notes that a session sends another statement of the case after a guarded one."""
        self._sent_since.add(session.name)

    def forget_end(self, session: CaseSession) -> None:
        """Forgets the end of a session's earlier connection: the session connects again."""
        self.endings.pop(session.name, None)
        self._ends.pop(session.name, None)

    def wait_for_end(self, session: CaseSession, poll: Poll | None = None) -> None:
        """Waits until a session's connection and row are gone, until the deadline of ``poll`` or for the settle time.

        Nothing is sent in the sessions that have sent guarded statements: their effect must not need another statement.
        If the client has disconnected, only the row is checked. If the client does not read a reply, the row has to be
        gone before the rest is read: the server must not need the client to end the session.

        Raises:
            DeviationError: the connection or the row is still there at the deadline.
            InconclusiveError: no process list can show the row, or an idle timeout may have ended the session.
        """
        if session.gone:
            return
        end = self._end_of(session)
        settle = self._settle_time_of(end)
        poll = poll or Poll(settle)
        while not self._check_end(session, end).is_over and poll.again():
            self.keep_active(self.sessions.history.senders)
        if not end.is_over:
            self._raise_not_ended(session, end, settle)
        if session.disconnected:
            session.gone = True
            return
        self._raise_if_idle_timeout(session, end)
        if not end.was_idle:
            self.timeouts.note_busy_end(max(end.connection or 0.0, end.row or 0.0))
        elif session.name not in self._sent_since:
            self._note_speed(end)
        session.gone = True
        manner = str(session.required_client.connection_end) + (", at its next statement" if end.check_sent else "")
        probed = end.check_sent or session.name in self._sent_since
        connection = None if probed or end.connection is None else round(end.connection * 1000, 1)
        row = None if end.row is None else round(end.row * 1000, 1)
        self.endings[session.name] = Ending(session.name, manner, connection, row)

    def wait_for_ends(self, sessions: Collection[CaseSession]) -> None:
        """Waits until all of these sessions are gone, and checks them in turn; see ``wait_for_end``.

        Raises:
            DeviationError: as ``wait_for_end``.
            InconclusiveError: as ``wait_for_end``.
        """
        ends = [(session, self._end_of(session)) for session in sessions if not session.gone]
        poll = Poll(max((self._settle_time_of(end) for _, end in ends), default=0.0))
        while any(not self._check_end(session, end).is_over for session, end in ends) and poll.again():
            self.keep_active(self.sessions.history.senders)
        for session in sessions:
            self.wait_for_end(session, poll)

    def settle_time_of(self, sessions: Collection[CaseSession]) -> float:
        """Seconds after which all of these sessions have to be gone if they were killed; without any: of each."""
        times = [self._settle_time_of(self._end_of(session)) for session in sessions]
        return max(times, default=self.settle_time)

    def note_not_ended(self, sessions: Collection[CaseSession]) -> None:
        """Notes the sessions that are still connected after their settle time, although a success killed them."""
        for session in sessions:
            if session.is_connected and session.name in self.sessions.history.named_with_success:
                self.timeouts.note_end_exceeded(busy=not self._end_of(session).was_idle)

    def check_for_ends(self, sessions: Collection[CaseSession]) -> None:
        """Checks once whether these sessions are ended, as ``wait_for_end`` does."""
        for session in sessions:
            if session.is_connected:
                self._check_end(session, self._end_of(session))
        self.keep_active()

    def keep_active(self, except_for: Collection[str] = ()) -> None:
        """Sends a statement to idle sessions that have to stay usable, so that no idle timeout ends them.

        These are the administrator's session and all others, except those that may end and were named already.

        Args:
            except_for: sessions in which nothing is sent, because it would change what the case is about.

        Raises:
            DeviationError: as ``check_usable``.
            InconclusiveError: as ``check_usable``, or the run ends now.
        """
        raise_if_run_ends(self.sessions.target)
        self._check_named_connections()
        self.sessions.target.keep_active(KEEP_ACTIVE_AFTER)
        idle = [
            session
            for session in self._survivors(self.sessions.case.may_end & self.sessions.history.named)
            if session.client is not None
            and not session.client.busy
            and session.client.idle > KEEP_ACTIVE_AFTER
            and session.name not in except_for
        ]
        if may_end := [session for session in idle if session.name in self.sessions.case.may_end]:
            self._find_lost(may_end, self.sessions.target.limits.statement)
        if survivors := [session for session in idle if session.name not in self.sessions.case.may_end]:
            self.check_usable(survivors)

    def pause(self, seconds: float, idle: Collection[str] = ()) -> None:
        """Waits; sends statements to idle sessions meanwhile, except those in ``idle``; raises as ``keep_active``."""
        poll = Poll(seconds)
        while poll.again():
            self.keep_active(idle)

    def _check_named_connections(self) -> None:
        """Notes the ends of connections of named sessions now: the case may wait for them much later."""
        for name in sorted(self.sessions.case.may_end & self.sessions.history.named):
            session = self.sessions.by_name[name]
            if session.client is not None and not session.gone and not session.disconnected:
                self._check_connection(session, self._end_of(session))

    def wait_for_reply(self, client: Session, limit: float) -> Outcome:
        """Waits for the reply to a client's statement, as ``Session.result``, and keeps the other sessions active.

        A reply that is being received is read on after the limit: a proxy may hold many megabytes of it.

        Args:
            client: the client.
            limit: the seconds.

        Raises:
            DeviationError: as ``keep_active``.
            InconclusiveError: as ``keep_active``.
        """
        poll = Poll(limit)
        while True:
            slice_ = min(poll.left, KEEP_ACTIVE_AFTER)
            outcome = client.result(slice_, receiving=_RECEIVING)
            if not isinstance(outcome, NoReply) or outcome.seconds > slice_:
                return outcome
            if not poll.left:
                return NoReply(limit)
            self.keep_active()

    def _end_of(self, session: CaseSession) -> _End:
        if session.name not in self._ends:
            self._ends[session.name] = _End(was_idle=not session.required_client.busy)
        return self._ends[session.name]

    def _check_end(self, session: CaseSession, end: _End) -> _End:
        if session.disconnected:
            end.connection = 0.0  # closed by its client
        self._check_connection(session, end)
        if end.is_over:
            return end
        if end.connection is None and time.monotonic() - end.first_check < self.timeouts.before_list:
            return end  # most servers close it at once: then the process list need not be read
        if end.row is None:
            state = self._row_state(session)
            if state is not None:
                end.state = state
                return end
            end.row = self.elapsed
            if end.connection is None:
                end.idle = _idle_seconds(session.required_client)
            self.sessions.transcript.add(session.name, "ends", f"row {session.id} gone from the process list")
        client = session.required_client
        if client.held:
            client.discard()
        client.send_second_half()  # a proxy that waits for it can't close the connection before
        if end.connection is None and (not client.busy or client.has_reply):
            pause = self.timeouts.before_probe
            end.probe = end.probe or _Probe(time.monotonic() + pause, pause)
            if end.probe.is_due():
                end.check_sent = True
                self._find_lost([session], _PROBE_LIMIT)
            self._check_connection(session, end)
        return end

    def _check_connection(self, session: CaseSession, end: _End) -> None:
        client = session.required_client
        if end.connection is None and client.check_connection() is not None:
            end.connection = self.elapsed
            end.late = not end.checked
            if end.row is None:
                end.idle = client.idle
            how = ", when a statement was sent on it" if end.check_sent else ""
            self.sessions.transcript.add(session.name, "ends", f"connection {client.connection_end}{how}")
        end.checked = True

    def _raise_not_ended(self, session: CaseSession, end: _End, settle: float) -> None:
        """Raises the error for a session that is not gone after the settle time.

        Raises:
            DeviationError: the connection or the row is still there.
            InconclusiveError: the statement may have reached another server, or a proxy has moved the connection.
        """
        if end.row is None and end.connection is None:
            self.sessions.history.raise_if_ids_differ(session)
        self.timeouts.note_end_exceeded(busy=not end.was_idle)
        if end.connection is not None:
            seen, gone = ("client", "has disconnected") if session.disconnected else ("connection", "is gone")
            raise DeviationError(
                Deviation(
                    f"the row of {session.name} leaves the process list within {settle:g} s",
                    f"the {seen} of {session.name} {gone}, but the session's row is still there ({end.state})",
                    not_ended=True,
                )
            )
        client = session.required_client
        in_flight = client.busy and not client.has_reply
        silent = in_flight and end.check_sent
        state = f"{session.name} is connected, and its statement is still in flight"
        if client.held:
            held = f"the client of {session.name} has not read the whole reply"
            state = f"{held}, and the session's row is still there ({end.state})"
        if not in_flight:  # the check statement may end the session: the message states that, too
            if end.row is None:
                end.idle = _idle_seconds(client)
            silent = bool(self._find_lost([session], _PROBE_LIMIT))
            state = f"{session.name} is connected, and replies to statements"
            if end.row is not None and not silent:
                raise_if_moved(session, self.sessions)
        elif end.row is not None and not silent:  # a firewall forgets a connection also while a statement runs
            end.idle = client.idle - max(0.0, self.elapsed - end.row)
            self._raise_if_idle_timeout(session, end, silent=True)
        if silent:
            self._raise_if_idle_timeout(session, end, silent=True)
            state = f"{session.name} is connected, and doesn't reply to statements"
            if end.row is None:
                state = (
                    f"{session.name} is connected and listed until a statement is sent on its connection ({end.state})"
                )
        row = f"the row of {session.name} is gone, but " if end.row is not None else ""
        expected = f"the connection of {session.name} is gone within {settle:g} s"
        survived = not in_flight and not silent and session.name in self.sessions.history.named_with_success
        raise DeviationError(
            Deviation(expected, row + state, no_reply_or_lost=in_flight, survived=survived, not_ended=True)
        )

    def _raise_if_idle_timeout(self, session: CaseSession, end: _End, *, silent: bool = False) -> None:
        """Raises InconclusiveError if an idle timeout may have closed a session, or made it silent."""
        if end.idle is None or end.idle < _LATE:
            return
        login = self.sessions.logins.login_of(session)
        loss = self.idle_timeout.find(end.idle, login, self.keep_active, silent=silent)
        if loss is not None:
            raise InconclusiveError(loss.explains(session.name, end.idle, "the settle time"))

    def _note_speed(self, end: _End) -> None:
        # A connection that was gone at the first check, which may have been late, has no known duration.
        if end.check_sent:
            self.timeouts.note_end_at_request(end.row if end.row is not None and end.state else 0.0)
        elif end.connection is not None:
            self.timeouts.note_end(0.0 if end.late else end.connection)

    def _row_state(self, session: CaseSession) -> str | None:
        """The activity in the row of a session that should be ended; None if the row is gone."""
        if session.id is None:
            raise InconclusiveError(f"the id of {session.name} is unknown: {session.no_id_reason}")
        # The server may have given the id to a later session of the case.
        others = others_of_same_user(session, self.sessions.by_name.values())
        if any(other.id == session.id and other.is_connected for other in others):
            return None
        process_list = self.sessions.read_process_list_for(session, fresh=True)
        if process_list is None:
            raise InconclusiveError(f"can't verify that the row of {session.name} is gone")
        rows = [row for row in process_list.of_user(session.account.user) if row.id == session.id]
        return rows[0].shown_activity if rows else None

    def _row_after(self, session: CaseSession, poll: Poll) -> str | None:
        """The activity in the row of an ended session that was still listed before the deadline of ``poll``.

        Returns:
            None as soon as several process lists in a row lack it: one may be a copy that is newer than others.
        """
        state, lacking = None, 0
        while lacking < _LISTS:
            found = self._row_state(session)
            state, lacking = found or state, lacking + 1 if found is None else 0
            if lacking < _LISTS and not poll.again():
                return state
            raise_if_run_ends(self.sessions.target)
        return None

    def _survivors(self, ended: Collection[str]) -> Iterator[CaseSession]:
        for session in self.sessions.by_name.values():
            if (
                session.name not in ended
                and session.client is not None
                and not session.gone
                and not session.disconnected
                and not self.sessions.closed_after_refusal(session)
            ):
                yield session

    def check_survivors(self, ended: Collection[str], *, watch: bool) -> None:
        """Checks that all sessions but the ended ones are usable.

        A case can have a time to watch; then the rows of the ended sessions must not return in that time.

        Args:
            ended: the names of the ended sessions.
            watch: whether to check again after the time that a kill takes on this target.

        Raises:
            DeviationError: one is gone, and a guarded statement was sent.
            InconclusiveError: one is gone, and no guarded statement was sent.
        """
        survivors = list(self._survivors(ended))
        self.check_usable(survivors)
        seconds = max(self.timeouts.watch if watch else 0, self.sessions.case.watch)
        if seconds:
            poll = Poll(seconds)
            while all(session.is_connected for session in self._survivors(ended)) and poll.again():
                self.keep_active()
            self.check_usable(survivors)
        for name in self.endings if self.sessions.case.watch else ():
            if (state := self._row_after(self.sessions.by_name[name], Poll(self.settle_time))) is not None:
                actual = f"it was gone from the process list, and returned ({state})"
                raise DeviationError(Deviation(f"the row of {name} does not return", actual))

    def check_usable(self, survivors: Collection[CaseSession]) -> None:
        """Checks once that these sessions and the administrator's are usable; raises like ``check_survivors``."""
        idle = {session.name: session.client.idle for session in survivors if session.client is not None}
        lost = self._find_lost(survivors, self.sessions.target.limits.statement)
        lost = [session for session in lost if not self.sessions.closed_after_refusal(session)]  # while it was checked
        control = self.sessions.administrator_lost()
        if not lost and not control:
            return
        for session in lost:
            if session.client is not None and session.client.connection_end is not None:
                self.sessions.transcript.add(session.name, "ends", f"connection {session.client.connection_end}")
        names = [f"{session.name} ({_loss(session)})" for session in lost]
        names += ["the administrator's session, which prepared the case"] if control else []
        if not self.sessions.history.any_sent:
            raise InconclusiveError(f"the target closed {' and '.join(names)} before the statement under test was sent")
        self._raise_if_timed_out(lost, control=control, idle={session.name: idle[session.name] for session in lost})
        involved = self.sessions.case.named_or_may_end | self.sessions.history.refused
        unnamed = any(session.name not in involved for session in lost)
        raise DeviationError(
            Deviation(
                "all sessions that should not be killed stay usable",
                f"lost: {' and '.join(names)}",
                safety=control or unnamed,
                no_reply_or_lost=True,
                interrupted=any(_was_interrupted(session) for session in lost),
            )
        )

    def lost_session(self) -> bool:
        """Whether the server has closed a session that has to stay usable, or the administrator's. Sends nothing."""
        return self.sessions.administrator_lost() or any(
            session.client is not None and session.client.connection_end is not None
            for session in self._survivors(self.sessions.case.may_end)
        )

    def lost_before_named(self) -> bool:
        """Whether the server has closed a session that is to be killed, and that no statement has named yet."""
        return any(
            session.client is not None and session.client.connection_end is not None
            for session in self._survivors(self.sessions.history.named)
        )

    def _raise_if_timed_out(self, lost: Collection[CaseSession], *, control: bool, idle: Mapping[str, float]) -> None:
        """Raises InconclusiveError if an idle timeout may have closed all lost sessions; opens a session to check."""
        times = dict(idle)
        if control:
            times["the administrator's session"] = self.sessions.target.administrator.idle_when_lost
        if any(_was_interrupted(session) for session in lost) or min(times.values()) < _LATE:
            return
        idle_for, login = min(times.values()), self.sessions.target.administrator.login
        silent = any(session.client is not None and session.client.connection_end is None for session in lost)
        loss = self.idle_timeout.find(idle_for, login, _keep_none_active, silent=silent)
        if loss is not None:
            raise InconclusiveError(loss.explains(" and ".join(times), idle_for, "10 s"))

    def _find_lost(self, sessions: Collection[CaseSession], limit: float) -> list[CaseSession]:
        """Sends a check statement to all idle sessions at once.

        Returns:
            The sessions that are closed, don't reply in ``limit`` seconds, or were interrupted.

        Raises:
            InconclusiveError: the data that one of them receives is no reply.
        """
        probe = self.sessions.target.probe
        lost, probed = [], []
        for session in sessions:
            if session.client is None or session.client.check_connection() is not None:
                lost.append(session)
            elif not session.client.busy or session.client.has_reply:
                if session.client.busy and self._interrupted(session, session.client.result(0)):
                    lost.append(session)
                    continue
                session.client.send(probe)
                probed.append((session, session.client))
        for session, client in probed:
            outcome = client.result(limit)
            if not succeeded(outcome):
                self.sessions.transcript.add(session.name, "note", f"reply to a check statement: {outcome}")
            if isinstance(outcome, Lost | NoReply) or self._interrupted(session, outcome):
                lost.append(session)
        return lost

    def _interrupted(self, session: CaseSession, outcome: Outcome) -> bool:
        """Whether the statement in flight was interrupted; other errors don't count.

        Raises:
            InconclusiveError: the data received is no reply, or the profile doesn't define the error class.
        """
        if isinstance(outcome, Unreadable):
            raise InconclusiveError(f"can't verify that {session.name} stays usable: {outcome}")
        profile = self.sessions.target.profile
        if isinstance(outcome, ServerError) and (gap := profile.missing_error_class("interrupted")) is not None:
            raise InconclusiveError(f"can't verify that {session.name} was interrupted ({outcome}): {gap}")
        if not isinstance(outcome, ServerError) or "interrupted" not in profile.classes_of(outcome):
            return False
        self.sessions.transcript.add(session.name, "receives", f"for its statement in flight: {outcome}")
        return True


def _keep_none_active() -> None:
    """Sends nothing: sessions of the case are lost already, so that none has to be kept active."""


def _idle_seconds(client: Session) -> float | None:
    """Seconds for which a client has been idle; None if its statement is in flight."""
    return None if client.busy and not client.has_reply else client.idle


def _was_interrupted(session: CaseSession) -> bool:
    """Whether a lost session is lost by its reply: it is neither closed nor without a reply to a check statement."""
    client = session.client
    return client is not None and client.connection_end is None and not client.busy


def _loss(session: CaseSession) -> str:
    connection_end = session.client.connection_end if session.client else None
    return str(connection_end) if connection_end else "interrupted, or doesn't reply"
