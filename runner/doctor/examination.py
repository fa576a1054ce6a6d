"""Examines a target: logs in, reads the process list, and creates a user, a table and a role to test prerequisites."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from runner.database.administrator_session import TargetError
from runner.database.generated_passwords import without_passwords
from runner.database.outcome import Outcome, Rows, succeeded
from runner.database.process_list import LAG, ProcessList
from runner.database.session import Login, Session
from runner.database.target import Target
from runner.database.time_limits import Poll
from runner.doctor import case_prerequisites
from runner.doctor.case_prerequisites import Prerequisites
from runner.doctor.findings import Findings, Missing, flavour_and_version
from runner.doctor.prerequisite_fixes import fix_for
from runner.doctor.route_examination import IdentifiedSession, RouteExamination
from runner.execution.case_errors import InconclusiveError
from runner.execution.fixture_pool import Account
from runner.execution.fixtures import Fixtures
from runner.execution.session_ids import find_id
from runner.execution.transcript import Transcript
from runner.language.model import SessionSpec

_Made = TypeVar("_Made")
_LOGINS = 3
_ORACLE_BIT = 27
_TLS_BIT = 11


@dataclass
class _SessionFindings:
    """The findings in one session, of the examination's user or of the administrator; None: not known."""

    handshake_id_is_session_id: bool | None = None
    host_is_client: bool | None = None
    sees_others: bool | None = None


