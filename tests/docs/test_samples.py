"""The samples of output in the documentation are what the suite prints."""

from __future__ import annotations

import json
import re
from importlib import resources
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator

from tests.docs.samples import (
    DOCTOR,
    RECORD,
    doctor_sample,
    record_sample,
    sample_in,
    steady_record,
)
from tests.support.own_cases import cases_by_requirement, number_of_cases, number_of_decided_cases
from tests.support.paths import ROOT
from tests.support.suite_run import run_command

SCHEMA: dict[str, Any] = json.loads(
    (resources.files("runner.reporting") / "record-1.schema.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("kind", ["defect", "variant", "environment"])
def test_readme_and_changelog_have_the_numbers_of_defects_variants_and_environments(kind: str) -> None:
    number = len(json.loads(run_command("simulate", f"--list-{kind}s", "--json").out))
    for name in ("README.md", "CHANGELOG.md"):
        counted = re.findall(rf"(\d+)\s+(?:\w+\s+)?{kind}s\b", (ROOT / name).read_text(encoding="utf-8"))
        assert set(counted) == {str(number)}, name


def test_the_screen_in_the_readme_has_the_number_of_cases_of_each_requirement() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = dict(re.findall(r"([A-Z]+-\d+) +(?:conforms|observed) (\d+)", readme))
    assert {name: int(count) for name, count in shown.items()} == cases_by_requirement()
    assert f"conforms ({number_of_decided_cases()} cases decided)\n" in readme
    assert (
        f"= {number_of_decided_cases()} passed, {number_of_cases() - number_of_decided_cases()} observed in " in readme
    )


def without_counts(text: str) -> str:
    return re.sub(r"\d+ of \d+ cases", "N of M cases", text)


def test_the_doctors_sample_is_its_output() -> None:
    assert without_counts(sample_in(DOCTOR, "text")) == without_counts(doctor_sample())


def test_the_sample_of_a_record_is_a_record_of_this_run() -> None:
    shown = json.loads(sample_in(RECORD, "json"))
    Draft202012Validator(SCHEMA).validate(shown)
    assert steady_record(shown) == steady_record(json.loads(record_sample()))


def keys(schema: Any) -> set[str]:
    """All property names of a schema."""
    if isinstance(schema, list):
        return set[str]().union(*map(keys, schema))
    if not isinstance(schema, dict):
        return set()
    own = set(schema["properties"]) if isinstance(schema.get("properties"), dict) else set[str]()
    return own.union(*map(keys, schema.values()))


@pytest.mark.parametrize("key", sorted(keys(SCHEMA)))
def test_the_page_of_the_record_explains_each_key(key: str) -> None:
    assert f"`{key}`" in RECORD.read_text(encoding="utf-8")


@pytest.mark.parametrize("word", [*SCHEMA["$defs"]["result"]["properties"]["verdict"]["enum"], "known", "different"])
def test_the_page_of_the_record_names_each_verdict_and_standing(word: str) -> None:
    assert word in RECORD.read_text(encoding="utf-8")
