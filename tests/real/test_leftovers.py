"""Nothing is not removed: runs that are killed at any moment, and one sweep, on simulator and real servers."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from runner.database.dsn import Dsn
from runner.database.naming import created_at, in_small_letters
from runner.database.outcome import Ok, Rows, succeeded
from runner.database.profile import load_profile
from runner.database.session import Session
from runner.database.target import Target
from runner.database.time_limits import Limits
from tests.support.eventually import PATIENCE, eventually
from tests.support.paths import ROOT
from tests.support.servers import start_mariadb, start_seekdb
from tests.support.simulator_process import SimulatorProcess
from tests.support.suite_run import SuiteRun, environment, run_command, run_pytest

KILLS = int(os.environ.get("KSC_KILLS", "4"))
"""How many runs are killed on each server."""
HOUR = 3600
PASSWORD = "p0123456789"  # noqa: S105 - of users that live for a test

LISTS = {
    "simulator": [
        "SELECT USERNAME FROM ALL_USERS",
        "SELECT ROLE FROM DBA_ROLES",
        "SELECT OWNER, TABLE_NAME FROM DBA_TABLES",
    ],
    "seekdb": [
        "SELECT user, host FROM mysql.user",
        "SHOW DATABASES",
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'test'",
    ],
    "mariadb": ["SELECT user, host, is_role FROM mysql.user", "SHOW DATABASES", "SELECT * FROM mysql.db"],
}


@dataclass
class Place:
    """A server, the profile to use there, and an administrator who looks on."""

    kind: str
    dsn: str
    profile: str
    onlooker: Target

    def rows(self, statement: str) -> list[tuple[str | None, ...]]:
        answer = self.onlooker.administer(statement)
        assert isinstance(answer, Rows), f"{statement}: {answer}"
        return sorted(answer.values, key=str)

    def state(self) -> dict[str, list[Any]]:
        """The users, roles, tables and databases, and whose sessions there are."""
        sessions: list[Any] = sorted(row.user for row in self.onlooker.process_list().rows)
        return {statement: self.rows(statement) for statement in LISTS[self.kind]} | {"sessions": sessions}

    def state_at_rest(self) -> dict[str, list[Any]]:
        """The state as soon as nobody but the onlooker is connected.

        On a busy machine, a server that has just started may let clients in that gave up waiting for it.
        """
        found: list[dict[str, list[Any]]] = []

        def is_at_rest() -> bool:
            found.append(self.state())
            return len(found[-1]["sessions"]) == 1

        assert eventually(is_at_rest)
        return found[-1]

    def ours(self) -> list[str]:
        """The users that the suite has made."""
        return [row[0] for row in self.rows(LISTS[self.kind][0]) if row[0] and created_at(row[0])]

    def make_user(self, name: str) -> None:
        for statement in self.onlooker.profile.statements("create_user", user=name, password=PASSWORD):
            assert succeeded(self.onlooker.administer(statement)), statement

    def make_table(self, name: str, user: str) -> str:
        """A table with one row, for a user; how to call it."""
        profile = self.onlooker.profile
        table = profile.statement("table_name", administrator=self.onlooker.dsn.account.upper(), name=name)
        statements = profile.statements("create_table", table=table, name=name)
        statements += [profile.statement("insert_row", table=table, id=1, val=1), "COMMIT"]
        for statement in statements + profile.statements("grant_table", table=table, user=user):
            assert succeeded(self.onlooker.administer(statement)), statement
        return table

    @contextmanager
    def session(self, user: str) -> Iterator[Session]:
        session = Session(self.onlooker.login(user, PASSWORD))
        assert session.open(PATIENCE) == Ok()
        try:
            yield session
        finally:
            session.abandon()

    def sweep(self, *options: str) -> SuiteRun:
        return run_command("sweep", "--dsn", self.dsn, "--profile", self.profile, *options)


@pytest.fixture(scope="module", params=["simulator", "seekdb", "mariadb"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    with ExitStack() as stack:
        if request.param == "simulator":
            simulator = SimulatorProcess()
            stack.callback(simulator.stop)
            dsn, profile = simulator.dsn, "oceanbase-oracle"
        elif request.param == "seekdb":
            dsn, profile = stack.enter_context(start_seekdb()).dsn(), "seekdb"
        else:
            dsn, profile = stack.enter_context(start_mariadb()).dsn(), "mariadb"
        onlooker = Target(Dsn.parse(dsn), load_profile(profile), Limits())
        stack.callback(onlooker.close)
        # A server that has just started may still list the session that waited for it.
        assert eventually(lambda: len(onlooker.process_list().rows) == 1)
        yield Place(request.param, dsn, profile, onlooker)


def name(seconds_ago: float, run_mark: str = "AAAAA", number: int = 1) -> str:
    """A name as the suite made it so long ago."""
    stamp, left = "", int(time.time() - seconds_ago)
    while left:
        left, digit = divmod(left, 36)
        stamp = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[digit] + stamp
    return f"KSC_{stamp}{run_mark}_{number}"


def members(group: int) -> list[int]:
    """The living processes of a process group."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            state, _, pgrp, *_ = (folder / "stat").read_text().rpartition(")")[2].split()
        except (OSError, ValueError):
            continue
        if int(pgrp) == group and state != "Z":
            found.append(int(folder.name))
    return found


