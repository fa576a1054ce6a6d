"""A profile with a name that nothing knows is refused before any case runs, wherever a profile is taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.language.case_files import case_files, load_cases
from runner.language.model import Case, Send, flat
from tests.support.paths import ROOT
from tests.support.simulator_process import SimulatorProcess
from tests.support.suite_run import SuiteRun, run_command, run_pytest

TEXT = (ROOT / "runner" / "profiles" / "oceanbase-oracle.yaml").read_text("utf-8")
NOBODY = "mysql://root@127.0.0.1:1/"


def write(folder: Path, old: str, new: str) -> Path:
    assert TEXT.count(old) == 1
    path = folder / "mine.yaml"
    path.write_text(TEXT.replace(old, new), "utf-8")
    return path


def cut(text: str, start: str, end: str) -> str:
    """The text without what is from one mark to another."""
    return text[: text.index(start)] + text[text.index(end) :]


COMMANDS = ["pytest", "doctor", "sweep", "accounts", "accounts --drop"]


def take(command: str, profile: Path) -> SuiteRun:
    folder = profile.parent
    if command == "pytest":
        return run_pytest("cases", "--dsn", NOBODY, "--profile", str(profile))
    if command.startswith("accounts"):
        file = folder / "accounts.yaml"
        extra = ["--drop", str(file)] if "drop" in command else ["--out", str(file)]
        return run_command("accounts", "--profile", str(profile), *extra)
    return run_command(command, "--dsn", NOBODY, "--profile", str(profile))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_typo_in_a_profile_is_refused_with_place_and_hint_before_anything_is_done(
    tmp_path: Path, command: str
) -> None:
    profile = write(tmp_path, "  syntax:", "  sytax:")
    line = TEXT[: TEXT.index("  syntax:")].count("\n") + 1
    done = take(command, profile)
    assert (done.code, done.shows_no_internals()) == (4, True), done.screen
    assert f"{profile}:{line}:3: unknown error class 'sytax'" in done.screen
    assert "did you mean 'syntax'?" in done.screen
    assert not (tmp_path / "accounts.yaml").exists()


def claims_syntax(case: Case) -> bool:
    replies = [getattr(step, "reply", ()) for step in flat(case.steps)]
    return any(expect.kind == "syntax" for reply in replies for expect in reply)


def says_sleep(case: Case) -> bool:
    statements = [step.statement for step in flat(case.steps) if isinstance(step, Send)]
    return any(hole.word == "sleep" for statement in statements for hole in statement.holes)


def test_the_doctor_counts_the_cases_affected_by_undefined_classes_and_words(tmp_path: Path) -> None:
    cases = [case for path in case_files(ROOT / "cases") for case in load_cases(path)]
    (tmp_path / "mine.yaml").write_text(
        cut(cut(TEXT, "  syntax:\n", "  unknown-name:\n"), "  sleep:\n", "\n# Error"), "utf-8"
    )
    simulator = SimulatorProcess()
    try:
        done = run_command(
            "doctor", "--dsn", simulator.dsn, "--profile", str(tmp_path / "mine.yaml"), "--send-withheld"
        )
    finally:
        simulator.stop()
    assert done.code == 1, done.screen
    for section, name, kind, number in (
        ("errors", "syntax", "error class", sum(map(claims_syntax, cases))),
        ("words", "sleep", "word", sum(map(says_sleep, cases))),
    ):
        item = f"missing: the profile 'oceanbase-oracle' doesn't define the {kind} '{name}'\n  affects {number} of "
        assert number > 1
        assert item in done.screen, done.screen
        assert f"fix: add {section}: {{{name}: …}} to the profile" in done.screen


def test_a_run_with_an_undefined_class_is_inconclusive_without_a_deviation(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(cut(TEXT, "  syntax:\n", "  unknown-name:\n"), "utf-8")
    simulator = SimulatorProcess()
    try:
        options = ("--dsn", simulator.dsn, "--profile", str(tmp_path / "mine.yaml"), "--strict")
        done = run_pytest("cases", "--requirement", "SYN-6", *options)
    finally:
        simulator.stop()
    assert done.code == 1, done.screen
    assert "DEVIATES" not in done.screen
    assert "doesn't define the error class 'syntax'" in done.screen
    assert "undecided: " in done.screen
