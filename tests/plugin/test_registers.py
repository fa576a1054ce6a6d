"""Several registers in one run: each case is judged by its own register's words, and the results count together."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from runner.database.dsn import Dsn
from runner.database.outcome import Ok, Rows
from runner.database.session import Login, Session
from tests.plugin.written_cases import arguments_of, write_case
from tests.support.eventually import PATIENCE
from tests.support.recording_proxy import RecordingProxy
from tests.support.simulator_process import SimulatorProcess
from tests.support.suite_run import SuiteRun, run_command, run_pytest

ORACLE_MODE = 1 << 27

REGISTER = """\
format: 1
source: {title: another page}
requirements:
  CAN-1: {level: must, text: "the statement cancels what the named session runs"}
  CAN-2: {level: must, text: "an id that no session has is an error"}
errors: {syntax: not in the grammar}
words: {}
guarded: CANCEL
harmless: [SELECT]
"""

CASES = """\
format: 1
sessions: {one: {}, other: {user: one}}
cases:
  - id: cancel-own
    requirement: CAN-1
    title: a statement that names an own session
    steps:
      - one: CANCEL QUERY '${other.id}'
        reply: [ok, syntax]
  - id: cancel-foreign
    requirement: CAN-2
    title: a statement that names a foreign session
    steps:
      - one: CANCEL QUERY 'FOREIGN'
        reply: [ok, syntax]
