"""``python -m runner lint``: every kind of file that people write, told apart and checked."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from suite import ROOT

PROFILES = ROOT / "runner" / "profiles"

KNOWN = "format: 1\ndeviations:\n  - {case: answer, actual: error, reason: known}\n"
ACCOUNTS = "format: 1\naccounts:\n  - {user: U, password: secret, grants: [ALTER SYSTEM]}\n"


def lint(*arguments: str | Path, folder: Path = ROOT) -> tuple[int, str]:
    command = [sys.executable, "-m", "runner", "lint", *map(str, arguments)]
    environment = {"PYTHONPATH": str(ROOT), "PATH": ""}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


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
def test_a_file_is_checked_as_what_it_is_whatever_its_name(tmp_path: Path, kind: str) -> None:
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
    text = KINDS["profile"].replace("  syntax:", "  sytax:").replace("[anonymous-block,", "[anonymos-block,")
    code, screen = lint(write(tmp_path, "mine.yaml", text))
    assert (code, "2 problems" in screen, "did you mean 'anonymous-block'?" in screen) == (1, True, True), screen


def test_a_profile_is_held_against_the_cases_that_are_named_with_it(tmp_path: Path) -> None:
    cases = tmp_path / "cases"
    cases.mkdir()
    shutil.copy(ROOT / "cases" / "requirements.yaml", cases)
    body = "sessions: {one: {grants: [FLY]}}, steps: [{one: SELECT 1, reply: rows}]"
    write(cases, "more.yaml", f"format: 1\ncases:\n  - {{id: of-mine, requirement: PUR-1, title: t, {body}}}\n")
    text = KINDS["profile"].replace("privileges:", "privileges:\n  FLY: GRANT WINGS TO {user}")
    profile = write(tmp_path, "mine.yaml", text.replace("[anonymous-block,", "[of-mine, anonymous-block,"))
    alone = lint(profile)
    assert (alone[0], "unknown case 'of-mine'" in alone[1], "'FLY'" in alone[1]) == (1, True, True), alone[1]
    together = lint(cases, profile)
    assert (together[0], f"{cases}: 1 case file\n" in together[1]) == (0, True), together[1]


def test_a_profile_can_be_checked_where_no_cases_are(tmp_path: Path) -> None:
    path = write(tmp_path, "mine.yaml", KINDS["profile"].replace("  syntax:", "  sytax:"))
    code, screen = lint(path.name, folder=tmp_path)
    assert (code, "mine.yaml:" in screen, "did you mean 'syntax'?" in screen) == (1, True, True), screen


def test_a_path_that_is_not_there_is_bad_usage(tmp_path: Path) -> None:
    code, screen = lint(tmp_path / "none.yaml")
    assert (code, "not a file" in screen) == (4, True), screen
