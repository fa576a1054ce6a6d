"""What one pytest process knows of the run: its options, its target, its results."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import shlex
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from runner.database.accountsfile import PreparedAccounts
from runner.database.dsn import Dsn
from runner.database.dsnoptions import DsnError
from runner.database.leftovers import KINDS, find, remove_earlier, remove_own
from runner.database.limits import Limits
from runner.database.naming import Names, new_maker
from runner.database.poll import Poll
from runner.database.profile import Profile, load_profile
from runner.database.target import Target, TargetError
from runner.database.tls import tls_context
from runner.doctor.examination import Examination
from runner.doctor.facts import Facts
from runner.doctor.needs import Needs
from runner.doctor.report import short
from runner.execution.accounts import Pool, check_accounts
from runner.execution.applicability import SEND_WITHHELD
from runner.execution.perform import Performer
from runner.execution.verdict import CaseResult
from runner.gating.judging import listed
from runner.gating.knownlist import KnownDeviation, KnownDeviations, read_known_deviations
from runner.language.model import Case
from runner.language.suite import Suite
from runner.plugin.embedded import EmbeddedSimulator
from runner.plugin.inflight import CasesInFlight
from runner.plugin.invocation import PLUGIN
from runner.plugin.options import DEFAULT_IN_FLIGHT
from runner.plugin.prepared import read_prepared, refuse_dsns_user, refuse_too_few
from runner.plugin.signals import undisturbed
from runner.plugin.workers import Shares, planned_workers

ENVIRONMENT = "KSC_DSN"
"""The environment variable that holds the DSN where the command line has none."""

_KEY = pytest.StashKey["Run"]()
_BEFORE = 20.0  # seconds for what earlier runs have left
_AFTER = 5.0  # for what this one has


class Run:
    """One per pytest process: the controller's reaches the target first, each worker's has sessions of its own."""

    def __init__(self, config: pytest.Config) -> None:
        self._option = config.option
        standalone = config.pluginmanager.has_plugin(PLUGIN)
        self.command = "kill-session-conformance run" if standalone else "pytest"
        """What was typed to start the run."""
        worker_input = getattr(config, "workerinput", {})
        self.source = "--dsn" if self._option.dsn is not None else ENVIRONMENT if ENVIRONMENT in os.environ else None
        """What names the target; None for the embedded simulator."""
        given = os.environ.get(ENVIRONMENT) if self._option.dsn is None else self._option.dsn
        self._dsn_text: str | None = worker_input.get("conformance_dsn", given)
        self._names = Names(worker_input.get("conformance_maker") or new_maker())
        self._makers = {self._names.maker}
        share = worker_input.get("conformance_accounts")
        self._accounts = PreparedAccounts.from_plain(share) if share is not None else None
        """The prepared accounts of this process."""
        self.shares: Shares | None = None
        """The prepared accounts of the workers, if this process hands them out."""
        self._told_to_see = bool(worker_input.get("conformance_sees_others"))
        self._stopped: str = worker_input.get("conformance_stopped", "")
        """Why no statement that can end a session may be sent, if the examination has found a reason."""
        self._wanted: int = self._option.in_flight or max(1, DEFAULT_IN_FLIGHT // planned_workers(config))
        self.in_flight: int = worker_input.get("conformance_in_flight", self._wanted)
        """How many cases to run at a time in each process."""
        self._simulator: EmbeddedSimulator | None = None
        self._target: Target | None = None
        self._performer: Performer | None = None
        self.cases: CasesInFlight | None = None
        """The cases that are run in threads, once there are some."""
        self.room: int | None = None
        """How many cases at a time the server had connections for, if they were fewer than wanted."""
        self._is_worker = bool(worker_input)
        self.started = dt.datetime.now(dt.UTC)
        self.checked = False
        self.facts: Facts | None = None
        """What the examination before the run found; the controller's only."""
        self._version = worker_input.get("conformance_version", "")
        self._needs = Needs(())
        self.all_removed = False
        """Whether the lists were seen, after the run, to show nothing that it made."""
        self.left: list[str] = []
        """What could not be removed of what cases had kept for later ones, with the server's answer."""
        self.swept = ""
        """What was removed before the run, for people."""

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
        limits = Limits(settle=self._option.settle, statement=self._option.statement_limit)
        return replace(limits, connect=self.dsn.connect_timeout or limits.connect)

    @property
    def record_path(self) -> Path | None:
        """Where the record goes."""
        return Path(self._option.record) if self._option.record else None

    @cached_property
    def profile(self) -> Profile:
        """The target's profile. It withholds nothing from the embedded simulator, which nothing can harm."""
        profile = load_profile(self._option.profile)
        return profile.sending_all() if self.source is None or self._option.send_withheld else profile

    @cached_property
    def known(self) -> KnownDeviations | None:
        """The list of known deviations, if there is one.

        Raises:
            SourceError: it can't be used.
        """
        path = self._option.known_deviations
        return read_known_deviations(Path(path)) if path else None

    @cached_property
    def known_here(self) -> tuple[KnownDeviation, ...]:
        """Those that apply to this target, once that was reached.

        Raises:
            SourceError: which ones do can't be told.
        """
        return self.known.in_force(self._version) if self.known else ()

    def listed(self, result: CaseResult) -> CaseResult:
        """A result with what the list of known deviations says of it."""
        return listed(result, self.known_here, self.started.date())

    @property
    def dsn_text(self) -> str:
        """The whole DSN, for workers; never shown."""
        if self._dsn_text is None:
            self._simulator = EmbeddedSimulator()
            self._dsn_text = self._simulator.dsn
        return self._dsn_text

    @cached_property
    def dsn(self) -> Dsn:
        """The target's DSN, read once: a password's file may be gone later.

        Raises:
            DsnError: it can't be used.
        """
        return Dsn.parse(self.dsn_text)

    @property
    def shown_target(self) -> str:
        """The target as reports name it."""
        return f"{self.dsn.shown} (embedded simulator)" if self._simulator else self.dsn.shown

    @property
    def target_name(self) -> str:
        """What records and summaries call the target: without host and user."""
        facts = self.facts
        return str(self._option.target_name or (f"{facts.flavour} {facts.version}" if facts else ""))

    @property
    def rerun_options(self) -> str:
        """What a command that runs one case again needs besides the case."""
        known = f" --known-deviations '{self.known.path}'" if self.known else ""
        if self.source is None:
            return known.lstrip()
        dsn = f"--dsn '{self.dsn.template}' " if self.source == "--dsn" else ""  # the environment is there again
        accounts = f" --accounts {shlex.quote(self._option.accounts)}" if self._option.accounts else ""
        all_of_it = f" {SEND_WITHHELD}" if self._option.send_withheld else ""
        return f"{dsn}--profile {self._option.profile}{all_of_it}{accounts}{known}"

    def check_accounts(self, cases: Sequence[Case], suite: Suite, workers: int) -> None:
        """Reads the prepared accounts, if there are some, and sees that they are enough for this many workers.

        Raises:
            pytest.UsageError: the file can't be used, or they are too few.
        """
        path = self._option.accounts
        if not path:
            return
        self._accounts = read_prepared(path, suite)
        if not self._option.dsn:
            raise pytest.UsageError(
                "--accounts: the embedded simulator has no prepared accounts; name their server with --dsn"
            )
        refuse_too_few(self._accounts, path, cases, self.profile, workers)
        self.shares = Shares(self._accounts, workers)

    def check_target(self, cases: Sequence[Case]) -> None:
        """Reaches the target, sees that it can be used at all, and examines what it lacks for the cases.

        Raises:
            pytest.UsageError: it can't; the message says why and what to do.
        """
        try:
            dsn = self.dsn
            if dsn.tls is not None:
                tls_context(dsn.tls)
        except DsnError as error:
            raise pytest.UsageError(f"{self.source}: {error}") from error
        except RuntimeError as error:
            raise pytest.UsageError(str(error)) from error
        target = Target(dsn, self.profile, self.limits, self._names)
        try:
            target.check(anyway=self._option.anyway)
            if self._accounts is not None:
                refuse_dsns_user(self._accounts, dsn)
                check_accounts(target, self._accounts)
            elif self._simulator is None:
                self._sweep_earlier(target)
            self._needs = Needs.on(self.profile, cases)
            self.facts = Examination(target, self._needs, creates=self._accounts is None).facts()
            self._version = self.facts.version
            self._stopped = target.stopped
            if not self.facts.handshake_id_is_session_id:
                self.in_flight = 1  # behind a proxy, the first statement without effect has to stop all others
        except TargetError as error:
            raise pytest.UsageError(f"the target {dsn.shown} can't be used: {error}") from error
        finally:
            target.close()
        self.checked = True

    @property
    def header(self) -> list[str]:
        """The target, and what the examination found, in a few lines; nothing before it."""
        if self.facts is None:
            return []
        target = f"target from {ENVIRONMENT}" if self.source == ENVIRONMENT else "target"
        return [
            f"{target}: {self.shown_target}, profile {self.profile.name}",
            *short(self.facts, len(self._needs.cases)),
            *(["cases run one at a time: the session ids can't be tied to the connections"] if self.reduced else []),
            *([f"known deviations: {self._counted(self.known)}"] if self.known else []),
            *([f"leftovers of an earlier run removed: {self.swept}"] if self.swept else []),
        ]

    @property
    def reduced(self) -> bool:
        """Whether fewer cases at a time are run than wanted, because of the way to the server."""
        return self.in_flight < self._wanted

    def _counted(self, known: KnownDeviations) -> str:
        count, here = len(known.entries), len(self.known_here)
        entries = f"{count} entr{'y' if count == 1 else 'ies'} in {known.path}"
        return entries if here == count else f"{entries}, {here} for this version"

    def _sweep_earlier(self, target: Target) -> None:
        with contextlib.suppress(TargetError):  # the next statement finds out, if it lasts
            gone = Counter(trace.kind for trace in remove_earlier(target, time.time(), _BEFORE))
            self.swept = ", ".join(f"{number} {kind}{'s' * (number > 1)}" for kind, number in gone.items())

    def new_worker(self) -> dict[str, Any]:
        """What an xdist worker is told, besides pytest's own: the target that was checked, and a mark for its names."""
        maker = new_maker()
        self._makers.add(maker)
        return {
            "conformance_dsn": self.dsn_text,
            "conformance_maker": maker,
            "conformance_version": self._version,
            "conformance_sees_others": self._sees_others,
            "conformance_stopped": self._stopped,
            "conformance_in_flight": self.in_flight,
        }

    @property
    def _sees_others(self) -> bool:
        """Whether the examination saw others' sessions in the administrator's list: a first case can't know yet."""
        return self._told_to_see if self.facts is None else self.facts.sees_others is True

    @property
    def performer(self) -> Performer:
        """The performer of this process, for the cases of all registers."""
        if self._performer is None:
            self._target = Target(self.dsn, self.profile, self.limits, self._names)
            self._target.known.sees_others = self._sees_others
            self._target.stopped = self._stopped
            self._performer = Performer(self._target, Pool(self._accounts))
        return self._performer

    def result(self, name: str, case: Case, ahead: Iterable[tuple[str, Case]]) -> CaseResult:
        """What a case comes to, which is run now or has begun already.

        Args:
            name: its name in this run.
            case: the case.
            ahead: the cases from this one on, by name, which may begin meanwhile.
        """
        # What a case does to a prepared account, the next one finds: that must not depend on chance.
        if self.in_flight == 1 or self._accounts is not None:
            return self.performer.perform(case)
        if self.cases is None:
            cases = list(ahead)
            stops = bool(self._option.maxfail) or getattr(self._option, "stepwise", False)
            self.cases = CasesInFlight(self.performer, self.in_flight, at_once=stops)
            self.cases.add(cases)
        elif self._is_worker or not self.cases.knows(name):
            self.cases.add(ahead)
        return self.cases.result(name)

    def note_room(self, room: int | None) -> None:
        """Notes how many cases at a time the server had connections for, if they were fewer than wanted."""
        if room is not None:
            self.room = min(room, self.room or room)

    def _remove_left(self, target: Target) -> None:
        poll = Poll(_AFTER)  # a server that restarts is back in a moment
        while target.trouble() is not None and poll.again():
            pass
        lists_all = all(f"list_{kind}s" in self.profile.sql for kind in KINDS if kind != "session")
        self.all_removed = not remove_own(target, self._makers, _AFTER) and lists_all and not find(target).untold

    def close(self) -> None:
        """Removes what is left, ends the sessions, and the simulator if it is this run's own."""
        if self._target is None and len(self._makers) > 1 and self._simulator is None:
            # The workers have ended; one that was killed has left what it was using.
            self._target = Target(Dsn.parse(self.dsn_text), self.profile, self.limits)
        if self.cases is not None and self._target is not None:
            self._target.known.cut_off.set()
            with undisturbed():
                self.cases.end()
            self.note_room(self.cases.room)
        if self._target is not None:
            # Who can't be asked has said so in every case before; with prepared accounts no user was created.
            with undisturbed(), contextlib.suppress(TargetError):
                if self._performer is not None:
                    self.left += self._performer.remove_kept()
                if self._accounts is None:
                    self._remove_left(self._target)
            self._target.close()
            self._target = self._performer = None
        if self._simulator is not None:
            self._simulator.stop()
