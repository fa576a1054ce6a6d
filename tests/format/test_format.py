"""The case format by example: each file below this folder shows one aspect of it.

``invalid``: the comment at the top of a file is what ``kill-session-conformance lint`` prints for it, without the path;
``...`` is any text.

The other folders are named like the verdict that their cases get on the simulator, from a run of the suite. The comment
at the top of a file may have these keys:

simulator, run                options of the simulator, and of the run
expected, actual, reason      parts of the result's texts
observed                      the outcome
safety                        true: an unrelated session was killed
survived                      true: the reply was a success, and the named session stayed usable
"""

from __future__ import annotations

import itertools
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from runner.language.case_files import load_cases
from runner.language.default_folders import REGISTER_NAME
from runner.language.problems import SourceError
from tests.support.simulator_process import simulator
from tests.support.suite_run import SuiteRun, run_suite

HERE = Path(__file__).parent
INVALID = sorted((HERE / "invalid").rglob("*.yaml"))
RUN = sorted(path for folder in HERE.iterdir() if folder.name != "invalid" for path in folder.glob("*.yaml"))
REGISTER = HERE / "register.yaml"
"""Under its own name it would make all these files cases of a run of ``pytest tests``."""
KEYS = {"simulator", "run", "expected", "actual", "reason", "observed", "safety", "survived"}


def comment(path: Path) -> list[str]:
    """The lines of the comment at the top of a file."""
    lines = path.read_text("utf-8").splitlines()
    return [line.removeprefix("#").removeprefix(" ") for line in itertools.takewhile(lambda one: one[:1] == "#", lines)]


def name_of(path: Path) -> str:
    return path.relative_to(HERE).with_suffix("").as_posix()


@pytest.mark.parametrize("path", INVALID, ids=name_of)
def test_an_invalid_file_is_rejected_with_position_message_and_hint(path: Path, tmp_path: Path) -> None:
    shutil.copy(REGISTER, tmp_path / REGISTER_NAME)
    with pytest.raises(SourceError) as caught:
        load_cases(Path(shutil.copy(path, tmp_path)))
    shown = "\n".join(str(problem) for problem in caught.value.all).replace(f"{caught.value.place.shown_path}:", "")
    expected = ".*".join(map(re.escape, "\n".join(comment(path)).split("...")))
    assert re.fullmatch(expected, shown), shown


@dataclass(frozen=True)
class Example:
    """A file with one case, the run that it needs, and what its result has to be."""

    path: Path
    said: dict[str, str]

    @property
    def options(self) -> tuple[str, str]:
        """The options of the simulator and those of the run."""
        return self.said.get("simulator", ""), self.said.get("run", "")

    def check(self, row: dict[str, Any]) -> None:
        """Holds a result against the file."""
        assert row["verdict"] == self.path.parent.name.replace("-", " "), row
        for key in ("expected", "actual", "reason"):
            assert self.said.get(key, "") in row[key], row[key]
        for key in ("safety", "survived"):
            assert row[key] is (self.said.get(key) == "true")
        if "observed" in self.said:
            assert list(row["observed"]) == [self.said["observed"]]


EXAMPLES = [Example(path, dict(line.split(": ", 1) for line in comment(path))) for path in RUN]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], SuiteRun]:
    """A run of all examples that need the same options, by these options."""
    by_options: dict[tuple[str, str], list[Path]] = {}
    for example in EXAMPLES:
        by_options.setdefault(example.options, []).append(example.path)
    folders = [tmp_path_factory.mktemp("run") for _ in by_options]
    with ThreadPoolExecutor(6) as pool:
        return dict(zip(by_options, pool.map(run_of, folders, by_options, by_options.values()), strict=True))


def run_of(folder: Path, options: tuple[str, str], paths: list[Path]) -> SuiteRun:
    """Runs copies of files, which are cases only below a register."""
    cases = folder / "cases"
    cases.mkdir()
    shutil.copy(REGISTER, cases / REGISTER_NAME)
    for path in paths:
        (cases / path.parent.name).mkdir(exist_ok=True)
        shutil.copy(path, cases / path.parent.name)
    with simulator(*options[0].split()) as dsn:
        return run_suite(folder / "record.json", "--dsn", dsn, *options[1].split(), cases=cases)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: name_of(example.path))
def test_a_case_gets_the_verdict_of_its_folder(example: Example, runs: dict[tuple[str, str], SuiteRun]) -> None:
    assert example.said.keys() <= KEYS
    run = runs[example.options]
    rows = run.results(case_id=example.path.stem)
    assert rows, f"there is no case with the file's name:\n{run.screen}"
    for row in rows:
        example.check(row)
        assert row["warnings"] == [], "the cleanup is incomplete"
