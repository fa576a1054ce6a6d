"""Runs with prepared accounts, for who may not create users: what is sent, decided, refused and never shown."""

from __future__ import annotations

import json
import re
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql
import pytest

from runner.accounts.accounts_check import Shares
from runner.accounts.accounts_file import PreparedAccount, PreparedAccounts
from runner.database.dsn import Dsn
from runner.database.naming import created_at
from tests.plugin.written_cases import arguments_of, write_case
from tests.support.eventually import eventually
from tests.support.paths import ROOT
from tests.support.simulator_process import SimulatorProcess
from tests.support.suite_run import run_command, run_pytest

ORACLE_MODE = 1 << 27
WATCHES = ("CREATE SESSION", "SHOW PROCESS")
KILL = "steps:\n  - killer: ALTER SYSTEM KILL SESSION '${victim.id}'\n    reply: ok\nends: [victim]"
CHANGES = re.compile(r"CREATE USER|GRANT|REVOKE|DROP", re.IGNORECASE)


@dataclass(frozen=True)
class Server:
    """A simulator on which accounts were prepared, and a user that only watches."""

    dsn: Dsn
    folder: Path

    def connect(self, user: str | None = None, password: str | None = None) -> pymysql.Connection:
        return pymysql.connect(
            host=self.dsn.host,
            port=self.dsn.port,
            user=self.dsn.login(user or self.dsn.account),
            password=password or self.dsn.password,
            client_flag=ORACLE_MODE,
        )

    def administer(self, *statements: str) -> list[str]:
        """Says statements as the administrator; the first column of what the last one answers."""
        with self.connect() as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return sorted(str(row[0]) for row in cursor.fetchall())

    def sessions_of(self, user: str) -> int:
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SHOW PROCESSLIST")
            return sum(row[1] == user for row in cursor.fetchall())

    def users(self) -> list[str]:
        return self.administer("SELECT USERNAME FROM ALL_USERS")

    def prepare(self, workers: int = 1, watches: tuple[str, ...] = WATCHES) -> None:
        printed = run_command("accounts", "--workers", str(workers), "--out", str(self.file))
        assert printed.code == 0, printed.screen
        self.administer(*statements(printed.screen))
        self.administer(
            "CREATE USER watcher IDENTIFIED BY watchword", *(f"GRANT {each} TO watcher" for each in watches)
        )

    @property
    def file(self) -> Path:
        return self.folder / "accounts.yaml"

    @property
    def watcher(self) -> str:
        return f"oceanbase://WATCHER%40oracle:watchword@{self.dsn.host}:{self.dsn.port}/"

    @property
    def options(self) -> list[str]:
        return ["--dsn", self.watcher, "--accounts", str(self.file)]

    @property
    def passwords(self) -> list[str]:
        return re.findall(r"password: ([\w#]+)", self.file.read_text(encoding="utf-8"))

    def holders(self) -> list[tuple[str, str]]:
        """User and password of the accounts with ALTER SYSTEM."""
        text = self.file.read_text(encoding="utf-8")
        return re.findall(r"user: (\w+), password: ([\w#]+), grants: \[ALTER SYSTEM\]", text)

    def edit(self, pattern: str, replacement: str) -> None:
        text = self.file.read_text(encoding="utf-8")
        changed = re.sub(pattern, replacement, text, flags=re.MULTILINE)
        assert changed != text
        self.file.write_text(changed, encoding="utf-8")


def statements(screen: str) -> list[str]:
    return [line.rstrip(";") for line in screen.splitlines() if not line.startswith("--")]


@pytest.fixture
def server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Server]:
    simulator = SimulatorProcess(*getattr(request, "param", ()))
    yield Server(Dsn.parse(simulator.dsn), tmp_path)
    simulator.stop()


