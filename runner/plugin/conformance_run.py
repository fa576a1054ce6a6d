"""The run in one pytest process: checks the target, runs cases on it, and removes leftovers."""

from __future__ import annotations

import contextlib
import datetime as dt
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any

import pytest

from runner.accounts.accounts_check import Shares, check_accounts
from runner.accounts.accounts_file import PreparedAccounts
from runner.database.administrator_session import TargetError
from runner.database.dsn import DSN_VARIABLE, Dsn, DsnError
from runner.database.leftovers import KINDS, find_suite_objects, remove_earlier, remove_own
from runner.database.naming import Names, new_run_mark
from runner.database.target import Target
from runner.database.time_limits import Limits, Poll
from runner.database.tls import tls_context
from runner.doctor.case_prerequisites import Prerequisites
from runner.doctor.examination import Examination
from runner.doctor.findings import Findings
from runner.doctor.findings_text import short_lines
from runner.execution.case_result import CaseResult
from runner.execution.case_runner import CaseRunner
from runner.execution.fixture_pool import FixturePool
from runner.gating.known_deviations import KnownDeviation, KnownDeviations, StaleEntry, with_listing
from runner.language.message_text import plural
from runner.language.model import Case
from runner.language.suite import Suite
from runner.plugin.accounts_option import read_prepared, refuse_dsns_user, refuse_too_few
from runner.plugin.cases_in_flight import CasesInFlight
from runner.plugin.embedded_simulator import EmbeddedSimulator
from runner.plugin.pytest_arguments import PLUGIN
from runner.plugin.run_options import RunOptions
from runner.plugin.signals import signals_ignored

_KEY = pytest.StashKey["Run"]()
_SWEEP_BEFORE = 20.0  # seconds for the leftovers of earlier runs
_CLEANUP_AFTER = 5.0  # seconds for the leftovers of this run


