"""A run in several records: a folder with them is one run, if they have each case exactly once."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner.reporting.joined_records import read_run
from runner.reporting.record import RecordError, read_record
from tests.support.paths import CASES
from tests.support.simulator_process import simulator
from tests.support.suite_run import run_command, run_suite

pytestmark = pytest.mark.long

FILES = ("requirements.yaml", "ending.yaml", "forms.yaml")


@pytest.fixture(scope="module")
def halves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the records of two runs, of processes of their own, each with a part of the cases of some files."""
    folder = tmp_path_factory.mktemp("halves")
    cases = tmp_path_factory.mktemp("some") / "cases"
    cases.mkdir()
    for name in FILES:
        shutil.copy(CASES / name, cases)
    with simulator("--defect", "own-session-survives-immediate") as dsn:
        for name, chosen in (("one", "immediate"), ("two", "not immediate")):
            options = ("--dsn", dsn, "--in-flight", "16", "-k", chosen)
            run_suite(folder / f"{name}.json", *options, cases=cases)
    return folder


@pytest.fixture
def folder(halves: Path, tmp_path: Path) -> Path:
    """A copy of them, to change."""
    for file in halves.iterdir():
        (tmp_path / file.name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    return tmp_path


def change(file: Path, how: Callable[[dict[str, Any]], None]) -> None:
    """Changes a record."""
    data = json.loads(file.read_text(encoding="utf-8"))
    how(data)
    file.write_text(json.dumps(data), encoding="utf-8")


def test_two_records_with_each_case_once_are_one_run(halves: Path) -> None:
    one, two = (read_record(halves / f"{name}.json") for name in ("one", "two"))
    whole = read_run(halves)
    assert len(whole.results) == whole.run.cases == len(one.results) + len(two.results)
    assert not whole.run.not_run
    assert set(one.run.not_run) == {result.name for result in two.results}
    assert whole.run.started == min(one.run.started, two.run.started)
    assert whole.run.workers == 2
    assert whole.run.exit_code == max(one.run.exit_code or 0, two.run.exit_code or 0) == 1
    places = [result.place for result in whole.results]
    assert [place.partition(":")[0] for place in places] == sorted(place.partition(":")[0] for place in places)


def test_report_diff_and_baseline_accept_the_folder(halves: Path, tmp_path: Path) -> None:
    rendered = run_command("report", halves, "--out", tmp_path / "pages")
    assert rendered.code == 0, rendered.err
    assert "does not conform" in rendered.out
    assert "cases were run" not in (tmp_path / "pages" / "index.html").read_text(encoding="utf-8")
    same = run_command("diff", halves, halves)
    assert same.code == 0, same.err
    listed = run_command("baseline", halves)
    assert listed.code == 0, listed.err
    wrong = [result for result in read_run(halves).results if result.verdict.value == "deviates"]
    assert f"{len(wrong)} listed" in listed.err
    assert all(result.case_id in listed.out for result in wrong)


def test_a_case_in_two_records_is_refused_with_its_name_and_the_files(folder: Path) -> None:
    (folder / "again.json").write_text((folder / "one.json").read_text(encoding="utf-8"), encoding="utf-8")
    count = len(read_record(folder / "one.json").results)
    with pytest.raises(
        RecordError, match=rf"{count} cases in more than one record: .* \(again.json, one.json\).* more"
    ):
        read_run(folder)
    done = run_command("report", folder, "--out", folder / "pages")
    assert done.code == 4
    assert "Traceback" not in done.err


def test_a_case_in_no_record_is_refused_with_its_name(folder: Path) -> None:
    name = read_record(folder / "two.json").results[7].name
    change(folder / "two.json", lambda data: data["results"].pop(7))
    with pytest.raises(RecordError) as refused:
        read_run(folder)
    assert f"1 case in none of 2 records: {name}. Add the record of the missing part" in str(refused.value)


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [("run", "cases_digest", "sha256:0"), ("run", "settle", 3.0), ("target", "version", "9.9")],
)
def test_records_of_different_runs_are_refused_with_the_difference(
    folder: Path, part: str, key: str, value: object
) -> None:
    change(folder / "two.json", lambda data: data[part].update({key: value}))
    with pytest.raises(RecordError, match=f"one.json and two.json are not parts of one run: they differ in {key}"):
        read_run(folder)


def test_a_part_that_was_cut_off_is_refused(folder: Path) -> None:
    change(folder / "two.json", lambda data: data["run"].update(complete=False))
    with pytest.raises(RecordError, match=r"two\.json: the run was cut off"):
        read_run(folder)


def test_a_folder_without_records_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="contains no record"):
        read_run(tmp_path)