@dataclass
class Examination:
    """One examination.

    Attributes:
        target: the server; its ``check`` has passed.
        prerequisites: what the cases need.
        creates: whether users may be created for the examination; False if the cases use prepared accounts.
    """

    target: Target
    prerequisites: Prerequisites
    creates: bool = True
    _missing: dict[str, Missing] = field(default_factory=dict)
    _notes: list[str] = field(default_factory=list)

    def examine(self) -> Findings:
        """Examines the target.

        Raises:
            TargetError: the administrator can't log in, or can't read the process list.
        """
        target = self.target
        times = [self._login_ms() for _ in range(_LOGINS)]
        handshake = target.administrator.session.handshake
        product = self._product()
        self._check_profile()
        self._notes += [f"{', '.join(names)}: {why}" for why, names in self.prerequisites.withheld.items()]
        flavour, version = flavour_and_version(handshake.version, product)
        fixtures = Fixtures(target, Transcript())
        try:
            seen = (self._with_own_user(fixtures) if self.creates else None) or self._as_administrator()
        finally:
            left = fixtures.remove()
        if left:
            self._missing["clear"] = Missing(
                f"users or tables of the examination can't be removed: {'; '.join(left)}", (), ""
            )
        return Findings(
            target=target.dsn.shown,
            profile=target.profile.name,
            handshake_version=handshake.version,
            product=product,
            flavour=flavour,
            version=version,
            tls=handshake.cipher,
            offers_tls=bool(handshake.capabilities >> _TLS_BIT & 1),
            oracle_bit_sent=bool(target.profile.client_flag >> _ORACLE_BIT & 1),
            oracle_bit_offered=bool(handshake.capabilities >> _ORACLE_BIT & 1),
            handshake_id_is_session_id=seen.handshake_id_is_session_id,
            host_is_client=seen.host_is_client,
            unix_socket=target.dsn.unix_socket is not None,
            connect_ms=round(statistics.median(times), 1),
            sees_others=seen.sees_others,
            missing=tuple(self._missing.values()),
            notes=tuple(self._notes),
        )

    def _login_ms(self) -> float:
        session, start = Session(self.target.administrator.login), time.monotonic()
        session.open(self.target.limits.connect)
        took = (time.monotonic() - start) * 1000
        session.close()
        return took

    def _product(self) -> str | None:
        for statement in self.target.profile.sql.get("version", ()):
            reply = self.target.administer(statement)
            if isinstance(reply, Rows) and reply.values and reply.values[0]:
                return reply.values[0][-1]
        return None

    def _check_profile(self) -> None:
        """Notes words and error classes that the cases use and the profile doesn't define."""
        profile = self.target.profile
        sections = {"word": ("words", profile.words), "error-class": ("errors", profile.errors)}
        for need in sorted(self.prerequisites.all()):
            kind, _, name = need.partition(" ")
            section, defined = sections.get(kind, ("", (name,)))
            if name not in defined:
                what = f"the profile {profile.name!r} doesn't define the {kind.replace('-', ' ')} {name!r}"
                fix = f"add {section}: {{{name}: \u2026}} to the profile (docs/profiles.md)"
                self._missing[need] = Missing(what, self.prerequisites.affected_by(need), fix)

    # With a user of the examination

    def _with_own_user(self, fixtures: Fixtures) -> _SessionFindings | None:
        account = self._try(
            case_prerequisites.USERS, "users can't be created", lambda: fixtures.provide_account(SessionSpec("doctor"))
        )
        if account is None:
            return None
        self._set_up(account, fixtures)
        self._check_administrator()
        login = self.target.login(account.user, account.password)
        session, limit = Session(login), self.target.limits.connect
        try:
            outcome = session.open_new_user(session.open(limit), limit)
            if not succeeded(outcome):
                self._note_missing(case_prerequisites.USERS, f"a newly created user can't log in: {outcome}", outcome)
                return None
            for name in self._words():
                if not _is_idle(session):
                    return _SessionFindings()  # it hangs, or was closed
                self._try_word(name, session)
            if not _is_idle(session):
                return _SessionFindings()
        finally:
            session.close()
        # A new session: a proxy that splits reads from writes may route one with an open transaction differently.
        session = Session(login)
        try:
            if not self._open(session):
                return _SessionFindings()
            return self._findings(session, account.user, None, login, fixtures.table)
        finally:
            session.close()

    def _set_up(self, account: Account, fixtures: Fixtures) -> None:
        """Grants the privileges, and creates the table and the role that the cases need."""
        for need in sorted(self.prerequisites.all()):
            kind, _, name = need.partition(" ")
            if kind == "privilege":
                self._try(need, f"{name} can't be granted", partial(fixtures.grant, account, name))
        if self.prerequisites.affected_by(case_prerequisites.TABLE):
            self._try(
                case_prerequisites.TABLE, "tables can't be created", lambda: fixtures.make_table(((1, 0),), [account])
            )
        elif self.prerequisites.affected_by(case_prerequisites.ROUTE):  # it is examined with a table
            with contextlib.suppress(InconclusiveError):
                fixtures.make_table(((1, 0),), [account])
        if self.prerequisites.affected_by(case_prerequisites.ROLE):
            self._try(case_prerequisites.ROLE, "roles can't be created and dropped", fixtures.try_role)

    def _check_administrator(self) -> None:
        """Notes that the DSN's user can't kill all users' sessions, according to the profile; no session is killed."""
        target = self.target
        others = target.profile.other_administrators(target.dsn.account)
        if others is not None and self.prerequisites.affected_by(case_prerequisites.ADMINISTRATOR):
            what = f"only {others} can kill the sessions of all users, and the DSN's user is {target.dsn.account}"
            self._note_missing(case_prerequisites.ADMINISTRATOR, what)

    def _words(self) -> Iterator[str]:
        return (need.partition(" ")[2] for need in sorted(self.prerequisites.all()) if need.startswith("word "))

    def _try_word(self, name: str, session: Session) -> None:
        try:
            spelled = self.target.word(name, session)
        except TargetError as error:
            self._note_missing(case_prerequisites.word(name), str(error))
            return
        if (drawback := self.target.profile.drawbacks.get(spelled)) is not None:
            self._notes.append(f"the server accepts the word {name!r} of the cases only as {spelled}: {drawback}")

    def _try(self, need: str, what: str, trial: Callable[[], _Made]) -> _Made | None:
        try:
            return trial()
        except InconclusiveError as error:
            self._note_missing(need, f"{what}: {error}", error.outcome)
            return None

    def _note_missing(self, need: str, what: str, outcome: Outcome | None = None) -> None:
        if need not in self._missing:
            self._missing[need] = Missing(
                without_passwords(what), self.prerequisites.affected_by(need), fix_for(self.target, need, outcome)
            )

    # With one session

    def _as_administrator(self) -> _SessionFindings:
        before = self.target.process_list()
        session = Session(self.target.administrator.login)
        try:
            if not self._open(session):
                return _SessionFindings()
            return self._findings(session, self.target.dsn.account, before, self.target.administrator.login, None)
        finally:
            session.close()

    def _open(self, session: Session) -> bool:
        return succeeded(session.open(self.target.limits.connect))

    def _findings(
        self, session: Session, user: str, before: ProcessList | None, login: Login, table: str | None
    ) -> _SessionFindings:
        found = find_id(self.target, session, user, (), before)
        if found.id is None:
            if session.check_connection() is None:
                self._note_missing(case_prerequisites.ROUTE, f"a session of the suite has no id: {found.trouble}")
            return _SessionFindings()
        sees_others = self._administrator_sees(found.id, user) if before is None else None
        if sees_others is False:
            self._note_missing(
                case_prerequisites.OTHERS, "the administrator's SHOW PROCESSLIST doesn't show other users' sessions"
            )
        own = self.target.process_list(session).with_id(found.id)
        host = own[0].get("host") if own else None
        self._examine_route(found.id, user, before is not None, login, table, complete=sees_others is not False)
        return _SessionFindings(
            handshake_id_is_session_id=session.handshake_id_is(found.id),
            host_is_client=None if session.local_address is None else host == session.local_address,
            sees_others=sees_others,
        )

    def _examine_route(
        self, taken: str, user: str, administrator: bool, login: Login, table: str | None, *, complete: bool
    ) -> None:
        """Opens two new sessions of one user, and examines the route with them.

        New ones: a proxy that shares server sessions may not share that of a session without autocommit.
        """
        opened: list[IdentifiedSession] = []
        sessions = [Session(login), Session(login)]
        try:
            for session in sessions:
                before = self.target.process_list() if administrator else None
                if not self._open(session):
                    return  # maybe a limit of connections: cases with two sessions report it
                found = find_id(self.target, session, user, {taken, *(each.id for each in opened)}, before)
                if found.id is None:
                    return  # each case reports it for its own sessions
                opened.append(IdentifiedSession(session, found.id, user))
            first, second = opened
            trouble = RouteExamination(self.target, first, second, complete, table).find_trouble()
        except TargetError as error:
            trouble = f"a session of the examination can't read the process list: {error}"
        finally:
            for session in sessions:
                session.close()
        if trouble is not None:
            self._stop(trouble)

    def _stop(self, trouble: str) -> None:
        """Stops all guarded statements to this target; an earlier reason takes precedence."""
        self.target.stop_guarded_statements(self.target.stop_reason or trouble)
        self._note_missing(case_prerequisites.ROUTE, self.target.stop_reason)

    def _administrator_sees(self, number: str, user: str) -> bool:
        """Whether the administrator's process list shows a session; waits 2 seconds at most, because it may lag."""
        poll = Poll(min(LAG, self.target.limits.settle))
        while not (listed := any(row.id == number for row in self.target.process_list().of_user(user))):
            if not poll.again():
                break
        return listed


def _is_idle(session: Session) -> bool:
    return not session.busy and session.check_connection() is None
