"""The capabilities that a case needs: derived from its steps, or stated by its requirement, its file or itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.database.profile import load_profile
from runner.database.profile_files import profile_names
from runner.execution.applicability import not_applicable
from runner.language.case_files import load_cases
from runner.language.problems import SourceError
from runner.language.register import read_register
from runner.language.suite import own_suite
from tests.language.case_texts import REGISTER, indented, one_case, write

CAPABLE = (
    REGISTER.replace("SHO-1: {", "SHO-1: {needs: [privilege], ")
    + """\
capabilities:
  serial: {text: a serial#, guarded: "'[^']*,"}
  at-once: {text: the word IMMEDIATE, guarded: "(?i)IMMEDIATE"}
  tables: {text: tables, statement: "\\\\$\\\\{table\\\\}"}
  locks: {text: row locks, state: blocked}
  privilege: {text: a privilege}
"""
)


def needs(folder: Path, body: str, requirement: str = "MUS-1", top: str = "") -> list[tuple[str, ...]]:
    text = one_case(f"requirement: {requirement}\ntable: [[1, 0]]\n{body}").replace("sessions:", f"{top}sessions:", 1)
    return [case.needs for case in load_cases(write(folder, text, register=CAPABLE))]


PLAIN = "- killer: KILL '${victim.id}'"
SERIAL = "- killer: KILL '${victim.id}, 1'"
AT_ONCE = "- killer: KILL '${victim.id}' immediate"
ANY_ERROR = "\n  reply: error\n"
DERIVED = {
    "nothing": (PLAIN, ()),
    "a form": (SERIAL, ("serial",)),
    "two forms, in the register's order": (f"{AT_ONCE}\n{SERIAL}", ("serial", "at-once")),
    "a form that no guarded statement has": ("- killer: SELECT 'a, b'", ()),
    "a table that a statement names": ("- killer: SELECT val FROM ${table}", ("tables",)),
    "a state": (f"{PLAIN}\n- wait: {{victim: blocked}}", ("locks",)),
    "another state": (f"{PLAIN}\n- wait: {{victim: gone}}", ()),
    "in a repeat": (f"- repeat: 2\n  steps:\n    {SERIAL}", ("serial",)),
    "a form that has to be refused": (SERIAL + ANY_ERROR, ("serial",)),
    "one that is refused beside a plain one": (SERIAL + ANY_ERROR + PLAIN + ANY_ERROR, ()),
    "one that is accepted beside a plain one": (f"{SERIAL}\n  reply: ok\n{PLAIN}", ("serial",)),
    "one with an error of one class beside a plain one": (f"{SERIAL}\n  reply: privilege\n{PLAIN}", ("serial",)),
    "one that is refused beside a plain one of no session": (
        f"{SERIAL}{ANY_ERROR}- killer: KILL '${{unused 1}}'",
        ("serial",),
    ),
}


@pytest.mark.parametrize(("steps", "expected"), DERIVED.values(), ids=list(DERIVED))
def test_the_needs_of_a_case_follow_from_its_steps(tmp_path: Path, steps: str, expected: tuple[str, ...]) -> None:
    assert needs(tmp_path, "steps:\n" + indented(steps, 2)) == [expected]


def test_needs_are_stated_by_the_requirement_the_file_and_the_case(tmp_path: Path) -> None:
    steps = f"steps:\n  {SERIAL}"
    assert needs(tmp_path, steps, "SHO-1") == [("serial", "privilege")]
    assert needs(tmp_path, steps, top="needs: [locks]\n") == [("serial", "locks")]
    assert needs(tmp_path, f"needs: [tables, at-once]\n{steps}") == [("serial", "at-once", "tables")]


def test_needs_are_stated_for_one_value_of_a_parameter(tmp_path: Path) -> None:
    body = f"parameters: {{how: {{one: a, two: b}}}}\nneeds: {{two: [locks]}}\nnote: ${{how}}\nsteps:\n  {PLAIN}"
    assert needs(tmp_path, body) == [(), ("locks",)]


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [("needs: [privilege]", "needs: [privlege]", "unknown capability"), ('"(?i)IMM', '"(IMM', "not a valid")],
)
def test_a_register_with_a_wrong_capability_is_refused(tmp_path: Path, old: str, new: str, what: str) -> None:
    assert CAPABLE.count(old) == 1
    path = write(tmp_path, "", register=CAPABLE.replace(old, new)).with_name("requirements.yaml")
    with pytest.raises(SourceError, match=what):
        read_register(path)


def test_every_capability_of_the_suite_is_needed_by_a_case() -> None:
    suite = own_suite()
    assert {name for case in suite.cases for name in case.needs} == suite.capabilities


@pytest.mark.parametrize("name", profile_names())
def test_a_lacking_capability_is_the_reason_of_exactly_the_cases_that_need_it(name: str) -> None:
    profile = load_profile(name)
    for case in own_suite().cases:
        reason = not_applicable(case, profile, case.vocabulary) or ""
        lacking = [need for need in case.needs if need in profile.lacks]
        assert reason.startswith("needs ") == bool(lacking), case.name
        if lacking:
            text = case.vocabulary.capabilities[lacking[0]].text
            assert reason == f"needs {lacking[0]} ({text}): {profile.lacks[lacking[0]]}"


def test_profiles_exempt_fewer_than_ten_cases_and_requirements_by_id() -> None:
    exemptions = [exemption for name in profile_names() for exemption in load_profile(name).exemptions]
    assert sum(len(each.cases) + len(each.requirements) for each in exemptions) < 10
