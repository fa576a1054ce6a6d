"""The JSON schemas alone, as an editor uses them: descriptions everywhere, and typos are detected."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
import yaml

from runner.language.model import REPLY_WORDS
from tests.support.paths import ROOT

SCHEMAS = {path.name: json.loads(path.read_text("utf-8")) for path in sorted(ROOT.glob("runner/*/*.schema.json"))}
CASES = SCHEMAS["case-format.schema.json"]


def undescribed(schema: Any, way: str = "") -> Iterator[str]:
    """The keys without description, by their way in the schema."""
    if isinstance(schema, list):
        for index, inner in enumerate(schema):
            yield from undescribed(inner, f"{way}/{index}")
    if isinstance(schema, dict):
        for key, inner in schema.items():
            yield from undescribed(inner, f"{way}/{key}")
        properties = schema.get("properties", {})
        yield from (f"{way}/{key}" for key, inner in properties.items() if not inner.get("description"))


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_key_has_a_description(name: str) -> None:
    jsonschema_rs.meta.validate(SCHEMAS[name])
    assert SCHEMAS[name]["description"]
    assert list(undescribed(SCHEMAS[name])) == []


def test_every_schema_has_its_own_address() -> None:
    addresses = [schema["$id"] for schema in SCHEMAS.values()]
    assert len(SCHEMAS) == 6
    assert len(set(addresses)) == len(addresses)
    assert all(address.startswith("urn:kill-session-conformance:") for address in addresses)


def accepts(step: str) -> bool:
    text = f"{{format: 1, cases: [{{id: a, requirement: PUR-1, title: t, steps: [{step}]}}]}}"
    return jsonschema_rs.Draft202012Validator(CASES).is_valid(yaml.safe_load(text))


STEPS = [
    "{killer: SELECT 1}",
    "{killer: COMMIT, reply: ok}",
    "{killer: SELECT 1, reply: '${reply}'}",
    "{'${by}': SELECT 1, reply: {rows: {values: [['1']]}}}",
    "{killer: SELECT 1, reply: [success, x-vendor, privilege]}",
    "{killer: SELECT 1, reply: later, prepared: true}",
    "{killer: SELECT 1, prepare: true, reply: ok}",
    "{receive: victim, reply: connection-lost}",
    "{wait: {victim: gone}}",
    "{connect: victim, as: X, id_differs_from: killer, reply: ok}",
    "{repeat: 2, steps: [{killer: SELECT 1}]}",
    "{do: '${state}'}",
]


@pytest.mark.parametrize("step", STEPS)
def test_a_step_of_the_language_is_accepted(step: str) -> None:
    assert accepts(step)


TYPOS = [
    "{killer: SELECT 1, repli: ok}",
    "{killer: SELECT 1, reply: ok, repli: ok}",
    "{killer: SELECT 1, prepard: true}",
    "{killer: SELECT 1, reply: okay}",
    "{killer: SELECT 1, reply: privilige}",
    "{killer: SELECT 1, reply: [ok, eror]}",
    "{killer: SELECT 1, reply: {row: {}}}",
    "{killer: SELECT 1, reply: {rows: {value: []}}}",
    "{awiat: victim}",
    "{receive: victim, repyl: ok}",
    "{receive: victim, as: X}",
    "{wiat: {victim: gone}}",
    "{wait: {victim: gon}}",
    "{wait: {victim: gone, killer: gone}}",
    "{conect: victim}",
    "{connect: victim, new_id: killer}",
    "{repeat: 2, step: [{killer: SELECT 1}]}",
    "{repeat: 2, steps: [{killer: SELECT 1, repli: ok}]}",
    "{reply: ok}",
    "{Killer: SELECT 1}",
    "{killer: SELECT 1, victim: SELECT 1}",
]


@pytest.mark.parametrize("step", TYPOS)
def test_a_typo_in_a_step_is_rejected(step: str) -> None:
    assert not accepts(step)


def test_the_schema_lists_the_reply_words_of_the_language() -> None:
    word = CASES["$defs"]["reply_word"]["anyOf"][0]
    assert tuple(word["enum"]) == REPLY_WORDS
    for listed in (word, CASES["$defs"]["reply"]["anyOf"][0], CASES["$defs"]["error_class"]["anyOf"][0]):
        assert len(listed["enum"]) == len(listed["enumDescriptions"])


def test_cases_and_registers_have_the_same_error_classes() -> None:
    assert CASES["$defs"]["error_class"] == SCHEMAS["register.schema.json"]["$defs"]["error_class"]


def test_the_words_of_a_step_that_stand_together_are_words_of_a_step() -> None:
    step = CASES["$defs"]["step"]
    rules = step["dependentSchemas"]
    allowed = {word for rule in rules.values() for word in rule.get("propertyNames", {}).get("enum", [])}
    assert allowed | set(rules) == set(step["properties"])
