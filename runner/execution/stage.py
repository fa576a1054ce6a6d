"""What a case stands on: users, a table, sessions that know their ids. Set up before it, cleared away after it."""

from __future__ import annotations

from dataclasses import dataclass, field

from runner.execution.identity import by_address, identify
from runner.execution.transcript import Transcript
from runner.execution.verdict import InconclusiveError
from runner.language.model import ADMINISTRATOR, Case, SessionSpec
from runner.target.naming import new_password
from runner.target.outcome import Outcome, Rows, ServerError, succeeded
from runner.target.processlist import ProcessList
from runner.target.session import Session
from runner.target.target import Target, TargetError


@dataclass
class Account:
    """A user that a case logs in as. ``ours``: the case's own, so that nobody else has a session of it."""

    user: str
    password: str = field(repr=False)
    ours: bool = True


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

    @property
    def name(self) -> str:
        """What the case calls it."""
        return self.spec.name

    @property
    def alive(self) -> bool:
        """Whether it is connected, as far as one can hear."""
        return self.session is not None and self.session.listen() is None


class Stage:
    """The users, table and sessions of one run of a case."""

    def __init__(self, case: Case, target: Target, transcript: Transcript) -> None:
        self.target = target
        self.transcript = transcript
        self.actors: dict[str, Actor] = {}
        self.table: str | None = None
        self._table_name = ""
        self.role: str | None = None
        self.case = case
        self._made: list[Account] = []
        self._control_losses = 0
        self.said_guarded = False
        """Whether a statement that can end sessions was sent: before that, whatever goes wrong is the environment."""

    def set(self) -> None:
        """Makes all that the case declares.

        Raises:
            InconclusiveError: the target refused some of it.
        """
        try:
            for spec in self.case.sessions:
                self.actors[spec.name] = Actor(spec, self._account(spec))
            if self.case.table is not None:
                self._make_table(self.case.table)
            self._connect_all([actor for actor in self.actors.values() if actor.spec.connect])
            self._control_losses = self.target.control_losses
        except TargetError as error:
            raise InconclusiveError(str(error)) from error

    def _connect_all(self, actors: list[Actor]) -> None:
        """Logs sessions in: all at the same time where the list tells them apart by address, else one by one."""
        together = [actor for actor in actors if actor.account.ours] if self.target.hosts_tell else []
        since = self.transcript.now_ms()
        for actor in together:
            actor.session = Session(self.target.login(actor.account.user, actor.account.password))
            actor.session.begin_open(self.target.limits.connect)
        for actor in together:
            assert actor.session is not None  # noqa: S101 - made above
            _require_login(actor, self._logged_in(actor, actor.session.result(self.target.limits.connect), since, True))
        shown = self.target.process_list() if together else None
        if shown is not None and together and not self.shows_user(shown, together[0]):
            shown = None
        for actor in together:
            assert actor.session is not None  # noqa: S101 - made above
            if shown is not None:
                actor.id = by_address(shown, actor.session, actor.account.user)
            if (
                actor.id is None
            ):  # then the addresses tell nothing here, and only one new session at a time can be found
                self.target.hosts_tell = False
            else:
                self._note_id(actor, True)
        for actor in actors:
            if actor.id is None:
                if actor.session is not None:
                    actor.session.close()
                _require_login(actor, self.connect(actor, setup=True))

    def connect(self, actor: Actor, *, setup: bool = False) -> Outcome:
        """Logs a session in and finds its id, if it can be found."""
        ours = actor.account.ours
        before = None if ours else self.target.process_list()
        login = self.target.login(actor.account.user, actor.account.password) if ours else self.target.administrator
        actor.session, actor.id = Session(login), None
        since = self.transcript.now_ms()
        outcome = self._logged_in(actor, actor.session.open(self.target.limits.connect), since, setup)
        if actor.session is not None:
            taken = {other.id for other in self.mates(actor) if other.id is not None and not other.gone}
            found = identify(self.target, actor.session, actor.account.user, taken, before)
            actor.id, actor.unidentified = found.id, found.trouble
            self._note_id(actor, setup)
        return outcome

    def _logged_in(self, actor: Actor, outcome: Outcome, since: float, setup: bool) -> Outcome:
        user = actor.account.user if actor.account.ours else self.target.dsn.user
        self.transcript.add(actor.name, "logs in", f"as {user}: {outcome}", since=since, setup=setup)
        if not succeeded(outcome) and actor.session is not None:
            actor.session.abandon()
            actor.session = None
        return outcome

    def _note_id(self, actor: Actor, setup: bool) -> None:
        text = f"its id in the list: {actor.id or 'unknown, ' + actor.unidentified}"
        self.transcript.add(actor.name, "note", text, setup=setup)

    def id_of(self, name: str) -> str:
        """The id of a session.

        Raises:
            InconclusiveError: it is not known.
        """
        actor = self.actors[name]
        if actor.id is None:
            raise InconclusiveError(f"the id of {name} is not known: {actor.unidentified}")
        return actor.id

    def mates(self, actor: Actor) -> list[Actor]:
        """The other sessions of an actor's user."""
        return [other for other in self.actors.values() if other.account is actor.account and other is not actor]

    def look(self, at: Actor, *, fresh: bool = False) -> ProcessList | None:
        """A list that can show a session: the administrator's, if it shows that user's sessions, or a mate's.

        Args:
            at: the session that is looked for.
            fresh: whether a new session of the user may be opened, if nobody else can look.

        Returns:
            None where nobody can see that user's sessions.
        """
        shown = self.target.process_list()
        if not at.account.ours or self.shows_others(shown):
            return shown
        for mate in self.mates(at):
            if mate.session is not None and mate.alive and not mate.session.busy:
                return self._list_of(mate.session)
        if not fresh:
            return None
        witness = Session(self.target.login(at.account.user, at.account.password))
        try:
            opened = witness.open(self.target.limits.connect)
            return self._list_of(witness) if succeeded(opened) else None
        finally:
            witness.close()

    def _list_of(self, session: Session) -> ProcessList | None:
        answer = session.execute(self.target.profile.statement("process_list"), self.target.limits.statement)
        return ProcessList.read(answer) if isinstance(answer, Rows) else None

    def control_lost(self) -> bool:
        """Whether the server has closed the administrator's session since the case was prepared."""
        return self.target.control_lost() or self.target.control_losses > self._control_losses

    @staticmethod
    def shows_user(shown: ProcessList, actor: Actor) -> bool:
        """Whether a list has rows of an actor's user."""
        return next(shown.of_user(actor.account.user), None) is not None

    def shows_others(self, shown: ProcessList) -> bool:
        """Whether a list of the administrator's shows other users' sessions: every one of ours that must be there."""
        ours = [actor for actor in self.actors.values() if actor.account.ours and actor.id and actor.alive]
        return any(shown.with_id(actor.id) for actor in ours if actor.id)

    def clear(self) -> list[str]:
        """Closes the sessions, drops the table, the role and the users; says what could not be removed."""
        for actor in self.actors.values():
            if actor.session is not None:
                actor.session.close()
        profile = self.target.profile
        left = []
        if self.table:
            left += self._remove(profile.statements("drop_table", table=self.table, name=self._table_name))
        left += self._remove(profile.statements("drop_role", role=self.role)) if self.role else []
        for account in self._made:
            trouble = self._remove(profile.statements("drop_user", user=account.user))
            if trouble and self._exists(account):  # the steps of a case may have dropped it, or never made it
                left += trouble
        return left

    def _remove(self, statements: list[str]) -> list[str]:
        left = []
        for statement in statements:
            try:
                outcome = self.target.administer(statement)
            except TargetError as error:
                left.append(f"{statement}: {error}")
                continue
            if not succeeded(outcome):
                left.append(f"{statement}: {outcome}")
        return left

    def _exists(self, account: Account) -> bool:
        try:
            answer = self.target.administer(self.target.profile.statement("list_users", prefix=account.user))
        except TargetError:
            return True
        if isinstance(answer, Rows):
            return (account.user,) in answer.values
        visitor = Session(self.target.login(account.user, account.password))
        outcome = visitor.open(self.target.limits.connect)
        visitor.close()
        return not isinstance(outcome, ServerError)

    def new_role(self) -> str:
        """A role name of the case's own; the role is dropped with the case."""
        if self.role is None:
            self.role = self.target.names.new()
        return self.role

    def _account(self, spec: SessionSpec) -> Account:
        if spec.same_user_as == ADMINISTRATOR:
            return Account(self.target.dsn.account, "", ours=False)
        if spec.same_user_as is not None:
            return self.actors[spec.same_user_as].account
        account = Account(self.target.names.new(), new_password())
        if not spec.create:
            self._made.append(account)
        else:
            profile = self.target.profile
            for statement in profile.statements("create_user", user=account.user, password=account.password):
                outcome = self._administer(statement)
                # Whatever is not an outright refusal may have made the user.
                if account not in self._made and not isinstance(outcome, ServerError):
                    self._made.append(account)
                _require(statement, outcome)
            for privilege in spec.grants:
                for statement in profile.grants(privilege, account.user):
                    self._prepare(statement)
        return account

    def _make_table(self, rows: tuple[tuple[int, int], ...]) -> None:
        profile = self.target.profile
        administrator = self.target.dsn.account.upper()
        self._table_name = self.target.names.new()
        self.table = profile.statement("table_name", administrator=administrator, name=self._table_name)
        for statement in profile.statements("create_table", table=self.table, name=self._table_name):
            self._prepare(statement)
        for row_id, val in rows:
            self._prepare(profile.statement("insert_row", table=self.table, id=row_id, val=val))
        self._prepare("COMMIT")
        for account in {id(actor.account): actor.account for actor in self.actors.values()}.values():
            if account.ours:
                for statement in profile.statements("grant_table", table=self.table, user=account.user):
                    self._prepare(statement)

    def _prepare(self, statement: str) -> None:
        _require(statement, self._administer(statement))

    def _administer(self, statement: str) -> Outcome:
        since = self.transcript.now_ms()
        self.transcript.add(ADMINISTRATOR, "says", statement, manual=statement, setup=True)
        outcome = self.target.administer(statement)
        self.transcript.add(ADMINISTRATOR, "hears", str(outcome), since=since, setup=True)
        return outcome


def _require(statement: str, outcome: Outcome) -> None:
    if not succeeded(outcome):
        raise InconclusiveError(f"preparing failed: {statement} is answered with {outcome}")


def _require_login(actor: Actor, outcome: Outcome) -> None:
    if not succeeded(outcome):
        raise InconclusiveError(f"{actor.name} can't log in: {outcome}")