def results(record: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(record.read_text(encoding="utf-8"))["results"]
    return rows


# What runs, and what it leaves alone


@pytest.mark.long
def test_prepared_accounts_decide_all_cases_that_need_no_new_user(server: Server, tmp_path: Path) -> None:
    server.prepare(workers=2)
    before, record = server.users(), tmp_path / "record.json"
    done = run_pytest("cases", "-q", "-n", "2", *server.options, "--send-withheld", "--record", str(record))
    assert server.users() == before
    shown = done.screen + record.read_text(encoding="utf-8")
    assert not any(password in shown for password in server.passwords)
    said = [str(event["text"]) for row in results(record) for event in row["transcript"] if event["kind"] == "sends"]
    assert len(said) > 200
    assert not [text for text in said if CHANGES.search(text)]

    undecided = {str(row["name"]): str(row["reason"]) for row in results(record) if row["verdict"] == "inconclusive"}
    decided = [row for row in results(record) if row["verdict"] in {"conforms", "observed"}]
    assert len(decided) + len(undecided) == len(results(record))
    assert len(decided) > 170
    assert done.code == 1
    for name, part in {
        "administrators-own-session": "the administrator sends the statement under test",
        "unknown-id-for-the-administrator": "the administrator sends the statement under test",
        "revoked-privilege-is-gone": "the case sends a REVOKE statement",
        "privilege-through-a-role[created]": "the case sends a CREATE statement",
        "whole-example[another]": "the case creates a user",
        "row-lock-is-free[by-a-change]": "needs a table, and WATCHER can't create one",
        "name-that-begins-like-a-holders": "the case needs names with a common beginning",
        "quoted-name-like-a-holders": "the case needs names with a common beginning or small letters",
        "session-of-a-quoted-user-ends": "the case needs names with a common beginning or small letters",
    }.items():
        assert part in undecided.pop(name)
    assert {"the case sends", "the case creates", "the administrator", "needs a table"} == {
        next(
            start
            for start in ("the case sends", "the case creates", "the administrator", "needs a table")
            if reason.startswith(start)
        )
        for reason in undecided.values()
    }


@pytest.mark.long
@pytest.mark.parametrize("server", [("--defect", "own-session-needs-no-privilege")], indirect=True)
def test_a_deviation_about_privileges_creates_no_user_to_explain_it(server: Server) -> None:
    server.prepare(watches=(*WATCHES, "CREATE USER"))  # without DROP USER: a user that is created stays
    before = server.users()
    done = run_pytest("cases/privilege.yaml", "-q", "--requirement", "PUR-2", *server.options)
    assert done.code == 1, done.screen
    assert "DEVIATES PUR-2" in done.screen
    assert server.users() == before


def test_cases_that_need_only_prepared_accounts_are_exit_code_0(server: Server) -> None:
    server.prepare()
    done = run_pytest(
        "cases/reserved.yaml",
        "-q",
        "--requirement",
        "PAR-3",
        "-k",
        "not decide and not waiting and not pool",
        *server.options,
    )
    assert done.code == 0, done.screen
    assert re.search(r"^  PAR-3  conforms \d+$", done.screen, re.MULTILINE), done.screen


@pytest.mark.long
def test_a_dsns_user_that_may_create_tables_creates_those_that_cases_need(server: Server) -> None:
    server.prepare(watches=(*WATCHES, "CREATE TABLE", "ALTER SYSTEM"))
    server.edit("administrator: false", "administrator: true")  # which two of the cases need
    done = run_pytest("cases/consequences.yaml", "-q", "--requirement", "IMP-5", *server.options)
    assert done.code == 0, done.screen
    assert re.search(r"^  IMP-5  conforms \d+$", done.screen, re.MULTILINE), done.screen
    assert "needs a table" not in done.screen
    assert server.administer("SELECT TABLE_NAME FROM DBA_TABLES WHERE OWNER = 'WATCHER'") == []


def test_the_administrator_is_used_in_cases_if_the_file_permits_it(server: Server) -> None:
    server.prepare(watches=(*WATCHES, "ALTER SYSTEM"))
    server.edit("administrator: false", "administrator: true")
    done = run_pytest("cases", "-q", "-k", "administrators", *server.options)
    assert done.code == 0, done.screen
    assert "PUR-1  conforms 2" in done.screen
    assert "SYN-2  conforms 1" in done.screen


DEFECTS = {"does-nothing": "PUR-1", "needs-no-privilege": "PUR-2"}


@pytest.mark.long
@pytest.mark.parametrize(
    ("server", "requirement"),
    [(("--defect", name), requirement) for name, requirement in DEFECTS.items()],
    ids=list(DEFECTS),
    indirect=["server"],
)
def test_a_defect_deviates_with_prepared_accounts_too(server: Server, requirement: str) -> None:
    server.prepare()
    done = run_pytest("cases", "-q", "--requirement", requirement, "--settle", "1", *server.options)
    assert done.code == 1
    assert f"DEVIATES {requirement} (must)" in done.screen
    assert f"--accounts {server.file}" in done.screen
    assert not any(password in done.screen for password in server.passwords)
    assert done.shows_no_internals()


@pytest.mark.parametrize("server", [("--defect", "locks-the-user-out")], indirect=True)
def test_an_account_that_a_case_locked_out_makes_later_cases_inconclusive(server: Server, tmp_path: Path) -> None:
    server.prepare()
    write_case(tmp_path, KILL + "\nparameters: {which: [first, second, third]}\nnote: ${which}")
    record = tmp_path / "record.json"
    done = run_pytest(*arguments_of(tmp_path), *server.options, "--record", str(record))
    assert [row["verdict"] for row in results(record)] == ["conforms", "inconclusive", "inconclusive"], done.screen
    assert "killer can't log in: error 1045" in str(results(record)[1]["reason"])


# What an account may not be


def test_an_account_with_foreign_sessions_is_not_used(server: Server, tmp_path: Path) -> None:
    server.prepare()
    write_case(tmp_path, KILL)
    users = server.holders()
    record = tmp_path / "record.json"
    strangers = [server.connect(*login) for login in users]
    ids = [str(vars(stranger)["server_thread_id"][0]) for stranger in strangers]
    undecided = run_pytest(*arguments_of(tmp_path), "--settle", "1", *server.options, "--record", str(record))
    (result,) = results(record)
    for stranger in strangers:
        stranger.ping(reconnect=False)  # it goes on
        stranger.close()
    assert undecided.code == 1
    assert result["verdict"] == "inconclusive"
    assert "the prepared account already has other sessions" in str(result["reason"])
    assert set(ids) <= set(result["identifiers"].values())
    assert run_pytest(*arguments_of(tmp_path), *server.options).code == 0


def test_a_run_waits_until_other_sessions_of_its_accounts_are_closed(server: Server, tmp_path: Path) -> None:
    server.prepare()
    write_case(tmp_path, KILL)
    record = tmp_path / "record.json"
    leaving = [server.connect(*login) for login in server.holders()]
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(
            run_pytest, *arguments_of(tmp_path), "--settle", "60", *server.options, "--record", str(record)
        )
        assert eventually(lambda: server.sessions_of("WATCHER"))
        time.sleep(1)
        assert not running.done()
        for session in leaving:
            session.close()
        assert running.result().code == 0, running.result().screen
    assert [row["verdict"] for row in results(record)] == ["conforms"]


def test_of_two_accounts_the_one_without_foreign_sessions_is_used(server: Server, tmp_path: Path) -> None:
    server.prepare()
    write_case(tmp_path, KILL)
    with server.connect(*server.holders()[0]) as stranger:
        assert run_pytest(*arguments_of(tmp_path), *server.options).code == 0
        stranger.ping(reconnect=False)


def test_a_case_with_grants_that_no_account_has_is_inconclusive(server: Server, tmp_path: Path) -> None:
    server.prepare()
    server.edit(r"^.*ALTER SYSTEM\].*\n", "")
    write_case(tmp_path, KILL)
    done = run_pytest(*arguments_of(tmp_path), *server.options)
    assert done.code == 1
    assert "needs a prepared account with ALTER SYSTEM; the accounts file has none" in done.screen


def test_a_case_that_needs_more_accounts_than_exist_is_inconclusive(server: Server, tmp_path: Path) -> None:
    server.prepare()
    write_case(
        tmp_path, KILL + "\nsessions: {killer: {grants: [ALTER SYSTEM]}, victim: {user: killer}, a: {}, b: {}, c: {}}"
    )
    done = run_pytest(*arguments_of(tmp_path), *server.options)
    assert done.code == 1
    assert "needs more accounts without a privilege at a time than the 2 that the accounts file has" in done.screen


def test_a_case_that_sends_a_password_is_not_run(server: Server, tmp_path: Path) -> None:
    server.prepare()
    write_case(tmp_path, "steps:\n  - killer: SELECT '${killer.password}' FROM DUAL\n    reply: rows")
    done = run_pytest(*arguments_of(tmp_path), *server.options)
    assert done.code == 1
    assert "the case sends a password" in done.screen
    assert not any(password in done.screen for password in server.passwords)


def test_workers_share_no_account_and_the_next_worker_gets_the_accounts_of_a_crashed_one() -> None:
    grants = frozenset({"ALTER SYSTEM"})
    made = [PreparedAccount(f"U{number}", "p", grants if number % 2 else frozenset()) for number in range(8)]
    shares = Shares(PreparedAccounts(tuple(made)), 2)
    first, second = (PreparedAccounts.from_plain(shares.give(worker)) for worker in ("gw0", "gw1"))
    assert first.count() == second.count() == {grants: 2, frozenset(): 2}
    assert {*first.accounts, *second.accounts} == {*made}
    shares.take_back("gw1")
    assert PreparedAccounts.from_plain(shares.give("gw2")) == second


# Usage


def test_too_few_accounts_for_the_workers_is_exit_code_4(server: Server) -> None:
    server.prepare()
    done = run_pytest("cases", "-q", "-n", "2", *server.options)
    assert done.code == 4, done.screen
    assert "has too few accounts for 2 workers" in done.screen
    assert "4 with ALTER SYSTEM (the file has 2)" in done.screen
    assert "kill-session-conformance accounts --workers 2" in done.screen
    assert done.shows_no_internals()


def test_a_file_that_other_users_can_read_is_exit_code_4(server: Server) -> None:
    server.prepare()
    server.file.chmod(0o640)
    done = run_pytest("cases", "-q", *server.options)
    assert done.code == 4
    assert f"{server.file}:1:1: contains passwords, and other users can read it (mode 0640)" in done.screen
    assert f"chmod 600 {server.file}" in done.screen
    assert done.shows_no_internals()


SECRET = "s3cret"  # noqa: S105 - must never be shown
ACCOUNT = f"{{user: A, password: {SECRET}, grants: []}}"
BROKEN = {
    "no such key": (f"accounts:\n  - {{user: A, passwort: {SECRET}, grants: []}}", ":3:15: unknown key"),
    "a comma in it": (f"accounts:\n  - {{user: A, password: a,{SECRET}, grants: []}}", ":3:27: unknown key"),
    "a number": ("accounts:\n  - {user: A, password: 7654321, grants: []}", ":3:15: this doesn't fit: expected text"),
    "only the password": (f"accounts:\n  - {SECRET}", ":3:5: this doesn't fit: expected a mapping"),
    "an alias": (f"accounts:\n  - {{user: A, password: *{SECRET}, grants: []}}", ":3:25: broken YAML"),
    "a tag": (f"accounts:\n  - {{user: A, password: !{SECRET} x, grants: []}}", ":3:25: broken YAML"),
    "no grants": (f"accounts:\n  - {{user: A, password: {SECRET}}}", ":3:5: the key 'grants' is missing here"),
    "a user twice": (f"accounts:\n  - {ACCOUNT}\n  - {ACCOUNT}", ":4:6: duplicate user"),
    "a tenant": (f"accounts:\n  - {ACCOUNT.replace('A,', 'A@t,')}", ":3:6: this doesn't fit: it must match"),
    "a privilege that no case grants": (
        f"accounts:\n  - {ACCOUNT.replace('[]', '[ALTER SYTEM]')}",
        ":3:42: no case grants a privilege with this name\n    hint: did you mean 'ALTER SYSTEM'?",
    ),
    "no accounts": ("accounts: []", ":2:1: this doesn't fit: it must not be empty"),
}


@pytest.mark.parametrize(("body", "said"), BROKEN.values(), ids=list(BROKEN))
def test_an_invalid_file_is_exit_code_4_with_its_place_and_without_its_content(
    tmp_path: Path, body: str, said: str
) -> None:
    path = tmp_path / "mine.yaml"
    path.touch(mode=0o600)
    path.write_text(f"format: 1\n{body}\n", encoding="utf-8")
    done = run_pytest("cases/forms.yaml", "--accounts", str(path), "--dsn", "oceanbase://nobody@127.0.0.1:1/")
    assert done.code == 4
    assert f"--accounts: {path}{said}" in done.screen, done.screen
    assert not any(part in done.screen for part in (SECRET, "7654321"))
    assert done.shows_no_internals()


@pytest.mark.parametrize("options", [(), ("--dsn", "oceanbase://nobody@127.0.0.1:1/")], ids=["no server", "no file"])
def test_accounts_without_a_file_or_a_server_are_exit_code_4(tmp_path: Path, options: tuple[str, ...]) -> None:
    path = tmp_path / "mine.yaml"
    if not options:
        path.touch(mode=0o600)
        path.write_text(f"format: 1\naccounts:\n  - {ACCOUNT}\n", encoding="utf-8")
    done = run_pytest("cases/forms.yaml", "--accounts", str(path), *options)
    assert done.code == 4
    assert ("mine.yaml:1:1: can't be read" if options else "name their server with --dsn") in done.screen
    assert done.shows_no_internals()


def test_an_account_that_can_not_log_in_is_exit_code_4(server: Server) -> None:
    server.prepare()
    wrong = server.passwords[0][::-1]
    server.edit(server.passwords[0], wrong)
    done = run_pytest("cases/forms.yaml", *server.options)
    assert done.code == 4
    assert "the prepared account KSC_USER_1 can't log in: error 1045" in done.screen
    assert wrong not in done.screen


@pytest.mark.long
def test_a_dsns_user_that_sees_only_its_own_sessions_is_exit_code_4(server: Server) -> None:
    server.prepare(watches=("CREATE SESSION",))
    done = run_pytest("cases/forms.yaml", "--settle", "1", *server.options)
    assert done.code == 4
    assert "the DSN's user has to see the sessions of all users" in done.screen
    assert done.shows_no_internals()


def test_the_dsns_user_as_a_prepared_account_is_exit_code_4(server: Server) -> None:
    server.prepare()
    server.edit("KSC_USER_1, password: [^,]*", "Watcher, password: watchword")
    done = run_pytest("cases/forms.yaml", *server.options)
    assert done.code == 4
    assert "WATCHER is the DSN's user, which can't be a prepared account" in done.screen
    assert "watchword" not in done.screen


# The command


def test_the_command_writes_a_file_for_its_owner_alone_and_never_over_another(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    first = run_command("accounts", "--out", str(path))
    assert first.code == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    written = path.read_text(encoding="utf-8")
    users = re.findall(r"user: (\w+)", written)
    assert len(users) == len(set(users)) == 5
    assert [created_at(user) for user in users] == [None] * 5  # no sweep takes them for a run's own, forgotten
    second = run_command("accounts", "--out", str(path))
    assert second.code == 4
    assert "mine.yaml:1:1: already exists, and is not overwritten" in second.screen
    assert path.read_text(encoding="utf-8") == written


def test_a_file_that_cannot_be_written_to_its_end_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    no_file_may_grow = f"ulimit -f 0; exec {sys.executable} -m runner accounts --out {path}"
    done = subprocess.run(["sh", "-c", no_file_may_grow], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, path.exists()) == (4, False)
    assert done.stderr.startswith(f"{path}:1:1: can't be written: File too large")


def test_drop_removes_the_prepared_accounts(server: Server) -> None:
    before = server.users()
    server.prepare(workers=2)
    assert len(server.users()) == len(before) + 11
    printed = run_command("accounts", "--drop", str(server.file))
    assert printed.code == 0
    assert not any(password in printed.screen for password in server.passwords)
    server.administer(*statements(printed.screen))
    assert server.users() == sorted([*before, "WATCHER"])


def test_the_sql_has_the_spellings_of_the_profile(tmp_path: Path) -> None:
    printed = run_command("accounts", "--profile", "seekdb", "--out", str(tmp_path / "mine.yaml"))
    assert printed.code == 0
    assert re.search(r"^CREATE USER KSC_USER_1 IDENTIFIED BY '[\w#]+';$", printed.screen, re.MULTILINE)
    assert "ALTER SYSTEM ON" not in printed.screen  # there is no such privilege


@pytest.mark.parametrize("number", ["0", "two", "1000"])
def test_an_invalid_number_of_workers_is_exit_code_4(number: str, tmp_path: Path) -> None:
    done = run_command("accounts", "--workers", number, "--out", str(tmp_path / "mine.yaml"))
    assert done.code == 4
    assert "is not a number of workers" in done.screen
    assert list(tmp_path.iterdir()) == []
