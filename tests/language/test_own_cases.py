"""The suite's own cases: they load, cover every requirement, and every profile can play them."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from runner.database.profile import load_profile
from runner.database.profile_files import profile_names
from runner.language.case_files import case_files, load_cases, refuse_duplicates
from runner.language.model import Case, Execute, Level, Send, flat
from runner.language.register import find_register
from tests.support.paths import CASES
from tests.support.suite_run import run_suite

MUST = "PUR-1 PUR-2 SYN-1 SYN-2 SYN-3 SYN-4 PAR-1 PAR-2 PAR-3 PAR-4 IMP-7 IMP-9 IMP-10"
SHOULD = "PUR-3 SYN-5 SYN-6 SYN-9 EXA-1 EXA-2 EXA-3 EXA-4 EXA-6 IMP-1 IMP-2 IMP-3 IMP-4 IMP-5 IMP-6 IMP-8 IMP-11"
OBSERVE = "SYN-7 SYN-8 EXA-5 EXA-7 OBS-1 OBS-2 OBS-3 OBS-4 OBS-5 OBS-6 OBS-7 OBS-8 OBS-9 OBS-10"
ANSWERED_FOR_OTHER_STATEMENTS = {"two-statements-without-privilege", "block-that-handles-errors-kills-nobody"}
"""Their texts have other statements, too: a server may reply to those, and what has to hold is that nothing ends."""
LEVELS = {
    name: level
    for level, names in ((Level.MUST, MUST), (Level.SHOULD, SHOULD), (Level.OBSERVE, OBSERVE))
    for name in names.split()
}


@cache
def all_cases() -> tuple[Case, ...]:
    return tuple(case for path in case_files(CASES) for case in load_cases(path))


@pytest.mark.parametrize("path", case_files(CASES), ids=lambda path: path.name)
def test_every_file_loads_and_has_cases(path: Path) -> None:
    assert load_cases(path)


def test_the_register_contains_exactly_the_requirements_of_the_specification() -> None:
    register = find_register(CASES / "any.yaml")
    assert {name: requirement.level for name, requirement in register.requirements.items()} == LEVELS


@pytest.mark.parametrize("name", LEVELS)
def test_every_requirement_has_a_case(name: str) -> None:
    assert [case.id for case in all_cases() if case.requirement.id == name]


def test_ids_are_unique_over_all_files_and_names_too() -> None:
    cases = all_cases()
    refuse_duplicates(cases)
    assert {name: count for name, count in Counter(case.name for case in cases).items() if count > 1} == {}


def kills(case: Case) -> list[Send]:
    return [
        step
        for step in flat(case.steps)
        if isinstance(step, Send) and re.search(r"\bKILL\b", step.statement.text, re.IGNORECASE)
    ]


def test_the_privilege_is_tested_with_users_that_have_it_and_users_that_do_not() -> None:
    cases = [case for case in all_cases() if case.requirement.id == "PUR-2"]
    granted = [case for case in cases if case.ends]
    refused = [case for case in cases if not case.ends]
    assert any(
        step.reply and {one.kind for one in step.reply} <= {"ok", "success"} for c in granted for step in kills(c)
    )
    assert refused
    for case in refused:
        replies = [step.reply for step in kills(case) if not step.prepares]
        replies += [step.reply for step in flat(case.steps) if isinstance(step, Execute)]
        kinds = {expect.kind for reply in replies for expect in reply if expect.kind != "later"}
        if case.id not in ANSWERED_FOR_OTHER_STATEMENTS:
            assert not kinds & {"ok", "rows", "success", "observed"}, case.name
        assert kinds, case.name


def test_a_case_with_a_claim_claims_a_reply_or_an_end() -> None:
    claiming = [case for case in all_cases() if case.requirement.level is not Level.OBSERVE]
    assert [
        case.name for case in claiming if not case.ends and not any(getattr(s, "reply", ()) for s in flat(case.steps))
    ] == []


def test_a_case_claims_the_end_only_of_sessions_that_its_statements_name() -> None:
    for case in all_cases():
        named: set[str] = set().union(*(step.statement.sessions_named_by_id() for step in kills(case)))
        assert case.ends <= named, case.name


def test_no_known_outcome_ends_a_session_that_no_statement_names() -> None:
    for case in all_cases():
        holes = [hole for step in kills(case) for hole in step.statement.holes if not hole.unused]
        assert case.may_end <= {hole.session for hole in holes}, case.name


def test_no_title_contains_a_placeholder() -> None:
    assert [case.name for case in all_cases() if "${" in case.title] == []


@pytest.mark.parametrize("profile", profile_names())
def test_every_profile_spells_every_word_and_knows_every_error_class(profile: str) -> None:
    vocabulary = find_register(CASES / "any.yaml").vocabulary
    loaded = load_profile(profile)
    assert set(loaded.words) == set(vocabulary.words)
    assert set(loaded.errors) == set(vocabulary.errors)


@pytest.mark.parametrize("profile", profile_names())
def test_the_requirements_and_cases_that_a_profile_exempts_exist(profile: str) -> None:
    cases = all_cases()
    names = {case.id for case in cases} | {case.name for case in cases}
    for exemption in load_profile(profile).exemptions:
        assert exemption.requirements <= set(LEVELS)
        assert exemption.cases <= names


def test_no_profile_exempts_the_purpose_of_the_statement() -> None:
    ending = [case for case in all_cases() if case.requirement.id == "PUR-1"]
    for name in profile_names():
        profile = load_profile(name)
        assert [case for case in ending if profile.exemption_reason("PUR-1", case.id, case.name) is None]


def test_the_default_profile_exempts_no_case() -> None:
    assert load_profile("oceanbase-oracle").exemptions == ()


def test_the_cases_that_show_whether_sessions_are_killed_exist() -> None:
    names = {case.name for case in all_cases()}
    presumed = [case.requirement.presumed for case in all_cases() if case.requirement.presumed is not None]
    assert presumed
    assert all(name in names for each in presumed for name in each.cases)


def test_cases_of_accumulation_send_at_least_twenty_kill_statements(tmp_path: Path) -> None:
    run = run_suite(tmp_path / "record.json", "-k", "twent")
    assert run.code == 0, run.screen
    rows = [row for row in run.results() if row["place"].startswith("cases/accumulation.yaml")]
    for row in rows:
        said = [event["text"] for event in row["transcript"] if event["kind"] == "sends" and "KILL" in event["text"]]
        assert len(said) >= 20, row["name"]
        if row["requirement"] in {"PUR-1", "IMP-7"}:
            ends = [event for event in row["transcript"] if event["kind"] == "ends" and "connection" in event["text"]]
            assert len(ends) >= 20, row["name"]
    assert {row["requirement"] for row in rows} == {"PUR-1", "PUR-2", "IMP-7", "IMP-8"}
