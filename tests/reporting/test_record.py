"""The record of a run: what ``--record`` writes, and what is read back or refused."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.reporting.record import RecordError, read_record
from runner.reporting.written_file import write_whole
from tests.support.eventually import PATIENCE, eventually
from tests.support.simulator_process import SimulatorProcess
from tests.support.suite_run import run_pytest, run_suite, start_pytest

FEW = ("--requirement", "SYN-2", "--requirement", "EXA-1", "--requirement", "EXA-4", "--requirement", "IMP-1")
TIMES = {"started", "finished", "at_ms", "took_ms", "connection_ms", "row_ms", "seconds"}
SECRET = "s3cretWord"  # noqa: S105 - must not be found anywhere


@pytest.fixture(scope="module")
def dsn() -> Iterator[str]:
    simulator = SimulatorProcess("--admin-password", SECRET)
    yield simulator.dsn
    simulator.stop()


def without_times(value: Any) -> Any:
    if isinstance(value, list):
        return [without_times(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {name: without_times(item) for name, item in value.items() if name not in TIMES | {"identifiers", "workers"}}


def test_a_run_is_recorded_with_target_run_and_evidence(dsn: str, tmp_path: Path) -> None:
    file = tmp_path / "r.json"
    done = run_suite(file, "--dsn", dsn, *FEW)
    assert done.code == 0
    record = read_record(file)
    assert record.target.flavour == "OceanBase"
    assert record.target.version.startswith("5.7.25")
    assert record.target.profile == "oceanbase-oracle"
    assert record.target.route == "direct"
    assert record.target.tls is None
    assert record.target.host is None
    assert record.run.complete
    assert record.run.exit_code == 0
    assert record.run.cases > len(record.results) > 0
    assert record.run.cases_digest.startswith("sha256:")
    assert record.run.finished is not None
    assert record.run.started < record.run.finished
    assert {result.requirement for result in record.results} == {"SYN-2", "EXA-1", "EXA-4", "IMP-1"}
    kill = next(result for result in record.results if result.name == "plain-form")
    said = [event.text for event in kill.transcript if event.kind == "sends"]
    assert "ALTER SYSTEM KILL SESSION '<id of victim>'" in said
    assert kill.identifiers["id of victim"].isdecimal()
    assert [ending.session for ending in kill.endings] == ["victim"]


def test_identical_runs_give_identical_records_but_for_times_with_workers_and_without(dsn: str, tmp_path: Path) -> None:
    few = (*FEW, "-k", "not killed-itself")  # whether its row or its reply is noticed first is up to the server
    alone, together = tmp_path / "alone.json", tmp_path / "together.json"
    assert run_suite(alone, "--dsn", dsn, *few).code == 0
    assert run_suite(together, "--dsn", dsn, *few, "-n", "3").code == 0
    one, other = (without_times(json.loads(path.read_text(encoding="utf-8"))) for path in (alone, together))
    assert one == other
    assert json.dumps(one) == json.dumps(other), "the order counts, too"


def test_no_password_is_in_a_record(dsn: str, tmp_path: Path) -> None:
    file = tmp_path / "r.json"
    assert run_suite(file, "--dsn", dsn, "--requirement", "EXA-1", "--requirement", "PUR-2").code == 0
    text = file.read_text(encoding="utf-8")
    assert SECRET not in text
    assert "IDENTIFIED BY <password>" in text
    assert 'IDENTIFIED BY \\"<password>\\"' in text
    assert not re.search(r"\b(?:p|Kc)[0-9a-f]{16}", text)


def test_the_host_is_recorded_on_request_and_a_name_if_it_is_given(dsn: str, tmp_path: Path) -> None:
    plain, told = tmp_path / "plain.json", tmp_path / "told.json"
    run_suite(plain, "--dsn", dsn, "--requirement", "SYN-2")
    run_suite(told, "--dsn", dsn, "--requirement", "SYN-2", "--record-host", "--target-name", "Ours 1.0")
    port = re.search(r":(\d+)/", dsn)
    assert port is not None
    assert f"127.0.0.1:{port[1]}" not in plain.read_text(encoding="utf-8")
    assert read_record(told).target.name == "Ours 1.0"
    assert read_record(told).target.host == f"127.0.0.1:{port[1]}/"


def test_the_activity_of_other_runs_is_not_in_a_record(dsn: str, tmp_path: Path) -> None:
    foreign = start_pytest("cases", "--dsn", dsn, "-q")
    try:
        file = tmp_path / "r.json"
        run_suite(file, "--dsn", dsn, "--requirement", "EXA-4")
    finally:
        foreign.send_signal(signal.SIGKILL)
        foreign.exit_code(PATIENCE)
    for result in read_record(file).results:
        for event in result.transcript:
            assert "KSC_" not in event.text, event.text  # every name of this run has a placeholder


def test_a_run_that_is_killed_leaves_a_record_that_is_refused_as_complete(dsn: str, tmp_path: Path) -> None:
    file = tmp_path / "r.json"
    run = start_pytest("cases", "--dsn", dsn, "--record", str(file))
    try:
        assert eventually(file.exists)
    finally:
        run.send_signal(signal.SIGKILL)
        run.exit_code(PATIENCE)
    with pytest.raises(RecordError, match="cut off"):
        read_record(file)
    assert not read_record(file, cut_off=True).run.complete


@pytest.mark.long
def test_a_run_that_stops_at_the_first_failure_is_cut_off(tmp_path: Path) -> None:
    simulator = SimulatorProcess("--defect", "does-nothing")
    file = tmp_path / "r.json"
    try:
        done = run_suite(file, "--dsn", simulator.dsn, "--requirement", "PUR-1", "--settle", "1", "-x")
    finally:
        simulator.stop()
    assert done.code == 1
    with pytest.raises(RecordError, match="cut off"):
        read_record(file)


def test_a_target_that_cannot_be_reached_leaves_the_old_record(tmp_path: Path) -> None:
    file = tmp_path / "r.json"
    file.write_text("old", encoding="utf-8")
    assert run_pytest("cases", "--record", str(file), "--dsn", "oceanbase://x:y@127.0.0.1:1/").code == 4
    assert file.read_text(encoding="utf-8") == "old"


def test_a_file_is_written_as_a_whole_behind_its_link(tmp_path: Path) -> None:
    file, link = tmp_path / "r.json", tmp_path / "last.json"
    file.write_text("old", encoding="utf-8")
    link.symlink_to(file)
    write_whole(link, "new")
    with pytest.raises(OSError, match="too long"):
        write_whole(tmp_path / ("x" * 253), "new")
    assert (link.is_symlink(), file.read_text(encoding="utf-8"), len(list(tmp_path.iterdir()))) == (True, "new", 2)


REFUSED = {
    "nothing": ("", "not valid JSON"),
    "half a record": ('{"format": 1, "target": ', "not valid JSON"),
    "a list": ("[]", "the number 'format' is missing"),
    "another document": ('{"name": "x"}', "the number 'format' is missing"),
    "a truth": ('{"format": true}', "the number 'format' is missing"),
    "a newer format": ('{"format": 99}', "Install a newer version"),
    "a format alone": ('{"format": 1}', "is not a valid record of format 1"),
    "far too deep": ("[" * 100_000, "not valid JSON"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_invalid_record_is_refused_with_a_message(name: str, tmp_path: Path) -> None:
    text, said = REFUSED[name]
    file = tmp_path / "r.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(RecordError, match=said) as refused:
        read_record(file)
    assert str(file) in str(refused.value)


def test_a_record_whose_parts_were_changed_is_refused_with_the_place(dsn: str, tmp_path: Path) -> None:
    file = tmp_path / "r.json"
    run_suite(file, "--dsn", dsn, "--requirement", "SYN-2")
    data = json.loads(file.read_text(encoding="utf-8"))
    data["results"][0]["verdict"] = "fine"
    file.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(RecordError, match=re.escape(".results[0].verdict")):
        read_record(file)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="can't be read"):
        read_record(tmp_path / "none.json")


@pytest.mark.long
def test_a_user_that_could_not_be_created_has_a_placeholder_in_a_record(tmp_path: Path) -> None:
    simulator = SimulatorProcess("--defect", "create-user-fails")
    file = tmp_path / "r.json"
    try:
        run_suite(file, "--dsn", simulator.dsn, "--requirement", "PUR-1")
    finally:
        simulator.stop()
    without_users = "another-session-of-the-administrator-ends"
    results = [result for result in read_record(file).results if result.case_id != without_users]
    undecided = [result for result in results if result.verdict.value == "inconclusive"]
    assert undecided
    for result in undecided:
        assert "CREATE USER <user of " in result.reason
        assert "KSC_" not in result.reason