class Run:
    """The state of a run in one pytest process: the target, its examination, the cases in flight, the cleanup.

    The controller checks the target before the first case. Each worker has its own sessions.

    Attributes:
        options: the values of the suite's options.
        command: the command that started the run, as typed.
        started: the time of the start.
        shares: the prepared accounts of the workers, in the controller of a run with workers and ``--accounts``.
        in_flight: the number of cases at a time in each process.
        cases: the cases in flight, if cases are run in threads.
        on_wait: called about once a second while the next result is awaited, with the number of finished cases.
        connection_room: the number of cases at a time for which the server accepted connections, if less than wanted.
        grant_delay: the seconds that cases waited after a GRANT or REVOKE, because it had no effect at once; else 0.
        checked: whether the target was reached and can be used; in the controller only.
        findings: the result of the examination; in the controller only.
        all_removed: whether the process list and the other lists showed no leftover after the run.
        left: users and other objects that were kept for later cases and could not be removed, with the reply.
        swept: what was removed before the run, as text for the header.
        stale: the stale entries of the list of known deviations.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.options = RunOptions(config)
        standalone = config.pluginmanager.has_plugin(PLUGIN)
        self.command = "kill-session-conformance run" if standalone else "pytest"
        self.started = dt.datetime.now(dt.UTC)
        worker_input = getattr(config, "workerinput", {})
        self._is_worker = bool(worker_input)
        self._dsn_text: str | None = worker_input.get("conformance_dsn", self.options.dsn_text)
        self._names = Names(worker_input.get("conformance_run_mark") or new_run_mark())
        self._run_marks = {self._names.run_mark}
        share = worker_input.get("conformance_accounts")
        self._accounts = PreparedAccounts.from_plain(share) if share is not None else None
        self.shares: Shares | None = None
        self._controller_sees_others = bool(worker_input.get("conformance_sees_others"))
        self._stop_reason: str = worker_input.get("conformance_stop_reason", "")
        """The reason for which no statement that can kill sessions may be sent, if the examination found one."""
        self.in_flight: int = worker_input.get("conformance_in_flight", self.options.in_flight)
        self._simulator: EmbeddedSimulator | None = None
        self._target: Target | None = None
        self._case_runner: CaseRunner | None = None
        self.cases: CasesInFlight | None = None
        self.on_wait: Callable[[int], None] = lambda _: None
        self.connection_room: int | None = None
        self.grant_delay = 0.0
        self.checked = False
        self.findings: Findings | None = None
        self._version = worker_input.get("conformance_version", "")
        self._prerequisites = Prerequisites(())
        self._known_in_force: tuple[KnownDeviation, ...] | None = None
        self.all_removed = False
        self.left: list[str] = []
        self.swept = ""
        self.stale: list[StaleEntry] = []

    @classmethod
    def of(cls, config: pytest.Config) -> Run:
        """The run of a pytest process."""
        if _KEY not in config.stash:
            config.stash[_KEY] = cls(config)
        return config.stash[_KEY]

    @cached_property
    def dsn(self) -> Dsn:
        """The target's DSN; parsed once, because a password file may be removed later.

        Raises:
            DsnError: the DSN can't be used.
        """
        assert self._dsn_text is not None  # noqa: S101 - start_simulator_unless_given was called
        return Dsn.parse(self._dsn_text)

    def start_simulator_unless_given(self) -> None:
        """Starts the embedded simulator if no DSN is given.

        Raises:
            RuntimeError: the simulator did not start.
        """
        if self._dsn_text is None:
            self._simulator = EmbeddedSimulator()
            self._dsn_text = self._simulator.dsn

    @property
    def limits(self) -> Limits:
        """The time limits of this run."""
        return self.options.limits(self.dsn.connect_timeout)

    @property
    def shown_target(self) -> str:
        """The target in messages, without the password."""
        return f"{self.dsn.shown} (embedded simulator)" if self._simulator else self.dsn.shown

    @property
    def target_name(self) -> str:
        """The name of the target in records and summaries, without host and user."""
        findings = self.findings
        return self.options.target_name or (f"{findings.flavour} {findings.version}" if findings else "")

    @property
    def rerun_options(self) -> str:
        """The options for a command that runs one case again."""
        return self.options.to_run_again(self.dsn)

    def known_in_force(self) -> tuple[KnownDeviation, ...]:
        """The known deviations that apply to the target's version; selected once, after the target was reached.

        Raises:
            SourceError: the list is ambiguous, or the version can't be compared.
        """
        if self._known_in_force is None:
            known = self.options.known
            self._known_in_force = known.in_force(self._version) if known else ()
        return self._known_in_force

    def with_listing(self, result: CaseResult) -> CaseResult:
        """The result with its entry of the list of known deviations."""
        return with_listing(result, self.known_in_force(), self.started.date())

    def check_accounts(self, cases: Sequence[Case], suite: Suite, workers: int) -> None:
        """Reads the prepared accounts, if given, and checks that they are enough for this number of workers.

        Raises:
            pytest.UsageError: the file can't be used, or they are too few.
        """
        path = self.options.accounts
        if path is None:
            return
        self._accounts = read_prepared(path, suite)
        if not self.options.has_dsn_option:
            raise pytest.UsageError(
                "--accounts: the embedded simulator has no prepared accounts; name their server with --dsn"
            )
        refuse_too_few(self._accounts, path, cases, self.options.profile, workers)
        self.shares = Shares(self._accounts, workers)

    def prepare_target(self, cases: Sequence[Case]) -> None:
        """Connects to the target, checks that it can be used, removes leftovers of earlier runs, and examines it.

        Raises:
            pytest.UsageError: it can't be used; the message has the reason and the fix.
        """
        try:
            self.start_simulator_unless_given()
            dsn = self.dsn
            if dsn.tls is not None:
                tls_context(dsn.tls)
        except DsnError as error:
            raise pytest.UsageError(f"{self.options.source}: {error}") from error
        except RuntimeError as error:
            raise pytest.UsageError(str(error)) from error
        target = Target(dsn, self.options.profile, self.limits, self._names)
        try:
            target.check(anyway=self.options.anyway)
            if self._accounts is not None:
                refuse_dsns_user(self._accounts, dsn)
                check_accounts(target, self._accounts)
            elif self._simulator is None:
                self._sweep_earlier(target)
            self._prerequisites = Prerequisites.on(self.options.profile, cases)
            self.findings = Examination(target, self._prerequisites, creates=self._accounts is None).examine()
            self._version = self.findings.version
            self._stop_reason = target.stop_reason
            if not self.findings.handshake_id_is_session_id:
                self.in_flight = 1  # behind a proxy: after a statement without effect, no other may be sent
        except TargetError as error:
            raise pytest.UsageError(f"the target {dsn.shown} can't be used: {error}") from error
        finally:
            target.close()
        self.checked = True

    @property
    def header(self) -> list[str]:
        """The target and the findings of the examination, in a few lines; empty before the examination."""
        if self.findings is None:
            return []
        target = f"target from {DSN_VARIABLE}" if self.options.source == DSN_VARIABLE else "target"
        return [
            f"{target}: {self.shown_target}, profile {self.options.profile.name}",
            *short_lines(self.findings, len(self._prerequisites.cases)),
            *(
                ["cases run one at a time: the process list has other session ids than the handshakes"]
                if self.one_at_a_time
                else []
            ),
            *([f"known deviations: {self._counted(self.options.known)}"] if self.options.known else []),
            *([f"leftovers of an earlier run removed: {self.swept}"] if self.swept else []),
        ]

    @property
    def one_at_a_time(self) -> bool:
        """Whether fewer cases at a time are run than wanted, because of the route to the server."""
        return self.in_flight < self.options.in_flight

    def _counted(self, known: KnownDeviations) -> str:
        count, here = len(known.entries), len(self.known_in_force())
        entries = f"{count} entr{'y' if count == 1 else 'ies'} in {known.path}"
        return entries if here == count else f"{entries}, {here} for this version"

    def _sweep_earlier(self, target: Target) -> None:
        with contextlib.suppress(TargetError):  # a lasting error is reported at the next statement
            gone = Counter(each.kind for each in remove_earlier(target, time.time(), _SWEEP_BEFORE))
            self.swept = ", ".join(plural(number, kind) for kind, number in gone.items())

    def new_worker(self) -> dict[str, Any]:
        """The input of a new xdist worker: the checked target, and a mark for the names of its users and tables."""
        run_mark = new_run_mark()
        self._run_marks.add(run_mark)
        return {
            "conformance_dsn": self._dsn_text,
            "conformance_run_mark": run_mark,
            "conformance_version": self._version,
            "conformance_sees_others": self._sees_others,
            "conformance_stop_reason": self._stop_reason,
            "conformance_in_flight": self.in_flight,
        }

    @property
    def _sees_others(self) -> bool:
        """Whether the administrator's process list showed other users' sessions in the examination."""
        return self._controller_sees_others if self.findings is None else self.findings.sees_others is True

    def _prepared_case_runner(self) -> CaseRunner:
        """The case runner of this process; created for the first case."""
        if self._case_runner is None:
            self.start_simulator_unless_given()
            self._target = Target(self.dsn, self.options.profile, self.limits, self._names)
            self._target.facts.sees_others = self._sees_others
            self._target.stop_guarded_statements(self._stop_reason)
            self._case_runner = CaseRunner(self._target, FixturePool(self._accounts))
        return self._case_runner

    def result(self, name: str, case: Case, ahead: Iterable[tuple[str, Case]]) -> CaseResult:
        """The result of a case, which is run now or has been started already.

        Args:
            name: its name in this run.
            case: the case.
            ahead: the cases from this one on with their names; they may be started at the same time.
        """
        # A case may change a prepared account for the next one, so the order of the cases must not vary.
        if self.in_flight == 1 or self._accounts is not None:
            return self._prepared_case_runner().run(case)
        if self.cases is None:
            cases = list(ahead)
            self.cases = CasesInFlight(
                self._prepared_case_runner(), self.in_flight, at_once=self.options.stops_early, on_wait=self.on_wait
            )
            self.cases.add(cases)
        elif self._is_worker or not self.cases.knows(name):
            self.cases.add(ahead)
        return self.cases.result(name)

    def note_connection_room(self, room: int | None) -> None:
        """Notes a number of cases at a time for which the server accepted connections; None: as many as wanted."""
        if room is not None:
            self.connection_room = min(room, self.connection_room or room)

    def note_grant_delay(self, seconds: float) -> None:
        """Notes how many seconds cases waited after a GRANT; 0: it had an effect at once."""
        self.grant_delay = max(self.grant_delay, seconds)

    def _remove_leftovers(self, target: Target) -> None:
        poll = Poll(_CLEANUP_AFTER)  # the server may be restarting
        while target.find_trouble() is not None and poll.again():
            pass
        lists_all = all(f"list_{kind}s" in self.options.profile.sql for kind in KINDS if kind != "session")
        removed = not remove_own(target, self._run_marks, _CLEANUP_AFTER)
        self.all_removed = removed and lists_all and not find_suite_objects(target).unlisted

    def close(self) -> None:
        """Removes the leftovers, closes the sessions, and stops the embedded simulator."""
        if self._target is None and len(self._run_marks) > 1 and self._simulator is None:
            # The workers have ended; one that was killed has left users and tables.
            self._target = Target(self.dsn, self.options.profile, self.limits)
        if self.cases is not None and self._target is not None:
            self._target.facts.cut_off.set()
            with signals_ignored():
                self.cases.end()
            self.note_connection_room(self.cases.pace.connection_room)
        if self._case_runner is not None:
            self.note_grant_delay(self._case_runner.grant_delay)
        if self._target is not None:
            # A server that is unreachable was reported in the cases. With prepared accounts, no user was created.
            with signals_ignored(), contextlib.suppress(TargetError):
                if self._case_runner is not None:
                    self.left += self._case_runner.remove_kept()
                if self._accounts is None:
                    self._remove_leftovers(self._target)
            self._target.close()
            self._target = self._case_runner = None
        if self._simulator is not None:
            self._simulator.stop()
