"""``baseline``: a list of known deviations from a record, which passes once its reasons are written."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from runner.gating.known_deviations import read_known_deviations
from tests.gating.few_cases import read, run_cases
from tests.support.suite_run import run_command


@pytest.fixture
def record(all_verdicts: Path, tmp_path: Path) -> Path:
    shutil.copytree(all_verdicts.parent / "cases", tmp_path / "cases")
    return Path(shutil.copy(all_verdicts, tmp_path))


@pytest.mark.long
def test_a_run_passes_with_its_own_baseline_and_reasons(record: Path, dsn: str) -> None:
    folder = record.parent
    written = run_command("baseline", "r.json", "--out", "known.yaml", "--inconclusive", folder=folder)
    assert written.code == 0
    assert "6 listed; 6 without a reason: replace each TODO" in written.screen
    refused = run_cases(folder, dsn, "--known-deviations", "known.yaml")
    assert refused.code == 4
    path = folder / "known.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("TODO", "bug 7"), encoding="utf-8")
    done = run_cases(folder, dsn, "--known-deviations", "known.yaml", "--strict")
    assert done.code == 0, done.screen


def test_inconclusive_cases_are_omitted_and_counted(record: Path) -> None:
    done = run_command("baseline", "r.json", folder=record.parent)
    assert done.code == 0
    assert "2 inconclusive left out (--inconclusive lists them)" in done.screen
    assert "must-undecided" not in done.screen
    assert '- case: "must-deviates"' in done.screen


def test_a_case_that_killed_an_unrelated_session_is_listed_with_a_warning(record: Path) -> None:
    run_command("baseline", "r.json", "--out", "known.yaml", folder=record.parent)
    entries = read_known_deviations(record.parent / "known.yaml", unfinished=True).entries
    assert [entry.subject for entry in entries if entry.safety] == ["should-harms"]
    assert [entry.reason for entry in entries if "unrelated session" in entry.reason] == [
        "TODO: an unrelated session was killed; accept this only with a good reason"
    ]


def test_a_file_is_not_overwritten_without_force(record: Path) -> None:
    folder = record.parent
    path = folder / "known.yaml"
    path.write_text("mine", encoding="utf-8")
    done = run_command("baseline", "r.json", "--out", "known.yaml", folder=folder)
    assert (done.code, path.read_text(encoding="utf-8")) == (4, "mine")
    assert "known.yaml exists: --update keeps its reasons, --force overwrites it" in done.screen
    assert run_command("baseline", "r.json", "--out", "known.yaml", "--force", folder=folder).code == 0
    assert "must-deviates" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["none.json"], "can't be read"),
        (["x" * 300], "can't be read: File name too long"),
        ([""], "the value is empty"),
        (["r.json", "--out", "x" * 300], "can't be written: File name too long"),
        (["r.json", "--update"], "name it with --out"),
        (["r.json", "--update", "--force", "--out", "x.yaml"], "choose one"),
        (["r.json", "--out", "no/folder/x.yaml"], "can't be written"),
        (["r.json", "--update", "--out", "none.yaml"], "can't be read"),
    ],
)
def test_wrong_files_and_options_are_bad_usage(record: Path, options: list[str], said: str) -> None:
    done = run_command("baseline", *options, folder=record.parent)
    assert done.code == 4
    assert said in done.screen
    assert "Traceback" not in done.screen


def test_an_update_keeps_valid_entries_drops_stale_ones_and_asks_for_reasons_of_changed_ones(record: Path) -> None:
    folder = record.parent
    (folder / "known.yaml").write_text(
        """format: 1
deviations:
  - {case: must-deviates, actual: 'OK, 0', reason: 'kept: "so"', link: 'https://example.org/1', expires: 2099-01-01}
  - {case: 'should-deviates[one]', actual: error 1, reason: it was an error}
  - {case: must-conforms, actual: OK, reason: over}
  - {case: not-run, actual: OK, reason: who knows}
  - {case: must-conforms, actual: OK, versions: {from: 99}, reason: another version}
  - {requirement: IMP-1, actual_pattern: '^lost: \\w+', safety: true, reason: all of it}
""",
        encoding="utf-8",
    )
    assert run_command("baseline", "r.json", "--out", "known.yaml", "--update", folder=folder).code == 0
    entries = {entry.reason: entry for entry in read_known_deviations(folder / "known.yaml", unfinished=True).entries}
    subjects = {reason: entry.subject for reason, entry in entries.items()}
    assert subjects == {
        'kept: "so"': "must-deviates",
        "TODO: the case fails in another way now; the reason before: it was an error": "should-deviates[one]",
        "TODO": "should-deviates[two]",
        "who knows": "not-run",
        "another version": "must-conforms",
        "all of it": "IMP-1",
    }
    kept = entries['kept: "so"']
    assert (kept.actual, kept.link, str(kept.expires)) == ("OK, 0", "https://example.org/1", "2099-01-01")
    assert str(entries["another version"].versions) == '{from: "99"}'


def test_texts_of_servers_are_written_and_read_unchanged(record: Path) -> None:
    odd = "a \"b\" 'c' \\ # : {x}\ttab \u2028 \x7f \U0001f600 \x85 äöü " + "long " * 100
    data = read(record)
    for result in data["results"]:
        if result["name"] == "must-deviates":
            result["actual"] = odd
    record.write_text(json.dumps(data), encoding="utf-8")
    run_command("baseline", "r.json", "--out", "known.yaml", folder=record.parent)
    entries = read_known_deviations(record.parent / "known.yaml", unfinished=True).entries
    assert next(entry.actual for entry in entries if entry.subject == "must-deviates") == odd
