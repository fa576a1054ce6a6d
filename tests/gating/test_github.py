"""GitHub Actions: annotations at the cases' lines, the job's summary."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.execution.case_result import CaseResult, Verdict
from runner.gating.github import annotate
from runner.language.model import Level
from tests.gating.few_cases import run_cases, write_list


def annotated(screen: str, kind: str) -> list[str]:
    return [line for line in screen.splitlines() if line.startswith(f"::{kind} ")]


@pytest.mark.long
@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "with workers"])
def test_each_finding_is_annotated_at_its_line(few: Path, dsn: str, workers: tuple[str, ...]) -> None:
    write_list(few, "case: must-undecided, verdict: inconclusive, reason: a lack", "case: nobody, actual: x, reason: r")
    summary = few / "summary.md"
    summary.write_text("what was there\n", encoding="utf-8")
    environment = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary), "GITHUB_WORKSPACE": str(few)}
    done = run_cases(few, dsn, "--known-deviations", "known.yaml", *workers, **environment)
    assert done.code == 1
    errors, warnings = annotated(done.screen, "error"), annotated(done.screen, "warning")
    assert len(errors) == 3, done.screen
    assert len(warnings) == 4, done.screen
    lines = (few / "cases" / "few.yaml").read_text(encoding="utf-8").splitlines()
    line = lines.index("  - id: must-deviates") + 1
    (deviates,) = [error for error in errors if "must-deviates" in error]
    assert deviates.startswith(
        f"::error file=cases/few.yaml,line={line},title=SYN-2 (must) deviates%3A must-deviates::"
    )
    assert deviates.endswith("%0Aactual: OK, 0 rows affected")
    assert any(
        error.startswith("::error file=known.yaml,line=4,title=known deviations::unknown case") for error in errors
    )
    assert any("known deviation%3A must-undecided" in warning and "known: a lack" in warning for warning in warnings)
    text = summary.read_text(encoding="utf-8")
    assert text.startswith("what was there\n## Conformance: does not conform")
    assert text.count("## Conformance") == 1
    assert "### Fails the build: 2" in text
    assert "| SYN-2 (must) | <code>must-deviates</code> | deviates | <code>OK, 0 rows affected</code> |  |" in text
    assert "127.0.0.1" not in text


def test_outside_github_actions_there_are_no_annotations(few: Path, dsn: str) -> None:
    done = run_cases(few, dsn)
    assert not annotated(done.screen, "error") + annotated(done.screen, "warning")


def test_a_summary_that_cannot_be_written_is_reported_and_does_not_fail_the_run(few: Path, dsn: str) -> None:
    done = run_cases(few, dsn, "-k", "must-conforms", GITHUB_STEP_SUMMARY=str(few / "no" / "folder.md"))
    assert done.code == 0
    assert "can't be written" in done.screen


def result(number: int, level: Level = Level.MUST, actual: str = "an error") -> CaseResult:
    return CaseResult(
        f"c{number}", f"c{number}", "PUR-1", level, "t", f"cases/a.yaml:{number}", Verdict.DEVIATES, actual=actual
    )


def test_texts_cannot_end_an_annotation_or_begin_another(tmp_path: Path) -> None:
    evil = result(1, actual="100% wrong\n::error file=x::y\r\nz")
    (line,) = annotate([evil], [], strict=False, workspace=tmp_path)
    assert "\n" not in line
    assert "\r" not in line
    assert line.endswith("actual: 100%25 wrong%0A::error file=x::y%0D%0Az")


def test_special_characters_in_a_title_are_escaped(tmp_path: Path) -> None:
    odd = CaseResult("c[a,b:c%]", "c", "PUR-1", Level.MUST, "t", "cases/a.yaml:1", Verdict.DEVIATES, actual="x")
    (line,) = annotate([odd], [], strict=False, workspace=tmp_path)
    assert "title=PUR-1 (must) deviates%3A c[a%2Cb%3Ac%25]::t" in line


def test_at_most_ten_annotations_of_a_kind_are_written_and_the_last_counts_the_others(tmp_path: Path) -> None:
    many = [result(number) for number in range(1, 31)] + [result(number, Level.SHOULD) for number in range(1, 11)]
    lines = list(annotate(many, [], strict=False, workspace=tmp_path))
    assert [sum(line.startswith(f"::{kind} ") for line in lines) for kind in ("error", "warning")] == [10, 10]
    assert lines[9] == "::error title=Conformance::21 more: see the job's summary"