WAYS = [(0, "runner"), (2, "group"), (2, "controller"), (2, "workers first")]
"""How many workers a run has, and who is killed."""
removed: list[str] = []
"""What all sweeps had to remove."""


@pytest.mark.long
@pytest.mark.parametrize("trial", range(KILLS))
def test_a_killed_run_and_one_sweep_leave_the_server_as_it_was(place: Place, trial: int) -> None:
    before = place.state_at_rest()
    workers, whom = WAYS[trial % len(WAYS)]
    moment = random.Random(trial).uniform(0, 4)  # noqa: S311 - any moment will do, the same in each run
    command = [sys.executable, "-m", "pytest", "cases", "-q", "-p", "no:cacheprovider", "-n", str(workers)]
    with subprocess.Popen(
        [*command, "--dsn", place.dsn, "--profile", place.profile],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as run:
        try:
            assert eventually(place.ours)
            time.sleep(moment)
            if whom == "group":
                os.killpg(run.pid, signal.SIGKILL)
            if whom == "workers first":
                for process in set(members(run.pid)) - {run.pid}:
                    with suppress(ProcessLookupError):
                        os.kill(process, signal.SIGKILL)
                time.sleep(moment / 10)
            run.kill()
            # Workers notice that their controller is gone, and clear up; some seconds later they are gone too.
            assert eventually(lambda: not members(run.pid))
        finally:
            if members(run.pid):
                os.killpg(run.pid, signal.SIGKILL)
    swept = place.sweep("--older-than", "0")
    print(f"{whom} killed {moment:.2f} s after the first user\n{swept.screen}")  # noqa: T201
    assert swept.code == 0
    assert place.ours() == []
    # The administrator's own sessions of the killed run are the server's to close; MariaDB takes up to five seconds.
    stays = eventually(lambda: place.state() == before, 60)
    after = place.state()
    assert stays, {key: (value, after[key]) for key, value in before.items() if value != after[key]}
    removed.extend(line for line in swept.out.splitlines() if line.startswith("removed: "))


@pytest.mark.long
def test_the_sweeps_removed_leftovers() -> None:
    print(Counter(" ".join(line.split()[1:2]) for line in removed))  # noqa: T201
    assert removed or not KILLS


LOOKALIKES = ["KSCX_TREASURER", "KSC_BACKUP", "KSC_BACKUP_OWNER_1", "KSC_000000AAAAA_1", "KSC_"]


@pytest.mark.long
def test_objects_with_similar_names_are_not_removed_by_a_sweep(place: Place) -> None:
    before = place.state_at_rest()
    foreign = [*LOOKALIKES, name(-HOUR), name(-HOUR, number=2), name(9 * HOUR).removeprefix("KSC_").join(("KSCX_", ""))]
    for user in foreign:
        place.make_user(user)
    place.make_table("KSC_LEDGER", foreign[0])
    assert succeeded(place.onlooker.administer("CREATE ROLE KSC_AUDITORS"))
    made = place.state()
    with place.session(foreign[1]) as session:
        for options in ((), ("--older-than", "0"), ("--older-than", "0", "--dry-run")):
            done = place.sweep(*options)
            assert done.code == 0, done.err
            assert "2 not touched" in done.out
            assert "the clocks differ" in done.out
        assert session.check_connection() is None
    assert eventually(lambda: place.state() == made), done.out
    for user in foreign:
        for statement in place.onlooker.profile.statements("drop_user", user=user):
            assert succeeded(place.onlooker.administer(statement)), statement
    profile = place.onlooker.profile
    table = profile.statement("table_name", administrator=place.onlooker.dsn.account.upper(), name="KSC_LEDGER")
    place.onlooker.administer(profile.statement("drop_table", table=table, name="KSC_LEDGER"))
    place.onlooker.administer("DROP ROLE KSC_AUDITORS")
    assert eventually(lambda: place.state() == before)


def test_old_sessions_are_removed_with_their_locks_users_tables_and_roles(place: Place) -> None:
    before = place.state_at_rest()
    holder, waiter, sleeper, table, role = (name(3 * HOUR, number=number) for number in range(1, 6))
    for user in (holder, waiter, sleeper):
        place.make_user(user)
    shown = place.make_table(table, holder)
    for statement in place.onlooker.profile.statements("grant_table", table=shown, user=waiter):
        place.onlooker.administer(statement)
    assert succeeded(place.onlooker.administer(f"CREATE ROLE {role}"))
    with place.session(holder) as holding, place.session(waiter) as waiting, place.session(sleeper) as sleeping:
        holding.execute("SET AUTOCOMMIT = 0", PATIENCE)
        assert succeeded(holding.execute(f"UPDATE {shown} SET val = 2 WHERE id = 1", PATIENCE))  # noqa: S608 - our own
        waiting.send(f"UPDATE {shown} SET val = 3 WHERE id = 1")  # noqa: S608 - our own
        sleeping.send("SELECT SLEEP(60) FROM DUAL")
        made = place.state()

        dry = place.sweep("--dry-run")
        assert dry.code == 0
        assert f"would be removed: table {table.lower() if place.kind == 'seekdb' else table}, 3 h 0 min old" in dry.out
        assert "8 would be removed, 0 not touched" in dry.out
        assert place.state() == made

        done = place.sweep()
        assert done.code == 0, done.screen
        assert "8 removed, 0 not removed, 0 not touched" in done.out
        assert eventually(lambda: place.state() == before), done.out
    again = place.sweep()
    assert "0 removed" in again.out


def test_a_user_with_a_quoted_name_is_removed_and_its_session_killed(place: Place) -> None:
    before = place.state_at_rest()
    capitals = name(3 * HOUR)
    small, young = in_small_letters(capitals), in_small_letters(name(60, "YOUNG"))
    for user in (capitals, small, young):
        place.make_user(user)
    with place.session(small) as session:
        assert len(list(place.onlooker.process_list().of_user(small))) == 1
        done = place.sweep()
        assert done.code == 0, done.screen
        assert f"removed: user {small}, 3 h 0 min old" in done.out
        assert f"removed: user {capitals}, 3 h 0 min old" in done.out
        assert f" of {small}, 3 h 0 min old" in done.out
        assert place.ours() == [young]
        assert eventually(lambda: session.check_connection() is not None)
    assert place.sweep("--older-than", "60").code == 0
    assert eventually(lambda: place.state() == before)


def test_the_users_of_a_run_in_progress_are_not_removed(place: Place) -> None:
    before = place.state_at_rest()
    connected, young, silent = name(HOUR, "LIVES"), name(300, "YOUNG"), name(HOUR, "ENDED")
    for user in (connected, young, silent):
        place.make_user(user)
    with place.session(connected) as session:
        done = place.sweep()
        assert done.code == 0
        # The living session is also what shows that the list tells of other users' sessions.
        assert set(place.ours()) == {connected, young}, done.out
        assert f"user {connected}, 1 h 0 min old: may belong to a run in progress" in done.out
        assert session.check_connection() is None
    assert place.sweep("--older-than", "60").code == 0
    assert eventually(lambda: place.state() == before)


@pytest.mark.long
def test_if_no_foreign_session_is_visible_only_the_age_decides(place: Place) -> None:
    silent, old = name(HOUR, "ENDED"), name(3 * HOUR, "ENDED")
    for user in (silent, old):
        place.make_user(user)
    place.onlooker.close()  # one session of the administrator's alone, as on a server where nobody else is at work
    done = place.sweep()
    assert place.ours() == [silent], done.out
    assert place.sweep("--older-than", "60").code == 0


@pytest.mark.long
def test_a_run_removes_leftovers_of_an_earlier_run_and_reports_them_in_one_line(place: Place) -> None:
    before = place.state_at_rest()
    old, young = name(3 * HOUR), name(60, "YOUNG")
    for user in (old, young):
        place.make_user(user)
    place.make_table(name(3 * HOUR, number=2), old)
    done = run_pytest("cases/ending.yaml", "-k", "idle-session-ends", "--dsn", place.dsn, "--profile", place.profile)
    assert done.code == 0, done.out
    assert "leftovers of an earlier run removed: 1 table, 1 user\n" in done.out
    assert place.ours() == [young]
    assert place.sweep("--older-than", "60").code == 0
    assert eventually(lambda: place.state() == before)


def test_a_server_that_cannot_be_reached_is_exit_code_4_and_shows_no_password() -> None:
    nowhere = "oceanbase://SYS:s3cretWord@127.0.0.1:1/"
    place = Place(
        "simulator", nowhere, "oceanbase-oracle", Target(Dsn.parse(nowhere), load_profile("seekdb"), Limits())
    )
    for done in (place.sweep(), place.sweep("--dry-run"), place.sweep("--older-than", "soon")):
        assert done.code == 4
        assert "s3cretWord" not in done.screen
        assert "Traceback" not in done.err
