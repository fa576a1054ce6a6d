"""The runner's own session, as the administrator: it prepares, looks at the list, and clears up."""

from __future__ import annotations

from runner.database.dsn import Dsn
from runner.database.limits import Limits
from runner.database.naming import Names
from runner.database.outcome import Lost, Outcome, Rows, succeeded
from runner.database.processlist import ProcessList
from runner.database.profile import Profile
from runner.database.session import Login, Session


class TargetError(Exception):
    """The target did not do what the runner needs for itself; the message says what, and what the server answered."""


class Target:
    """A server under test as one worker sees it: who logs in how, and the administrator's session."""

    def __init__(self, dsn: Dsn, profile: Profile, limits: Limits) -> None:
        self.dsn = dsn
        self.profile = profile
        self.limits = limits
        self.names = Names()
        self._control: Session | None = None
        self._spelled: dict[str, str] = {}
        self.control_losses = 0
        """How often the administrator's session was found closed by the server."""
        self.sees_others = False
        """Whether the administrator's list was seen to show other users' sessions."""
        self.hosts_tell = dsn.unix_socket is None
        """Whether HOST in the list shows the clients' ends of their connections, as far as is known."""

    def login(self, user: str, password: str) -> Login:
        """How a user of the target's tenant logs in."""
        return Login(self.dsn, self.dsn.login(user), password, self.profile.client_flag)

    @property
    def administrator(self) -> Login:
        """How the administrator logs in."""
        return Login(self.dsn, self.dsn.user, self.dsn.password, self.profile.client_flag)

    @property
    def control(self) -> Session:
        """The administrator's session, opened anew if it is gone.

        Raises:
            TargetError: the administrator can't log in.
        """
        if self._control is not None and (self._control.busy or self._control.listen() is not None):
            self.control_losses += self._control.hangup is not None
            self._control.abandon()
            self._control = None
        if self._control is None:
            session = Session(self.administrator)
            session.begin_open(self.limits.connect)  # in a thread: a Ctrl-C would show the password in its traceback
            outcome = session.end_open(self.limits.connect)
            if not succeeded(outcome):
                session.abandon()
                why = outcome.how if isinstance(outcome, Lost) else outcome
                raise TargetError(f"the administrator {self.dsn.user!r} can't log in: {why}")
            self._control = session
        return self._control

    def control_lost(self) -> bool:
        """Whether the server has closed the administrator's session just now."""
        return self._control is not None and self._control.listen() is not None

    def sweep(self) -> None:
        """Drops users of this worker that are still there, because clearing up was cut short; only at the end of a run.

        Raises:
            TargetError: the administrator can't log in any more.
        """
        left = self.administer(self.profile.statement("list_users", prefix=self.names.prefix))
        users = [values[0] for values in left.values] if isinstance(left, Rows) else []
        for user in users:
            if user is not None and user.startswith(self.names.prefix):
                for statement in self.profile.statements("drop_user", user=user):
                    self.administer(statement)

    def close(self) -> None:
        """Closes the administrator's session."""
        if self._control is not None:
            self._control.close()
            self._control = None

    def check(self) -> None:
        """Sees that the target can be used at all: the administrator logs in, is answered, and can read the list.

        Raises:
            TargetError: it can't.
        """
        probe = self.profile.statement("probe")
        outcome = self.administer(probe)
        if not succeeded(outcome):
            raise TargetError(f"{probe} is answered with {outcome}; does the profile {self.profile.name!r} fit?")
        self.process_list()

    def administer(self, statement: str) -> Outcome:
        """Sends a statement as the administrator; never raises for what the server answers.

        Raises:
            TargetError: the administrator can't log in.
        """
        return self.control.execute(statement, self.limits.cleanup)

    def process_list(self, session: Session | None = None) -> ProcessList:
        """The list as a session sees it (the administrator's session, if none is given).

        Raises:
            TargetError: the server doesn't answer with rows.
        """
        statement = self.profile.statement("process_list")
        outcome = (session or self.control).execute(statement, self.limits.statement)
        if not isinstance(outcome, Rows):
            raise TargetError(f"{statement} is answered with {outcome}")
        return ProcessList.read(outcome)

    def word(self, name: str, session: Session) -> str:
        """How the target spells a word of the vocabulary: of several spellings, the first that a session may use.

        Raises:
            TargetError: the server takes none of them.
        """
        if name not in self._spelled:
            spellings = self.profile.words.get(name, ())
            refusals = []
            for spelling in spellings:
                if len(spellings) > 1:
                    outcome = session.execute(spelling.format(seconds=0), self.limits.statement)
                    if not succeeded(outcome):
                        refusals.append(f"{spelling}: {outcome}")
                        continue
                self._spelled[name] = spelling
                break
            else:
                tried = "; ".join(refusals) or "the profile spells it in no way"
                raise TargetError(f"the target can't do what the cases call {name!r} ({tried})")
        return self._spelled[name]