"""


@dataclass(frozen=True)
class Setup:
    """Two folders of cases, each with a register, and a server on which somebody else has a session."""

    folder: Path
    tap: RecordingProxy
    foreign: str
    session: Session

    def run(self, *folders: str, options: tuple[str, ...] = ()) -> SuiteRun:
        settings, paths = arguments_of(self.folder)[:-1], [str(self.folder / folder / "cases") for folder in folders]
        dsn = f"mysql://{self.tap.dsn.user}:{self.tap.dsn.password}@127.0.0.1:{self.tap.dsn.port}/"
        return run_pytest(*settings, *paths, "--dsn", dsn, *options)

    def record(self, *folders: str, options: tuple[str, ...] = ()) -> dict[str, Any]:
        path = self.folder / "record.json"
        done = self.run(*folders, options=("--record", str(path), *options))
        assert path.exists(), done.screen
        read: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return read


@pytest.fixture
def setup(tmp_path: Path) -> Iterator[Setup]:
    simulator = SimulatorProcess()
    with contextlib.ExitStack() as stack:
        stack.callback(simulator.stop)
        dsn = Dsn.parse(simulator.dsn)
        session = Session(Login(dsn, dsn.user, dsn.password, ORACLE_MODE))
        assert session.open(PATIENCE) == Ok()
        stack.callback(session.close)
        shown = session.execute("SHOW PROCESSLIST", PATIENCE)
        assert isinstance(shown, Rows)
        (foreign,) = [str(row[0]) for row in shown.values if row[2] == session.local_address]
        tap = RecordingProxy(dsn)
        stack.callback(tap.close)
        (tmp_path / "page").mkdir()
        write_case(tmp_path / "page", "steps:\n  - killer: ALTER SYSTEM KILL SESSION '${victim.id}'\nends: [victim]")
        write_other(tmp_path / "other", CASES.replace("FOREIGN", foreign))
        yield Setup(tmp_path, tap, foreign, session)


def write_other(folder: Path, cases: str = CASES, register: str = REGISTER) -> None:
    (folder / "cases").mkdir(parents=True)
    (folder / "cases" / "requirements.yaml").write_text(register, "utf-8")
    (folder / "cases" / "cancel.yaml").write_text(cases, "utf-8")


@pytest.mark.parametrize("folders", [("other",), ("page", "other"), ("other", "page")], ids="+".join)
def test_a_foreign_id_is_never_sent_whichever_registers_run_together(setup: Setup, folders: tuple[str, ...]) -> None:
    record = setup.record(*folders)
    verdicts = {row["name"]: (row["verdict"], row["reason"]) for row in record["results"]}
    verdict, reason = verdicts["cancel-foreign"]
    assert (verdict, "not sent" in reason) == ("inconclusive", True), reason
    assert f"'{setup.foreign}'".encode() not in setup.tap.heard
    assert b"CANCEL QUERY" in setup.tap.heard, "the own session's id has to pass, or the test shows nothing"
    assert verdicts["cancel-own"][0] == "conforms"
    assert verdicts.get("the-case", ("conforms",))[0] == "conforms"
    assert isinstance(setup.session.execute("SELECT 1 FROM DUAL", PATIENCE), Rows)


@pytest.mark.long
def test_workers_judge_each_register_by_its_own_words_too(setup: Setup) -> None:
    record = setup.record("page", "other", options=("-n", "2"))
    (row,) = [row for row in record["results"] if row["name"] == "cancel-foreign"]
    assert (row["verdict"], "not sent" in row["reason"]) == ("inconclusive", True)
    assert f"'{setup.foreign}'".encode() not in setup.tap.heard


def test_screen_and_record_count_the_cases_of_both_registers(setup: Setup) -> None:
    path = setup.folder / "record.json"
    done = setup.run("page", "other", options=("--record", str(path)))
    assert done.code == 1, done.screen
    assert all(cell in done.screen for cell in ("SYN-2  conforms 1", "CAN-1  conforms 1", "CAN-2  INCONCLUSIVE 1"))
    record = json.loads(path.read_text("utf-8"))
    assert {"SYN-2", "CAN-1", "CAN-2"} <= {row["id"] for row in record["requirements"]}
    assert (record["run"]["cases"], len(record["results"])) == (3, 3)
    site = setup.folder / "site"
    assert run_command("report", str(path), "--out", str(site)).code == 0
    assert "CAN-1" in (site / "report.md").read_text("utf-8")
    assert run_command("diff", str(path), str(path)).code == 0
    assert run_command("baseline", str(path), "--out", str(setup.folder / "known.yaml"), "--inconclusive").code == 0
    assert "cancel-foreign" in (setup.folder / "known.yaml").read_text("utf-8")


def test_the_digest_is_of_all_registers_in_any_order_and_of_one_alone_as_before(setup: Setup) -> None:
    def digest(*folders: str) -> str:
        text = setup.record(*folders, options=("--requirement", "CAN-1"))["run"]["cases_digest"]
        return str(text)

    both, reverse, one = digest("page", "other"), digest("other", "page"), digest("other")
    assert both == reverse
    expected = hashlib.sha256()
    for name in ("requirements.yaml", "cancel.yaml"):
        content = (setup.folder / "other" / "cases" / name).read_bytes()
        expected.update(f"{name} {len(content)}\n".encode() + content)
    assert one == f"sha256:{expected.hexdigest()}"
    assert both != one


def test_requirements_of_each_register_can_be_chosen(setup: Setup) -> None:
    record = setup.record("page", "other", options=("--requirement", "CAN-1", "--requirement", "SYN-2"))
    assert [row["name"] for row in record["results"]] == ["cancel-own", "the-case"]


def test_a_list_of_known_deviations_may_name_cases_of_both(setup: Setup) -> None:
    known = setup.folder / "known.yaml"
    known.write_text(
        "format: 1\ndeviations:\n"
        "  - {case: cancel-foreign, verdict: inconclusive, reason: the id is somebody else's}\n",
        "utf-8",
    )
    done = setup.run("page", "other", options=("--known-deviations", str(known)))
    assert done.code == 0, done.screen
    assert "undecided, known (1 case listed, 2 conform)" in done.screen


def test_the_doctor_examines_for_the_cases_of_all_registers_that_are_named(setup: Setup) -> None:
    dsn = f"mysql://{setup.tap.dsn.user}:{setup.tap.dsn.password}@127.0.0.1:{setup.tap.dsn.port}/"
    folders = [part for name in ("page", "other") for part in ("--cases", str(setup.folder / name / "cases"))]
    done = run_command("doctor", "--dsn", dsn, *folders)
    assert (done.code, "3 of 3 cases can be decided" in done.screen) == (0, True), done.screen
    shown = run_command("explain", "CAN-1", *folders)
    assert (shown.code, "cancel-own" in shown.screen) == (0, True), shown.screen


def test_a_requirement_with_two_meanings_is_refused_with_both_places(tmp_path: Path) -> None:
    write_other(tmp_path / "one")
    write_other(
        tmp_path / "two", CASES.replace("id: cancel", "id: stop"), REGISTER.replace("an id that", "a number that")
    )
    paths = [str(tmp_path / name / "cases") for name in ("one", "two")]
    done = run_pytest(*arguments_of(tmp_path)[:-1], *paths)
    assert (done.code, done.shows_no_internals()) == (4, True), done.screen
    assert f"{paths[1]}/requirements.yaml:5:3: the requirement CAN-2 has another level or text in" in done.screen
    assert f"{paths[0]}/requirements.yaml:5:3" in done.screen
    assert run_command("lint", *paths).code == 1


def test_a_requirement_with_the_same_meaning_in_both_is_one_requirement(setup: Setup) -> None:
    write_other(setup.folder / "again", CASES.replace("id: cancel", "id: stop").replace("FOREIGN", setup.foreign))
    record = setup.record("other", "again", options=("--requirement", "CAN-1"))
    assert [(row["name"], row["verdict"]) for row in record["results"]] == [
        ("stop-own", "conforms"),
        ("cancel-own", "conforms"),
    ]


@pytest.mark.parametrize("chosen", ["outer", "inner", "both"])
def test_a_register_inside_another_ones_folder_is_refused_with_both_places(tmp_path: Path, chosen: str) -> None:
    outer, inner = tmp_path / "cases", tmp_path / "cases" / "more" / "cases"
    write_other(tmp_path)
    write_other(inner.parent)  # a copy: also all its ids stand twice, which is not the point
    paths = {"outer": [outer / "cancel.yaml"], "inner": [inner], "both": [outer]}[chosen]
    done = run_pytest(*arguments_of(tmp_path)[:-1], *map(str, paths))
    assert (done.code, done.shows_no_internals()) == (4, True), done.screen
    assert f"{inner}/requirements.yaml:1:1: this register is in the folder of another register" in done.screen
    assert f"{outer}/requirements.yaml:1:1" in done.screen


def test_a_file_of_another_tool_that_has_a_registers_name_is_no_register(setup: Setup) -> None:
    (setup.folder / "requirements.yaml").write_text("collections: [community.mysql]\n", "utf-8")
    assert len(setup.record("other")["results"]) == 2
