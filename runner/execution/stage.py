"""Who is on stage in one run of a case: its sessions, each with its user and its id in the list."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass

from runner.database.errorkinds import is_full, takes_no_more
from runner.database.outcome import Lost, Outcome, Rows, ServerError, shorten, succeeded
from runner.database.poll import Poll
from runner.database.processlist import ProcessList
from runner.database.session import Login, Session
from runner.database.target import Target, TargetError
from runner.execution.accounts import Account, Changes, Pool
from runner.execution.identity import by_address, identify
from runner.execution.provisions import Provisions
from runner.execution.transcript import Transcript
from runner.execution.verdict import InconclusiveError
from runner.language.model import ADMINISTRATOR, Case, SessionSpec

_QUICK = 0.02  # seconds of a login that costs less than the thread to wait for it
_TWO_ROWS = 1.0  # seconds for a list that lags to show both rows of an id that two sessions have
_LONGEST_LIST = 4000  # characters of this run's rows of a process list that a transcript shows


@dataclass
class Actor:
    """A session of a case: what was declared, and what became of it."""

    spec: SessionSpec
    account: Account
    session: Session | None = None
    id: str | None = None
    unidentified: str = "it never logged in"
    """Why the id is not known, while it isn't."""
    gone: bool = False
    """Whether its end was seen, connection and row."""
    left: bool = False
    """Whether its client has closed the connection by itself."""

    @property
    def name(self) -> str:
        """What the case calls it."""
        return self.spec.name

    @property
    def alive(self) -> bool:
        """Whether it is connected, as far as one can hear."""
        return self.session is not None and not self.left and self.session.listen() is None

    @property
    def online(self) -> Session:
        """Its session, ended or not.

        Raises:
            InconclusiveError: it was never connected.
        """
        if self.session is None:
            raise InconclusiveError(f"{self.name} is not connected at its next step")
        return self.session


