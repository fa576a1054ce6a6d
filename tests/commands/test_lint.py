"""``python -m runner lint``: every kind of file that people write, told apart and checked."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.suite_run import run_command

PROFILES = ROOT / "runner" / "profiles"

KNOWN = "format: 1\ndeviations:\n  - {case: answer, actual: error, reason: known}\n"
ACCOUNTS = "format: 1\naccounts:\n  - {user: U, password: secret, grants: [ALTER SYSTEM]}\n"


def lint(*arguments: str | Path, folder: Path = ROOT) -> tuple[int, str]:
    done = run_command("lint", *arguments, folder=folder, variables={"PATH": ""})
    return done.code, done.screen


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    path.chmod(0o600)
    return path


def test_without_arguments_the_suites_own_cases_and_profiles_are_checked() -> None:
    code, screen = lint()
    assert code == 0, screen
    assert re.search(r"^cases: [0-9]+ case files$", screen, re.MULTILINE), screen
    assert re.search(r"[1-9][0-9]+ cases, 4 profiles, 0 problems$", screen.strip()), screen


KINDS = {
    "profile": (PROFILES / "mariadb.yaml").read_text("utf-8"),
    "register": (ROOT / "cases" / "requirements.yaml").read_text("utf-8"),
    "known deviations": KNOWN,
    "accounts": ACCOUNTS,
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_kind_of_a_file_does_not_depend_on_its_name(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path, "file.yaml", KINDS[kind])
    code, screen = lint(path)
    assert (code, f"{path}: {kind}\n" in screen) == (0, True), screen


TYPOS = {
    "profile": ("  syntax:", "  sytax:", "unknown error class 'sytax'", "did you mean 'syntax'?"),
    "register": ("level: must", "level: mst", "expected must or should or observe", ""),
    "known deviations": ("case: answer,", "case: anser,", "unknown case 'anser'", "did you mean 'answer"),
    "accounts": ("grants:", "grnts:", "unknown key", "did you mean 'grants'?"),
}


@pytest.mark.parametrize("kind", TYPOS)
def test_a_typo_is_shown_with_its_place_and_a_hint(tmp_path: Path, kind: str) -> None:
    old, new, what, hint = TYPOS[kind]
    path = write(tmp_path, "file.yaml", KINDS[kind].replace(old, new, 1))
    line = KINDS[kind][: KINDS[kind].index(old)].count("\n") + 1
    code, screen = lint(path)
    assert code == 1, screen
    assert f"{path}:{line}:" in screen
    assert what in screen
    assert hint in screen
    assert "secret" not in screen


def test_a_privilege_of_accounts_that_no_case_grants_is_shown(tmp_path: Path) -> None:
    path = write(tmp_path, "file.yaml", ACCOUNTS.replace("[ALTER SYSTEM]", "[CREATE TABLE, ALTER SYTEM]"))
    code, screen = lint(path)
    assert (code, f"{path}:3:56: no case grants" in screen) == (1, True), screen
    assert "did you mean 'ALTER SYSTEM'?" in screen


def test_all_problems_of_a_profile_are_shown(tmp_path: Path) -> None:
    text = KINDS["profile"].replace("  syntax:", "  sytax:").replace("  serial:", "  seriel:")
    code, screen = lint(write(tmp_path, "mine.yaml", text))
    assert (code, "2 problems" in screen, "did you mean 'serial'?" in screen) == (1, True, True), screen


def test_a_profile_is_checked_against_the_cases_named_with_it(tmp_path: Path) -> None:
    cases = tmp_path / "cases"
    cases.mkdir()
    shutil.copy(ROOT / "cases" / "requirements.yaml", cases)
    body = "sessions: {one: {grants: [FLY]}}, steps: [{one: SELECT 1, reply: rows}]"
    write(cases, "more.yaml", f"format: 1\ncases:\n  - {{id: of-mine, requirement: PUR-1, title: t, {body}}}\n")
    text = KINDS["profile"].replace("privileges:", "privileges:\n  FLY: GRANT WINGS TO {user}")
    mine = text.replace("lacks:", "not_applicable:\n  - {cases: [of-mine], reason: r}\n\nlacks:")
    profile = write(tmp_path, "mine.yaml", mine)
    alone = lint(profile)
    assert (alone[0], "unknown case 'of-mine'" in alone[1], "'FLY'" in alone[1]) == (1, True, True), alone[1]
    together = lint(cases, profile)
    assert (together[0], f"{cases}: 1 case file\n" in together[1]) == (0, True), together[1]


def test_a_profile_can_be_checked_in_a_folder_without_cases(tmp_path: Path) -> None:
    path = write(tmp_path, "mine.yaml", KINDS["profile"].replace("  syntax:", "  sytax:"))
    code, screen = lint(path.name, folder=tmp_path)
    assert (code, "mine.yaml:" in screen, "did you mean 'syntax'?" in screen) == (1, True, True), screen


def test_of_a_file_that_is_no_yaml_this_is_said_and_not_that_it_has_no_register(tmp_path: Path) -> None:
    path = write(tmp_path, "mine.yaml", "\tname: mine\n")
    code, screen = lint(path)
    assert (code, "mine.yaml:1:1: broken YAML: a tab" in screen, "requirements.yaml" in screen) == (1, True, False), (
        screen
    )


def test_a_nonexistent_path_is_bad_usage(tmp_path: Path) -> None:
    code, screen = lint(tmp_path / "none.yaml")
    assert (code, "no such file or folder" in screen) == (4, True), screen


def test_all_problems_of_all_case_files_are_shown_in_order(tmp_path: Path) -> None:
    cases = tmp_path / "cases"
    cases.mkdir()
    shutil.copy(ROOT / "cases" / "requirements.yaml", cases)
    case = "  - {{id: {}, requirement: {}, title: t, sessions: {{one: {{}}}}, steps: [{}]}}\n"
    steps = "{one: SELECT 1, reply: okay}, {two: SELECT 1}, {one: SELECT 1}"
    bad = [
        case.format("first", "PUR-1", steps),
        case.format("second", "PUR-1", "{one: [SELECT 1]}"),
        case.format("first", "PUR-999", "{one: SELECT 1, reply: ok}"),
    ]
    write(cases, "a.yaml", "format: 1\ncases:\n" + "".join(bad))
    write(cases, "b.yaml", "format: 1\ncase: []\n")
    code, screen = lint(cases)
    assert code == 1, screen
    found = re.findall(r"^\S*/([ab]\.yaml:[0-9]+):[0-9]+: (.*)$", screen, re.MULTILINE)
    assert found == [
        ("a.yaml:3", "unknown reply 'okay'"),
        ("a.yaml:3", "unknown session or step 'two'"),
        ("a.yaml:4", "['SELECT 1'] is no statement"),
        ("a.yaml:5", "the id 'first' is already used by an earlier case"),
        ("a.yaml:5", "unknown requirement 'PUR-999'"),
        ("b.yaml:2", "unknown key 'case'"),
    ], screen
    assert "6 problems" in screen


CLAIM = "[{one: SELECT 1, reply: rows}]"


@pytest.mark.parametrize(
    ("steps", "claims"),
    [
        ("", False),
        (f", {{repeat: 2, steps: {CLAIM}}}", True),
        (f", {{when: {{one: rows}}, steps: {CLAIM}}}", False),
        (f", {{when: {{one: rows}}, steps: {CLAIM}, otherwise: [{{one: SELECT 2}}]}}", False),
        (f", {{when: {{one: rows}}, steps: {CLAIM}, otherwise: {CLAIM}}}", True),
    ],
)
def test_a_case_that_may_have_no_claim_is_reported(tmp_path: Path, steps: str, *, claims: bool) -> None:
    cases = tmp_path / "cases"
    cases.mkdir()
    shutil.copy(ROOT / "cases" / "requirements.yaml", cases)
    case = f"{{id: a, requirement: PUR-1, title: t, sessions: {{one: {{}}}}, steps: [{{one: SELECT 1}}{steps}]}}"
    write(cases, "a.yaml", f"format: 1\ncases:\n  - {case}\n")
    code, screen = lint(cases)
    assert (code == 0, "a.yaml:3:5: the case claims nothing" not in screen) == (claims, claims), screen
