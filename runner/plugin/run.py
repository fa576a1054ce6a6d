"""What one pytest process knows of the run: its options, its target, its results."""

from __future__ import annotations

import contextlib
import datetime as dt
import shlex
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import pytest

from runner.database.accountsfile import PreparedAccounts, described, read_accounts
from runner.database.dsn import Dsn, DsnError
from runner.database.limits import Limits
from runner.database.profile import Profile, load_profile
from runner.database.target import Target, TargetError
from runner.execution.accounts import Pool, check_accounts, needs
from runner.execution.perform import Performer
from runner.language.model import Case
from runner.language.problems import SourceError
from runner.language.register import find_register
from runner.plugin.embedded import EmbeddedSimulator
from runner.plugin.workers import Shares

_KEY = pytest.StashKey["Run"]()


class Run:
    """One per pytest process: the controller's reaches the target first, each worker's has sessions of its own."""

    def __init__(self, config: pytest.Config) -> None:
        self._option = config.option
        worker_input = getattr(config, "workerinput", {})
        self._dsn_text: str | None = worker_input.get("conformance_dsn", self._option.dsn)
        share = worker_input.get("conformance_accounts")
        self._accounts = PreparedAccounts.from_plain(share) if share is not None else None
        """The prepared accounts of this process."""
        self.shares: Shares | None = None
        """The prepared accounts of the workers, if this process hands them out."""
        self._simulator: EmbeddedSimulator | None = None
        self._target: Target | None = None
        self._performer: Performer | None = None
        self.started = dt.datetime.now(dt.UTC)
        self.checked = False

    @classmethod
    def of(cls, config: pytest.Config) -> Run:
        """The run of a pytest process."""
        if _KEY not in config.stash:
            config.stash[_KEY] = cls(config)
        return config.stash[_KEY]

    @property
    def strict(self) -> bool:
        """Whether what should be binds like what must."""
        return bool(self._option.strict)

    @property
    def limits(self) -> Limits:
        """The time limits of this run."""
        return Limits(settle=self._option.settle, statement=self._option.statement_limit)

    @property
    def report_path(self) -> Path | None:
        """Where the record goes."""
        return Path(self._option.report) if self._option.report else None

    @cached_property
    def profile(self) -> Profile:
        """The target's profile."""
        return load_profile(self._option.profile)

    @property
    def dsn_text(self) -> str:
        """The whole DSN, for workers; never shown."""
        if self._dsn_text is None:
            self._simulator = EmbeddedSimulator()
            self._dsn_text = self._simulator.dsn
        return self._dsn_text

    @property
    def shown_target(self) -> str:
        """The target as reports name it."""
        shown = Dsn.parse(self.dsn_text).shown
        return f"{shown} (embedded simulator)" if self._simulator else shown

    @property
    def rerun_options(self) -> str:
        """What a command that runs one case again needs besides the case."""
        if not self._option.dsn:
            return ""
        shown = Dsn.parse(self._option.dsn).shown.replace("@", ":PASSWORD@", 1)
        accounts = f" --accounts {shlex.quote(self._option.accounts)}" if self._option.accounts else ""
        return f"--dsn '{shown}' --profile {self._option.profile}{accounts}"

    def check_accounts(self, cases: Sequence[Case], workers: int) -> None:
        """Reads the prepared accounts, if there are some, and sees that they are enough for this many workers.

        One process does what it can with what there is. Of several, each has to be able to do the same: which of them
        gets a case is chance, and a verdict must not depend on it.

        Raises:
            pytest.UsageError: the file can't be used, or they are too few.
        """
        if not self._option.accounts:
            return
        try:
            prepared = self._accounts = read_accounts(Path(self._option.accounts))
        except SourceError as error:
            raise pytest.UsageError(f"--accounts: {error}") from error
        if not self._option.dsn:
            raise pytest.UsageError(
                "--accounts: the embedded simulator knows none of them; name their server with --dsn"
            )
        there = prepared.count()
        applicable = [case for case in cases if not self.profile.exempts(case.requirement.id, case.id, case.name)]
        few = [
            f"{needed * workers} {described(grants)} (there are {there[grants]})"
            for grants, needed in needs(applicable, administrator=prepared.administrator).items()
            if 0 < there[grants] < needed * workers
        ]
        if few and workers > 1:
            raise pytest.UsageError(
                f"--accounts: {workers} workers need more accounts than {self._option.accounts} has: {', '.join(few)}\n"
                f"    hint: take fewer workers, or see what python -m runner accounts --workers {workers} prints"
            )
        self.shares = Shares(prepared, workers)

    def check_target(self) -> None:
        """Reaches the target and sees that it can be used at all, before any case runs.

        Raises:
            pytest.UsageError: it can't; the message says why and what to do.
        """
        try:
            dsn = Dsn.parse(self.dsn_text)
        except DsnError as error:
            raise pytest.UsageError(f"--dsn: {error}") from error
        except RuntimeError as error:
            raise pytest.UsageError(str(error)) from error
        target = Target(dsn, self.profile, self.limits)
        try:
            target.check()
            if self._accounts is not None:
                self._refuse_dsns_user(dsn, self._accounts)
                check_accounts(target, self._accounts)
        except TargetError as error:
            raise pytest.UsageError(f"the target {dsn.shown} can't be used: {error}") from error
        finally:
            target.close()
        self.checked = True

    @staticmethod
    def _refuse_dsns_user(dsn: Dsn, prepared: PreparedAccounts) -> None:
        if any(account.user.casefold() == dsn.account.casefold() for account in prepared.accounts):
            raise pytest.UsageError(f"--accounts: {dsn.account} is the DSN's user and can't be a prepared account, too")

    def performer(self, case: Case) -> Performer:
        """The performer of this process, made for its first case."""
        if self._performer is None:
            self._target = Target(Dsn.parse(self.dsn_text), self.profile, self.limits)
            pool = Pool(self._target, self._accounts) if self._accounts is not None else None
            self._performer = Performer(self._target, find_register(case.place.path).vocabulary, pool)
        return self._performer

    def close(self) -> None:
        """Ends the sessions, and the simulator if it is this run's own."""
        if self._target is not None:
            if self._accounts is None:  # else no user was created
                with contextlib.suppress(TargetError):  # who can't be asked has said so in every case before
                    self._target.sweep()
            self._target.close()
            self._target = self._performer = None
        if self._simulator is not None:
            self._simulator.stop()
