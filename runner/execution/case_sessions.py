"""The sessions of one run of a case, with their users and their rows in the process list."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from runner.database.administrator_session import TargetError
from runner.database.outcome import Outcome, Rows, succeeded
from runner.database.process_list import ProcessList
from runner.database.session import Session
from runner.database.target import Target
from runner.database.time_limits import Poll
from runner.execution.case_errors import InconclusiveError, raise_if_run_ends
from runner.execution.case_session import CaseSession, others_of_same_user
from runner.execution.fixture_pool import Account, CaseChanges, FixturePool
from runner.execution.fixtures import Fixtures
from runner.execution.guarded_history import GuardedHistory
from runner.execution.logins import Logins
from runner.execution.transcript import Transcript
from runner.language.message_text import shorten
from runner.language.model import ADMINISTRATOR, Case, Send, SessionSpec, flat

_LONGEST_LIST = 4000  # characters of a process list in a transcript
REVOKES = re.compile(r"\bREVOKE\b|\bDROP\s+(?:ROLE|USER)\b", re.IGNORECASE)


class CaseSessions:
    """The sessions of one run of a case, with their target, transcript and fixtures.

    Attributes:
        by_name: the sessions, by their names in the case.
        history: the guarded statements that the case has sent.
        logins: logs the sessions in.
        revokes: whether a step revokes a privilege, or drops a role or user.
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
        self.revokes = any(
            isinstance(step, Send) and REVOKES.search(step.statement.text) is not None for step in flat(case.steps)
        )
        self.target = target
        self.transcript = transcript
        self.fixtures = Fixtures(target, transcript, pool, fresh=fresh, has_table=case.table is not None)
        self.by_name: dict[str, CaseSession] = {}
        self.history = GuardedHistory(target)
        self.logins = Logins(target, transcript, self.by_name, self.history, waits_if_full=waits_if_full)
        self._replacements = target.administrator.replacements
        """How often the administrator's session had been replaced when the case was prepared."""

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
        self.logins.connect_all([session for session in self.by_name.values() if session.spec.connect])
        self._replacements = self.target.administrator.replacements

    def wait_for_grants(self, since: float, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Waits until the GRANT or REVOKE of a moment has an effect, on a server where that takes time.

        Args:
            since: the moment (``time.monotonic``).
            meanwhile: called repeatedly, to keep other sessions active.
        """
        if (delay := self.target.facts.grant_delay) and (seconds := since + delay - time.monotonic()) > 0:
            self.transcript.add(
                ADMINISTRATOR, "note", f"waits {delay:g} s: here, a GRANT or REVOKE has no effect before"
            )
            poll = Poll(seconds)
            while poll.again():
                raise_if_run_ends(self.target)
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
                if session.client.busy and session.name in self.history.waiting and session.is_connected:
                    self.target.facts.late_replies.keep(session.client)
                else:
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
        """Whether a user is granted privileges when the case is set up, or is named in a GRANT or REVOKE of a step."""
        account = self.by_name[name].account
        return any(
            session.own_account is account and (session.spec.grants or session.name in self._changes.users)
            for session in self.by_name.values()
        )

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
        for other in others_of_same_user(session, self.by_name.values()):
            if other.client is not None and other.is_connected and not other.client.busy:
                return self._list_of(other.client)
        if not fresh:
            return None
        new_client = Session(self.logins.login_of(session))
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
        """Whether the target has closed a session that has to stay usable, or the administrator's; sends nothing.

        Before the first guarded statement, every session has to stay usable.
        """
        may_end = self.case.may_end if self.history.any_sent else frozenset()
        return self.administrator_lost() or any(
            session.client is not None and not session.disconnected and session.client.check_connection() is not None
            for session in self.by_name.values()
            if session.name not in may_end and not self.closed_after_refusal(session)
        )

    def closed_after_refusal(self, session: CaseSession) -> bool:
        """Whether the target closed a session whose guarded statement it had refused, and this case doesn't judge that.

        If the statement named its own session, it is not visible whether the refusal or the statement is the cause.
        """
        return (
            self.case.requirement.refused_senders is not None
            and session.name in self.history.refused
            and session.client is not None
            and session.client.check_connection() is not None
        )

    def raise_if_closed_after_refusal(self, session: CaseSession) -> None:
        """Raises if the case needs a session that the target closed after it had refused the session's statement.

        Raises:
            InconclusiveError: it has closed it, and another requirement is about that.
        """
        if self.closed_after_refusal(session):
            raise InconclusiveError(
                f"the target refused a statement of {session.name} and closed the session, which this case still "
                f"needs: {self.case.requirement.refused_senders} tests whether such a session stays usable"
            )

    def administrator_lost(self) -> bool:
        """Whether the server has closed the administrator's session since the case was prepared."""
        return self.target.administrator.losses > self._replacements
