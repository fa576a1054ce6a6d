"""Examines a target: logs in, looks at the list, and tries all that the cases need, on a user of its own."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from runner.database.naming import without_passwords
from runner.database.outcome import Outcome, Rows, succeeded
from runner.database.poll import Poll
from runner.database.processlist import ProcessList
from runner.database.session import Login, Session
from runner.database.target import Target, TargetError
from runner.doctor import needs
from runner.doctor.advice import advice
from runner.doctor.facts import Facts, Missing, flavour_and_version
from runner.doctor.needs import Needs
from runner.doctor.route import Connected, RouteExamination
from runner.execution.accounts import Account
from runner.execution.identity import identify
from runner.execution.provisions import Provisions
from runner.execution.transcript import Transcript
from runner.execution.verdict import InconclusiveError
from runner.language.model import SessionSpec

_Made = TypeVar("_Made")
_LOGINS = 3
_ORACLE_BIT = 27
_TLS_BIT = 11
_LAG = 2.0  # seconds after which a list that does not show a session will not do so later either


@dataclass
class _Seen:
    """What one session, the examined user's or the administrator's, shows of the connection."""

    handshake_id_is_session_id: bool | None = None
    host_is_client: bool | None = None
    sees_others: bool | None = None


@dataclass
class Examination:
    """One examination. ``target`` can be used: its ``check`` has passed."""

    target: Target
    wanted: Needs
    creates: bool = True
    """Whether users may be created to try things on; not where the cases use prepared accounts."""
    _missing: dict[str, Missing] = field(default_factory=dict)
    _notes: list[str] = field(default_factory=list)

    def facts(self) -> Facts:
        """Examines.

        Raises:
            TargetError: the administrator can't log in, or can't read the list.
        """
        target = self.target
        times = [self._login_ms() for _ in range(_LOGINS)]
        greeting = target.control.greeting
        product = self._product()
        self._look_for_gaps()
        self._notes += [f"{', '.join(names)}: {why}" for why, names in self.wanted.withheld.items()]
        flavour, version = flavour_and_version(greeting.version, product)
        provisions = Provisions(target, Transcript())
        try:
            seen = (self._with_a_user(provisions) if self.creates else None) or self._as_administrator()
        finally:
            left = provisions.clear()
        if left:
            self._missing["clear"] = Missing(
                f"users or tables of the examination can't be removed: {'; '.join(left)}", (), ""
            )
        return Facts(
            target=target.dsn.shown,
            profile=target.profile.name,
            handshake_version=greeting.version,
            product=product,
            flavour=flavour,
            version=version,
            tls=greeting.cipher,
            offers_tls=bool(greeting.capabilities >> _TLS_BIT & 1),
            oracle_bit_sent=bool(target.profile.client_flag >> _ORACLE_BIT & 1),
            oracle_bit_offered=bool(greeting.capabilities >> _ORACLE_BIT & 1),
            handshake_id_is_session_id=seen.handshake_id_is_session_id,
            host_is_client=seen.host_is_client,
            unix_socket=target.dsn.unix_socket is not None,
            connect_ms=round(statistics.median(times), 1),
            sees_others=seen.sees_others,
            missing=tuple(self._missing.values()),
            notes=tuple(self._notes),
        )

    def _login_ms(self) -> float:
        session, start = Session(self.target.administrator), time.monotonic()
        session.open(self.target.limits.connect)
        took = (time.monotonic() - start) * 1000
        session.close()
        return took

    def _product(self) -> str | None:
        for statement in self.target.profile.sql.get("version", ()):
            answer = self.target.administer(statement)
            if isinstance(answer, Rows) and answer.values and answer.values[0]:
                return answer.values[0][-1]
        return None

    def _look_for_gaps(self) -> None:
        """Notes what the cases name and the profile doesn't define."""
        profile = self.target.profile
        sections = {"word": ("words", profile.words), "error-class": ("errors", profile.errors)}
        for need in sorted(self.wanted.all()):
            kind, _, name = need.partition(" ")
            section, defined = sections.get(kind, ("", (name,)))
            if name not in defined:
                what = f"the profile {profile.name!r} doesn't define the {kind.replace('-', ' ')} {name!r}"
                fix = f"add {section}: {{{name}: \u2026}} to the profile (docs/profiles.md)"
                self._missing[need] = Missing(what, self.wanted.cost(need), fix)

    # With a user of the examination's own: what most cases stand on

    def _with_a_user(self, provisions: Provisions) -> _Seen | None:
        account = self._try(needs.USERS, "users can't be created", lambda: provisions.account(SessionSpec("doctor")))
        if account is None:
            return None
        self._prepare_for(account, provisions)
        self._look_who_administers()
        login = self.target.login(account.user, account.password)
        session = Session(login)
        try:
            outcome = session.open(self.target.limits.connect)
            if not succeeded(outcome):
                self._lack(needs.USERS, f"a newly created user can't log in: {outcome}", outcome)
                return None
            for name in self._words():
                if not _is_idle(session):
                    return _Seen()  # it hangs, or was closed: nothing more can be learnt from it
                self._try_word(name, session)
            if not _is_idle(session):
                return _Seen()
        finally:
            session.close()
        # A new one: behind a splitter, what tries of words have left behind, as a transaction, may change its list.
        session = Session(login)
        try:
            if not self._open(session):
                return _Seen()
            return self._seen(session, account.user, None, login, provisions.table)
        finally:
            session.close()

    def _prepare_for(self, account: Account, provisions: Provisions) -> None:
        """Does for the examination's user what cases have done for theirs."""
        for need in sorted(self.wanted.all()):
            kind, _, name = need.partition(" ")
            if kind == "privilege":
                self._try(need, f"{name} can't be granted", partial(provisions.grant, account, name))
        if self.wanted.cost(needs.TABLE):
            self._try(needs.TABLE, "tables can't be created", lambda: provisions.make_table(((1, 0),), [account]))
        elif self.wanted.cost(needs.ROUTE):  # whether changes run where the list is read shows on a table only
            with contextlib.suppress(InconclusiveError):
                provisions.make_table(((1, 0),), [account])
        if self.wanted.cost(needs.ROLE):
            self._try(needs.ROLE, "roles can't be created and dropped", provisions.try_role)

    def _look_who_administers(self) -> None:
        """Notes that the DSN's user is not the administrator of whom the cases speak. Nothing is ended to try it."""
        target = self.target
        others = target.profile.other_administrators(target.dsn.account)
        if others is not None and self.wanted.cost(needs.ADMINISTRATOR):
            what = f"the DSN's user {target.dsn.account} is not {others}, who alone can kill all users' sessions"
            self._lack(needs.ADMINISTRATOR, what)

    def _words(self) -> Iterator[str]:
        return (need.partition(" ")[2] for need in sorted(self.wanted.all()) if need.startswith("word "))

    def _try_word(self, name: str, session: Session) -> None:
        try:
            spelled = self.target.word(name, session)
        except TargetError as error:
            self._lack(needs.word(name), str(error))
            return
        if (drawback := self.target.profile.drawbacks.get(spelled)) is not None:
            self._notes.append(f"the server accepts the word {name!r} of the cases only as {spelled}: {drawback}")

    def _try(self, need: str, what: str, trial: Callable[[], _Made]) -> _Made | None:
        try:
            return trial()
        except InconclusiveError as error:
            self._lack(need, f"{what}: {error}", error.outcome)
            return None

    def _lack(self, need: str, what: str, outcome: Outcome | None = None) -> None:
        if need not in self._missing:
            self._missing[need] = Missing(
                without_passwords(what), self.wanted.cost(need), advice(self.target, need, outcome)
            )

    # What a session shows

    def _as_administrator(self) -> _Seen:
        before = self.target.process_list()
        session = Session(self.target.administrator)
        try:
            if not self._open(session):
                return _Seen()
            return self._seen(session, self.target.dsn.account, before, self.target.administrator, None)
        finally:
            session.close()

    def _open(self, session: Session) -> bool:
        return succeeded(session.open(self.target.limits.connect))

    def _seen(self, session: Session, user: str, before: ProcessList | None, login: Login, table: str | None) -> _Seen:
        found = identify(self.target, session, user, (), before)
        if found.id is None:
            return _Seen()
        sees_others = self._is_listed(found.id, user) if before is None else None
        if sees_others is False:
            self._lack(needs.OTHERS, "the administrator's SHOW PROCESSLIST doesn't show other users' sessions")
        own = self.target.process_list(session).with_id(found.id)
        host = own[0].get("host") if own else None
        self._examine_route(found.id, user, before is not None, login, table, complete=sees_others is not False)
        return _Seen(
            handshake_id_is_session_id=session.greeted_as(found.id),
            host_is_client=None if session.local_address is None else host == session.local_address,
            sees_others=sees_others,
        )

    def _examine_route(
        self, taken: str, user: str, administrator: bool, login: Login, table: str | None, *, complete: bool
    ) -> None:
        """Opens two new sessions of one user, and looks whether both lead to the server that shows the list.

        New ones: where a proxy shares server sessions, a session that has switched autocommit off may keep its own.
        """
        opened: list[Connected] = []
        sessions = [Session(login), Session(login)]
        try:
            for session in sessions:
                before = self.target.process_list() if administrator else None
                if not self._open(session):
                    return  # a limit of sessions, maybe: cases that need two find out themselves
                found = identify(self.target, session, user, {taken, *(each.id for each in opened)}, before)
                if found.id is None:
                    return  # each case finds out for its own sessions
                opened.append(Connected(session, found.id, user))
            first, second = opened
            trouble = RouteExamination(self.target, first, second, complete, table).trouble()
        except TargetError as error:
            trouble = f"a session of the examination can't read the process list: {error}"
        finally:
            for session in sessions:
                session.close()
        if trouble is not None:
            self._stop(trouble)

    def _stop(self, trouble: str) -> None:
        """No statement that can end a session is sent to such a target. What was known before says more."""
        self.target.stopped = self.target.stopped or trouble
        self._lack(needs.ROUTE, self.target.stopped)

    def _is_listed(self, number: str, user: str) -> bool:
        """Whether the administrator's list shows a session, at once or a moment later: lists may lag."""
        poll = Poll(min(_LAG, self.target.limits.settle))
        while not (listed := any(row.id == number for row in self.target.process_list().of_user(user))):
            if not poll.again():
                break
        return listed


def _is_idle(session: Session) -> bool:
    return not session.busy and session.listen() is None