class Stage:
    """The sessions of one run of a case, and what they stand on."""

    def __init__(
        self, case: Case, target: Target, transcript: Transcript, pool: Pool | None = None, *, fresh: bool = True
    ) -> None:
        self.case = case
        self._changes = Changes.of(case)
        self.target = target
        self.transcript = transcript
        self.provisions = Provisions(target, transcript, pool, fresh=fresh, has_table=case.table is not None)
        self.actors: dict[str, Actor] = {}
        self.said_guarded = False
        """Whether a statement that can end sessions was sent: before that, whatever goes wrong is the environment."""
        self.targeted: set[str] = set()
        """The sessions that such a statement has named."""
        self._untied = False
        """Whether one was sent on a connection whose thread id in the handshake is another than its id in the list."""
        self._control_losses = target.control_losses
        self._logged_in_once: list[Session] = []
        self.full = False
        """Whether a login was refused for want of room."""
        self.broken_off = False
        """Whether a session was lost while it was prepared, and replaced."""
        self._most_connected = 0
        """How many sessions of the case the server has had at the same time."""

    def set(self) -> None:
        """Makes all that the case declares, and logs its sessions in.

        Raises:
            InconclusiveError: the target refused some of it.
        """
        self.target.find_probe(self.target.control)
        for spec in self.case.sessions:
            self.actors[spec.name] = Actor(spec, self._account(spec))
        if self.case.table is not None:
            self.provisions.make_table(self.case.table, [actor.account for actor in self.actors.values()])
        self._connect_all([actor for actor in self.actors.values() if actor.spec.connect])
        self._control_losses = self.target.control_losses

    def _account(self, spec: SessionSpec) -> Account:
        if spec.same_user_as == ADMINISTRATOR:
            return Account(self.target.dsn.account, "", ours=False, administrator=True)
        if spec.same_user_as is not None:
            return self.actors[spec.same_user_as].account
        begins_like = self.actors[spec.name_extends].account if spec.name_extends else None
        plain = spec.name in self.case.tells_passwords_of
        return self.provisions.account(spec, begins_like, plain=plain, common=spec.name not in self._changes.users)

    def clear(self, *, keep: bool = False) -> list[str]:
        """Closes the sessions and removes all that was made; says what could not be removed.

        Args:
            keep: whether all that the case doesn't change is as it was made, so that later cases can have it.
        """
        for actor in self.actors.values():
            if actor.session is not None:
                actor.session.close()
        return self.provisions.clear(keep=keep, keep_table=keep and not self._changes.table)

    def identifiers(self) -> dict[str, str]:
        """What is this run's own and another one's will be other: ids, users, addresses, names; never a password."""
        found: dict[str, str] = {}
        for actor in self.actors.values():
            if actor.id is not None:
                found[f"id of {actor.name}"] = actor.id
            if actor.account.ours:
                found.setdefault(f"user of {actor.spec.same_user_as or actor.name}", actor.account.user)
            if actor.session is not None and actor.session.local_address is not None:
                found[f"address of {actor.name}"] = actor.session.local_address
        return found | self.provisions.names()

    def shown(self, outcome: Outcome) -> str:
        """An outcome for people. Of a process list only this run's rows: what others do is nobody's business."""
        if not isinstance(outcome, Rows) or not {"id", "user"} <= {column.casefold() for column in outcome.columns}:
            return str(outcome)
        own = [actor.id for actor in self.actors.values()]
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
        shown = "; ".join(", ".join("NULL" if value is None else value for value in row) for row in rows)
        return f"{columns}: {shorten(shown, _LONGEST_LIST)}" + (
            ", and others" if len(outcome.values) > len(rows) else ""
        )

    def go_on(self) -> None:
        """Lets the case go on, unless the run ends now.

        Raises:
            InconclusiveError: it does; nobody will read this.
        """
        if self.target.known.cut_off.is_set():
            raise InconclusiveError("the run was ended")

    def note_guarded(self, sender: Actor, named: Collection[str]) -> None:
        """A statement that can end sessions is about to be sent; it names these sessions."""
        self.said_guarded = True
        self.targeted.update(named)
        self._untied |= sender.id is None or not sender.online.greeted_as(sender.id)

    def doubt_route(self, actor: Actor) -> None:
        """A session that was to end is connected and listed still: may that be blamed on the server?

        Not where nothing ties the ids of the list to the connections: the statement may have reached another server,
        where the id is somebody else's. Then none is sent any more.

        Raises:
            InconclusiveError: nothing ties them.
        """
        if not self._untied:
            return
        self.target.stopped = (
            f"a statement that named {actor.name} was accepted, and {actor.name} is still connected and listed, "
            "behind a proxy whose connections have other ids than the process list: the statement may have reached "
            "another server than the one that shows the list. Use the address of one server in the DSN"
        )
        raise InconclusiveError(self.target.stopped)

    # Logging in

    def _connect_all(self, actors: list[Actor]) -> None:
        """Logs sessions in: all at the same time where the list tells them apart by address, else one by one."""
        if self.target.known.hosts_tell:
            self._connect_together([actor for actor in actors if actor.account.ours])
        unknown = [actor for actor in actors if actor.id is None]
        for actor in unknown:  # all of them first: each would come into question when a mate looks for its own id
            if actor.session is not None:
                actor.session.close()
        for actor in unknown:
            _require(actor, self.connect(actor, setup=True))

    def _connect_together(self, actors: list[Actor]) -> None:
        start, since = time.monotonic(), self.transcript.now_ms()
        limit = self.target.limits.connect
        quick = self.target.known.login < _QUICK
        for actor in actors:
            actor.session = Session(self._login(actor))
            if not quick:
                actor.session.begin_open(limit)
        for actor in actors:
            opened = actor.online.open(limit) if quick else actor.online.end_open(limit)
            _require(actor, self._logged_in(actor, opened, since, setup=True))
        if actors:
            self.target.known.login = (time.monotonic() - start) / (len(actors) if quick else 1)
        shown = self.target.process_list() if actors else None
        found = [by_address(shown, actor.online, actor.account.user) if shown else None for actor in actors]
        lost = any(actor.online.listen() is not None for actor in actors)
        self.broken_off |= lost
        # Where addresses tell nothing, only one new session at a time can be found. One that fits may do so by chance:
        # a proxy's end has an address of the same kind.
        self.target.known.hosts_tell = lost or None not in found
        if None not in found:
            for actor, number in zip(actors, found, strict=True):
                actor.id = number
                self._note_id(actor, setup=True)

    def connect(self, actor: Actor, *, typed: str | None = None, setup: bool = False, claimed: bool = False) -> Outcome:
        """Logs a session in, its user's name as ``typed``, and finds its id, if it can be found.

        One that is still connected is closed first: a case has at most one connection of each of its sessions. Where a
        step claims something of the login, and a statement that can end sessions was sent before, it has to succeed at
        once.
        """
        if actor.session is not None:
            actor.session.close()
        before = None if actor.account.ours else self.target.process_list()
        self.targeted.discard(actor.name)
        session = actor.session = Session(self._login(actor, typed))
        if actor.account.administrator:
            self.target.known.administrators.add(session)
        actor.id, actor.gone = None, False
        since = self.transcript.now_ms()
        opened = session.open(self.target.limits.connect, once=claimed and self.said_guarded)
        outcome = self._logged_in(actor, opened, since, typed=typed, setup=setup)
        if succeeded(outcome):
            taken = {mate.id for mate in self.mates(actor) if mate.id is not None and not mate.gone}
            earlier = actor.account.ids - taken
            found = identify(self.target, session, actor.account.user, taken, before, earlier=earlier)
            actor.id, actor.unidentified = found.id, found.trouble
            self._note_id(actor, setup=setup)
        return outcome

    @property
    def _connected(self) -> int:
        return sum(session.listen() is None for session in self._logged_in_once)

    def refused_although_it_had_more(self, login: Outcome) -> bool:
        """Whether a login is refused for want of room on a server that had more sessions of the case before.

        Then room is not what the environment lacks: sessions that ended have left something behind.
        """
        full = (isinstance(login, Lost) and login.turned_away) or (isinstance(login, ServerError) and is_full(login))
        return full and self._connected < self._most_connected

    def login_of(self, actor: Actor) -> Login:
        """How another session of an actor's user logs in."""
        return self._login(actor)

    def _login(self, actor: Actor, typed: str | None = None) -> Login:
        account = actor.account
        if account.administrator:
            return self.target.administrator
        return self.target.login(typed or account.user, account.password)

    def _logged_in(
        self, actor: Actor, outcome: Outcome, since: float, *, typed: str | None = None, setup: bool
    ) -> Outcome:
        user = self.target.dsn.user if actor.account.administrator else typed or actor.account.user
        if actor.session is not None and actor.session.broken_off is not None:
            self.transcript.add(actor.name, "note", f"its first login: {actor.session.broken_off}", setup=setup)
            self.broken_off = True
        self.transcript.add(actor.name, "connects", f"as {user}: {outcome}", since=since, setup=setup)
        self.full |= takes_no_more(outcome)
        if actor.session is None:
            return outcome
        if succeeded(outcome):
            self._logged_in_once.append(actor.session)
            self._most_connected = max(self._most_connected, self._connected)
        else:
            actor.session.abandon()
            actor.session = None
        return outcome

    def _note_id(self, actor: Actor, *, setup: bool) -> None:
        if actor.id is not None:
            actor.account.ids.add(actor.id)
        text = f"its id in the process list: {actor.id or 'unknown, ' + actor.unidentified}"
        self.transcript.add(actor.name, "note", text, setup=setup)
        for other in self.actors.values():
            if other is not actor and other.id is not None and other.id == actor.id and other.alive:
                self._share(other, actor)

    def _share(self, one: Actor, other: Actor) -> None:
        """Two living sessions have one id: a fault of the server if it lists both, else something in between.

        Raises:
            InconclusiveError: the list shows one session, which both connections share, or two servers are behind them.
        """
        poll = Poll(min(_TWO_ROWS, self.target.limits.settle))
        while len(self.target.process_list().with_id(str(one.id))) < 2:  # noqa: PLR2004 - a row each
            if not poll.again():
                self.target.stopped = (
                    f"two connected sessions have the same id {one.id}, and the process list shows one row: "
                    "a proxy shares server sessions among connections, or connections lead to different servers. Name "
                    "one server, or a proxy without connection sharing, in the DSN"
                )
                raise InconclusiveError(f"{one.name} and {other.name}: {self.target.stopped}")

    def leave(self, actor: Actor, how: str) -> None:
        """Has a session's client leave; ``how`` is the case's word for it."""
        if how == "abort":
            actor.online.abort()
        else:
            actor.online.close()
        actor.left = True

    # Looking

    def id_of(self, name: str) -> str:
        """The id of a session.

        Raises:
            InconclusiveError: it is not known.
        """
        actor = self.actors[name]
        if actor.id is None:
            raise InconclusiveError(f"the id of {name} is unknown: {actor.unidentified}")
        return actor.id

    def mates(self, actor: Actor) -> list[Actor]:
        """The other sessions of an actor's user."""
        return [other for other in self.actors.values() if other.account is actor.account and other is not actor]

    def shows_others(self, shown: ProcessList) -> bool:
        """Whether the administrator's list shows other users' sessions: this one, or an earlier one of the run."""
        others = [actor for actor in self.actors.values() if not actor.account.administrator]
        if any(shown.with_id(actor.id) for actor in others if actor.id):
            self.target.known.sees_others = True
        return self.target.known.sees_others

    def look(self, at: Actor, *, fresh: bool = False) -> ProcessList | None:
        """A list that can show a session: the administrator's, if it shows that user's sessions, or a mate's.

        Args:
            at: the session that is looked for.
            fresh: whether a new session of the user may be opened, if nobody else can look.

        Returns:
            None where nobody can see that user's sessions.
        """
        shown = self.target.process_list()
        if at.account.administrator or self.shows_others(shown):
            return shown
        for mate in self.mates(at):
            if mate.session is not None and mate.alive and not mate.session.busy:
                return self._list_of(mate.session)
        if not fresh:
            return None
        witness = Session(self._login(at))
        try:
            opened = witness.open(self.target.limits.connect)
            return self._list_of(witness) if succeeded(opened) else None
        finally:
            witness.close()

    def _list_of(self, session: Session) -> ProcessList | None:
        answer = session.execute(self.target.profile.statement("process_list"), self.target.limits.statement)
        return ProcessList.read(answer) if isinstance(answer, Rows) else None

    def activity(self, actor: Actor) -> object:
        """What the list says that a session does, in the server's words; None if it says nothing."""
        try:
            shown = self.look(actor)
        except TargetError:
            return None
        rows = [] if shown is None or actor.id is None else shown.with_id(actor.id)
        return rows[0].activity if rows else None

    def control_lost(self) -> bool:
        """Whether the server has closed the administrator's session since the case was prepared."""
        return self.target.control_lost() or self.target.control_losses > self._control_losses


def _require(actor: Actor, outcome: Outcome) -> None:
    if not succeeded(outcome):
        raise InconclusiveError(f"{actor.name} can't log in: {outcome}")
