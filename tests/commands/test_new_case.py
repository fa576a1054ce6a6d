"""``python -m runner new-case``: a case that is correct at once, for every level, and errors that teach."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from runner.language.case_files import load_cases
from tests.support.paths import ROOT
from tests.support.suite_run import run_command, run_suite

REGISTER = ROOT / "cases" / "requirements.yaml"
OTHER = """\
format: 1
source: {title: a page}
requirements:
  MUS-1: {level: must, text: "it must"}
errors: {}
words: {}
guarded: STOP
"""


def runner(folder: Path, *arguments: str) -> tuple[int, str]:
    done = run_command(*arguments, folder=folder, variables={"PATH": "", "HOME": os.devnull})
    return done.code, done.screen


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a folder of cases: the register, and a file with the suite's forms."""
    (tmp_path / "cases").mkdir()
    for path in (REGISTER, ROOT / "cases" / "forms.yaml"):
        shutil.copy(path, tmp_path / "cases")
    return tmp_path


def test_a_new_case_of_each_level_passes_lint_at_once_and_conforms(folder: Path) -> None:
    for case_id, requirement in (("a-must", "SYN-2"), ("a-should", "PUR-3"), ("an-observation", "OBS-1")):
        code, screen = runner(folder, "new-case", case_id, "--requirement", requirement)
        assert (code, f"cases/{case_id}.yaml:4:5: {case_id}" in screen) == (0, True), screen
        assert " # " in (folder / "cases" / f"{case_id}.yaml").read_text("utf-8")
    code, screen = runner(folder, "lint")
    assert code == 0, screen
    (folder / "cases" / "forms.yaml").unlink()
    run = run_suite(folder / "record.json", cases=folder / "cases")
    assert {row["name"]: row["verdict"] for row in run.record["results"]} == {
        "a-must": "conforms",
        "a-should": "conforms",
        "an-observation": "observed",
    }
    assert run.result("an-observation")["observed"] == {"the session is killed": 1}


def test_a_case_is_added_at_the_end_of_a_file(folder: Path) -> None:
    path = folder / "cases" / "forms.yaml"
    before, ids = path.read_text("utf-8"), [case.id for case in load_cases(path)]
    code, screen = runner(folder, "new-case", "one-more", "--requirement", "SYN-2", "--file", "cases/forms.yaml")
    line = before.count("\n") + 2
    assert (code, f"cases/forms.yaml:{line}:5: one-more" in screen) == (0, True), screen
    assert path.read_text("utf-8").startswith(before)
    assert [case.id for case in load_cases(path)] == [*ids, "one-more"]


def test_the_first_case_of_a_folder_has_the_registers_example(folder: Path) -> None:
    (folder / "cases" / "forms.yaml").unlink()
    code, screen = runner(folder, "new-case", "first", "--requirement", "SYN-2")
    assert code == 0, screen
    text = (folder / "cases" / "first.yaml").read_text("utf-8")
    assert "- killer: ALTER SYSTEM KILL SESSION '${victim.id}'\n" in text


@pytest.mark.parametrize("text", ["  - id: one", "- id: one", "    - id: one"])
def test_a_case_is_indented_like_the_existing_cases(folder: Path, text: str) -> None:
    rest = "requirement: SYN-2, title: t, sessions: {one: {}}, steps: [{one: SELECT 1, reply: rows}]"
    path = folder / "cases" / "more.yaml"
    path.write_text(f"format: 1\ncases:\n{text.replace('id: one', '{id: one, ')}{rest}}}\n", "utf-8")
    code, screen = runner(folder, "new-case", "two", "--requirement", "SYN-2", "--file", "cases/more.yaml")
    assert code == 0, screen
    assert [case.id for case in load_cases(path)] == ["one", "two"]


def test_without_an_example_the_statement_is_the_guarded_word_and_an_id(tmp_path: Path) -> None:
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases" / "requirements.yaml").write_text(OTHER, "utf-8")
    code, screen = runner(tmp_path, "new-case", "first", "--requirement", "MUS-1", "--file", "cases/deep/first.yaml")
    assert code == 0, screen
    (case,) = load_cases(tmp_path / "cases" / "deep" / "first.yaml")
    assert "STOP '${victim.id}'" in (tmp_path / "cases" / "deep" / "first.yaml").read_text("utf-8")
    assert case.ends == {"victim"}


ERRORS = {
    "an id that exists": (
        ["plain-form", "--requirement", "SYN-2"],
        r"'plain-form' is already used in cases/forms.yaml:",
    ),
    "an unknown requirement": (["new", "--requirement", "SIN-2"], r"unknown requirement 'SIN-2'; did you mean 'SYN-2'"),
    "an id with capitals": (["New_Case", "--requirement", "SYN-2"], "'New_Case' is not an id: use lower case"),
    "no requirement": (["new"], "required: --requirement"),
    "a file without a register": (
        ["new", "--requirement", "SYN-2", "--file", "new.yaml"],
        "below a folder with a register",
    ),
    "the register": (
        ["new", "--requirement", "SYN-2", "--file", "cases/requirements.yaml"],
        "below a folder with a register",
    ),
    "a file that is no YAML": (["new", "--requirement", "SYN-2", "--file", "cases/new.txt"], "ends in .yaml"),
}


@pytest.mark.parametrize(("arguments", "what"), ERRORS.values(), ids=list(ERRORS))
def test_a_case_that_cannot_be_written_is_bad_usage_with_advice(folder: Path, arguments: list[str], what: str) -> None:
    files = {path: path.read_bytes() for path in folder.rglob("*.*") if path.is_file()}
    code, screen = runner(folder, "new-case", *arguments)
    assert (code, bool(re.search(what, screen))) == (4, True), screen
    assert {path: path.read_bytes() for path in folder.rglob("*.*") if path.is_file()} == files


def test_without_a_folder_of_cases_a_file_has_to_be_named(tmp_path: Path) -> None:
    code, screen = runner(tmp_path, "new-case", "new", "--requirement", "SYN-2")
    assert (code, "there is no folder cases" in screen, f"or copy {REGISTER}" in screen) == (4, True, True), screen


def test_a_file_with_a_key_after_its_cases_is_refused_and_not_changed(folder: Path) -> None:
    path = folder / "cases" / "more.yaml"
    rest = "{id: one, requirement: SYN-2, title: t, sessions: {one: {}}, steps: [{one: SELECT 1, reply: rows}]}"
    path.write_text(text := f"format: 1\ncases:\n  - {rest}\nabout: cases first\n", "utf-8")
    code, screen = runner(folder, "new-case", "two", "--requirement", "SYN-2", "--file", "cases/more.yaml")
    assert (code, "can't be added at the end of this file" in screen) == (4, True), screen
    assert path.read_text("utf-8") == text
