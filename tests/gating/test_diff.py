"""``diff``: what it tells of two records, and what fails a build."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner.gating.change_policy import DEFAULT_POLICY, ChangePolicy, ChangePolicyError
from runner.gating.difference import Change, ChangeKind, compare
from runner.language.model import Level
from runner.reporting.record import read_record
from tests.gating.few_cases import read
from tests.support.suite_run import SuiteRun, run_command

MUST, SHOULD, OBSERVE = Level


def diff(old: Path, new: Path, *options: str) -> SuiteRun:
    return run_command("diff", str(old), str(new), *options, folder=old.parent)


def changes(old: Path, new: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(diff(old, new, "--format", "json").screen)["changes"]
    return found


@pytest.mark.long
def test_two_runs_of_one_target_do_not_differ(records: dict[str, Path], sound_again: Path) -> None:
    done = diff(records["sound"], sound_again)
    assert done.code == 0
    assert "passes (no differences; " in done.screen
    assert "regressed" not in done.screen


@pytest.mark.long
def test_a_defect_is_a_regression_and_its_end_a_fix(records: dict[str, Path]) -> None:
    worse, better = diff(records["sound"], records["errs"]), diff(records["errs"], records["sound"])
    assert (worse.code, better.code) == (1, 0)
    assert "regressed: " in worse.screen
    assert "conforms -> deviates: error " in worse.screen
    assert "fixed: " in better.screen
    assert "regressed: " not in better.screen
    count = len([row for row in read(records["errs"])["results"] if row["verdict"] == "deviates"])
    assert count > 1
    assert f"({count} regressed" in worse.screen
    assert f"({count} fixed" in better.screen
    assert len(worse.screen.splitlines()) <= 40, "one screen"


def test_another_error_is_a_change_and_fails_only_with_the_policy_for_changes(records: dict[str, Path]) -> None:
    done = diff(records["a-row-affected"], records["errs"], "--fail-on", "none")
    assert done.code == 0
    rows = [row for row in changes(records["a-row-affected"], records["errs"]) if row["kind"] == "changed"]
    assert "1 row" in rows[0]["was"]
    assert rows[0]["actual"].startswith("error ")
    assert diff(records["a-row-affected"], records["errs"], "--fail-on", "changed").code == 1


def test_other_observations_are_shown_and_never_fail_by_default(records: dict[str, Path], tmp_path: Path) -> None:
    new = edited(records["sound"], tmp_path, lambda data: row(data, "second-kill").update(observed={"it waits": 1}))
    assert [(entry["kind"], entry["subject"]) for entry in changes(records["sound"], new)] == [
        ("observed", "second-kill")
    ]
    assert diff(records["sound"], new).code == 0


def edited(record: Path, folder: Path, edit: Callable[[dict[str, Any]], object]) -> Path:
    data = copy.deepcopy(read(record))
    edit(data)
    path = folder / "edited.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def row(data: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(row for row in data["results"] if row["name"] == name)
    return found


CASE = "own-session-is-not-refused"  # EXA-6, a should

FAILING = "plain-form"  # of the defects

TURNS = {
    ("conforms", "deviates"): "regressed",
    ("conforms", "inconclusive"): "inconclusive",
    ("conforms", "not applicable"): "exempted",
    ("conforms", "observed"): None,
    ("deviates", "conforms"): "fixed",
    ("deviates", "inconclusive"): "inconclusive",
    ("deviates", "observed"): "fixed",
    ("deviates", "not applicable"): "exempted",
    ("inconclusive", "conforms"): "decided",
    ("inconclusive", "deviates"): "decided",
    ("inconclusive", "observed"): "decided",
    ("inconclusive", "not applicable"): "exempted",
    ("observed", "conforms"): None,
    ("observed", "deviates"): "regressed",
    ("observed", "inconclusive"): "inconclusive",
    ("observed", "not applicable"): "exempted",
    ("not applicable", "conforms"): "applies",
    ("not applicable", "deviates"): "applies",
    ("not applicable", "inconclusive"): "applies",
    ("not applicable", "observed"): "applies",
    **{(same, same): None for same in ("conforms", "deviates", "inconclusive", "observed", "not applicable")},
}


@pytest.mark.parametrize(("turn", "kind"), TURNS.items(), ids=str)
def test_every_change_of_a_verdict_has_its_kind(
    records: dict[str, Path], tmp_path: Path, turn: tuple[str, str], kind: str | None
) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    first.mkdir()
    second.mkdir()
    old = edited(records["sound"], first, lambda data: row(data, CASE).update(verdict=turn[0]))
    new = edited(records["sound"], second, lambda data: row(data, CASE).update(verdict=turn[1]))
    found = compare(read_record(old), read_record(new)).changes
    assert [(change.kind.value, change.subject) for change in found] == ([(kind, CASE)] if kind else [])


SAME_FAILURE = {
    "another time": ({"actual": "no reply within 2 s"}, {"actual": "no reply within 10 s"}, None),
    "another made-up name": ({"reason": "no user KSC_ABC_1"}, {"reason": "no user KSC_XYZ_2"}, None),
    "another error": ({"actual": "error 1"}, {"actual": "error 2"}, "changed"),
    "another phase": ({"expected": "the first step"}, {"expected": "the second step"}, "changed"),
    "harm as well": ({"safety": False}, {"safety": True}, "regressed"),
    "no more harm": ({"safety": True}, {"safety": False}, "changed"),
}


@pytest.mark.parametrize(("was", "is_", "kind"), SAME_FAILURE.values(), ids=list(SAME_FAILURE))
def test_a_failure_is_compared_by_its_result_without_times_and_generated_names(
    records: dict[str, Path], tmp_path: Path, was: dict[str, Any], is_: dict[str, Any], kind: str | None
) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    first.mkdir()
    second.mkdir()
    old = edited(records["sound"], first, lambda data: row(data, CASE).update(verdict="deviates", **was))
    new = edited(records["sound"], second, lambda data: row(data, CASE).update(verdict="deviates", **is_))
    assert [entry["kind"] for entry in changes(old, new)] == ([kind] if kind else [])


def test_a_failing_case_that_is_removed_is_no_fix_and_one_that_is_added_no_regression(
    records: dict[str, Path], tmp_path: Path
) -> None:
    def without(data: dict[str, Any]) -> None:
        data["results"] = [result for result in data["results"] if result["name"] != FAILING]
        data["run"]["cases_digest"] = "sha256:other"

    fewer = edited(records["errs"], tmp_path, without)
    removed, added = diff(records["errs"], fewer), diff(fewer, records["errs"])
    assert (removed.code, added.code) == (0, 0)
    assert "(1 removed; " in removed.screen
    assert f"{FAILING}: deviates" in removed.screen
    assert "fixed" not in removed.screen.replace("fixes nothing", "")
    assert "(1 added; " in added.screen
    assert "the case files differ" in added.screen


def test_a_requirements_new_level_is_reported_once(records: dict[str, Path], tmp_path: Path) -> None:
    def sharpen(data: dict[str, Any]) -> None:
        next(entry for entry in data["requirements"] if entry["id"] == "EXA-6")["level"] = "must"
        for result in data["results"]:
            if result["requirement"] == "EXA-6":
                result["level"] = "must"

    new = edited(records["sound"], tmp_path, sharpen)
    found = changes(records["sound"], new)
    assert [(entry["kind"], entry["subject"], entry["before"], entry["after"]) for entry in found] == [
        ("level", "EXA-6", "should", "must")
    ]
    assert "EXA-6: should -> must" in diff(records["sound"], new).screen


def test_the_head_lists_the_differences_of_the_runs(records: dict[str, Path], tmp_path: Path) -> None:
    def other(data: dict[str, Any]) -> None:
        data["target"].update(name="Other 2.0", version="2.0", profile="mariadb")
        data["run"].update(suite="9.9", settle=7)

    screen = diff(records["sound"], edited(records["sound"], tmp_path, other)).screen
    for said in ("-> Other 2.0", "profile: oceanbase-oracle -> mariadb", "suite: ", "-> 9.9", "settle: 1 s -> 7 s"):
        assert said in screen, said
    assert "case files differ" not in screen


def test_markdown_shows_texts_of_servers_as_plain_text(records: dict[str, Path], tmp_path: Path) -> None:
    evil = "| <img src=x> @everyone `a` **b** http://example.org #1"
    new = edited(records["sound"], tmp_path, lambda data: row(data, CASE).update(verdict="deviates", actual=evil))
    done = diff(records["sound"], new, "--format", "markdown")
    assert done.code == 1
    line = next(line for line in done.screen.splitlines() if CASE in line)
    assert line.count("|") == 6
    for raw in ("<img", "@", "`", "**", "://", " #1"):
        assert raw not in line, raw


def test_the_order_is_the_same_each_time(records: dict[str, Path]) -> None:
    first, second = (diff(records["sound"], records["errs"], "--format", "json").screen for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "can't be read"), ("{}", "the number 'format' is missing"), ("cut off", "the run was cut off")],
)
def test_an_invalid_record_is_bad_usage(
    records: dict[str, Path], tmp_path: Path, content: str | None, said: str
) -> None:
    bad = tmp_path / "bad.json"
    if content == "cut off":
        bad = edited(records["sound"], tmp_path, lambda data: data["run"].update(complete=False))
    elif content is not None:
        bad.write_text(content, encoding="utf-8")
    done = diff(records["sound"], bad)
    assert done.code == 4
    assert said in done.screen
    assert "Traceback" not in done.screen


def change(kind: ChangeKind, level: Level) -> Change:
    return Change(kind, "case", "R", level, "conforms", "deviates")


def test_the_default_policy_fails_on_regressions_and_on_inconclusive_must_cases() -> None:
    policy = ChangePolicy.parse(DEFAULT_POLICY)
    failing = {(kind, level) for kind in ChangeKind for level in Level if policy.fails(change(kind, level))}
    assert failing == {(ChangeKind.REGRESSED, MUST), (ChangeKind.REGRESSED, SHOULD), (ChangeKind.INCONCLUSIVE, MUST)}


@pytest.mark.parametrize("kind", ChangeKind)
def test_each_kind_can_be_named(kind: ChangeKind) -> None:
    policy = ChangePolicy.parse(f"{kind.value}")
    assert {(other, level) for other in ChangeKind for level in Level if policy.fails(change(other, level))} == {
        (kind, level) for level in Level
    }


@pytest.mark.parametrize("text", ["regresed", "", "regressed,", "regressed:mist", "regressed:"])
def test_an_invalid_policy_is_refused(text: str) -> None:
    with pytest.raises(ChangePolicyError):
        ChangePolicy.parse(text)


def test_a_policy_that_cannot_be_used_is_bad_usage(records: dict[str, Path]) -> None:
    done = diff(records["sound"], records["sound"], "--fail-on", "regresed")
    assert done.code == 4
    assert "did you mean 'regressed'?" in done.screen
