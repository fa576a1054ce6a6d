"""What a case stands on: users, a table, sessions that know their ids. Set up before it, cleared away after it."""

from __future__ import annotations

from dataclasses import dataclass, field

from runner.execution.identity import identify
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
            for actor in self.actors.values():
                if actor.spec.connect:
                    outcome = self.connect(actor, setup=True)
                    if not succeeded(outcome):
                        raise InconclusiveError(f"{actor.name} can't log in: {outcome}")
        except TargetError as error:
            raise InconclusiveError(str(error)) from error

    def connect(self, actor: Actor, *, setup: bool = False) -> Outcome:
        """Logs a session in and finds its id, if it can be found."""
        login = (
            self.target.login(actor.account.user, actor.account.password)
            if actor.account.ours
            else self.target.administrator
        )
        before = None if actor.account.ours else self.target.process_list()
        session = Session(login)
        since = self.transcript.now_ms()
        outcome = session.open(self.target.limits.connect)
        self.transcript.add(actor.name, "logs in", f"as {login.user}: {outcome}", since=since, setup=setup)
        if not succeeded(outcome):
            session.abandon()
            return outcome
        actor.session, actor.id = session, None
        taken = {other.id for other in self.mates(actor) if other.id is not None and not other.gone}
        found = identify(self.target, session, actor.account.user, taken, before)
        actor.id, actor.unidentified = found.id, found.trouble
        self.transcript.add(
            actor.name, "note", f"its id in the list: {actor.id or 'unknown: ' + actor.unidentified}", setup=setup
        )
        return outcome

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
