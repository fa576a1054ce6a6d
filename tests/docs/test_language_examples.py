"""The examples in docs/case-language.md and docs/profiles.md: they pass lint and run, and every word has one."""

from __future__ import annotations

import itertools
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from runner.database.profile import load_profile
from runner.execution.profile_problems import profile_problems
from runner.language.case_files import load_cases
from runner.language.model import REPLY_WORDS
from runner.language.register import read_register
from runner.language.suite import own_suite
from tests.support.paths import ROOT
from tests.support.simulator_process import simulator
from tests.support.suite_run import SuiteRun, run_suite

SCHEMA = json.loads((ROOT / "runner" / "language" / "case-format.schema.json").read_text("utf-8"))
REGISTER = ROOT / "cases" / "requirements.yaml"


def examples(document: str) -> list[str]:
    """The parts of a document that are YAML."""
    text = (ROOT / "docs" / document).read_text("utf-8")
    return [match[1] for match in re.finditer(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)]


ALL = examples("case-language.md")
COMPLETE = [text for text in ALL if "cases:\n" in text]
PARTS = [text for text in ALL if text not in COMPLETE]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> SuiteRun:
    """A run of all complete examples on the simulator."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "cases").mkdir()
    shutil.copy(REGISTER, folder / "cases")
    for number, text in enumerate(COMPLETE):
        (folder / "cases" / f"example-{number}.yaml").write_text(text, "utf-8")
    with simulator() as dsn:
        return run_suite(folder / "record.json", "--dsn", dsn, cases=folder / "cases")


def test_every_complete_example_conforms_or_is_observed_as_it_states(run: SuiteRun) -> None:
    results = run.record["results"]
    assert len(results) > 2 * len(COMPLETE), run.screen
    decided = [row for row in results if row["verdict"] not in {"conforms", "observed"} or row["warnings"]]
    assert decided == [], run.screen
    observed = [name for row in results for name in row["observed"]]
    assert [name for name in observed if name.startswith("other")] == []


@pytest.mark.parametrize("text", COMPLETE, ids=itertools.count())
def test_every_complete_example_has_a_claim(tmp_path: Path, text: str) -> None:
    shutil.copy(REGISTER, tmp_path)
    path = tmp_path / "example.yaml"
    path.write_text(text, "utf-8")
    assert [case.name for case in load_cases(path) if case.claims_nothing] == []


REST = """\
format: 1
source: {title: a page}
requirements: {MUS-1: {level: must, text: it must}}
errors: {}
words: {}
guarded: KILL
"""


@pytest.mark.parametrize("text", PARTS, ids=itertools.count())
def test_every_part_of_a_register_is_valid(tmp_path: Path, text: str) -> None:
    path = tmp_path / "requirements.yaml"
    path.write_text(REST + text, "utf-8")
    assert read_register(path).vocabulary.capabilities


def test_the_example_of_a_profile_is_valid(tmp_path: Path) -> None:
    (text,) = examples("profiles.md")
    path = tmp_path / "my-server.yaml"
    path.write_text(text, "utf-8")
    profile = load_profile(str(path))
    assert (profile.name, "roles" in profile.lacks, "blocks" in profile.lacks) == ("my-server", True, False)
    assert list(map(str, profile_problems(profile, own_suite()))) == []


def words_of(value: Any) -> Iterator[str]:
    """All keys and texts of an example."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield str(key)
            yield from words_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from words_of(inner)
    elif isinstance(value, str):
        yield value


DEFINED = SCHEMA["$defs"]
KEYS = [key for name in ("session", "case", "step", "ok", "rows", "outcome") for key in DEFINED[name]["properties"]]
STATES = DEFINED["step"]["properties"]["wait"]["additionalProperties"]["enum"]


@pytest.mark.parametrize("word", sorted({*SCHEMA["properties"], *KEYS, *STATES, *REPLY_WORDS, "later", "unread"}))
def test_every_word_is_in_an_example(word: str) -> None:
    used = {each for text in COMPLETE for each in words_of(yaml.safe_load(text))}
    assert word in used


@pytest.mark.parametrize(
    "part",
    [
        ".id",
        ".user",
        ".lower_user",
        ".password",
        " + ",
        " / ",
        "unused 1",
        "kept ",
        "table}",
        "role}",
        "begin}",
        "sleep}",
    ],
)
def test_every_kind_of_placeholder_is_in_an_example(part: str) -> None:
    assert any(part in hole for text in COMPLETE for hole in re.findall(r"\$\{[^}]*\}", text))
