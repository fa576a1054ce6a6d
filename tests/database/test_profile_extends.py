"""Profiles that extend another one: what is inherited, replaced, added and removed, and where problems are."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.database.profile import load_profile
from runner.database.profile_files import open_profile
from runner.execution.profile_problems import profile_problems
from runner.language.problems import SourceError
from runner.language.suite import own_suite

MINE = "format: 1\nname: mine\ntitle: my server\nextends: mariadb\n"


def write(folder: Path, text: str, name: str = "mine.yaml") -> str:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, "utf-8")
    return str(path)


def test_keys_that_are_not_stated_are_inherited(tmp_path: Path) -> None:
    mine, base = load_profile(write(tmp_path, MINE)), load_profile("mariadb")
    assert (mine.name, mine.title) == ("mine", "my server")
    own = {"name", "title", "document"}
    assert {key: value for key, value in vars(mine).items() if key not in own} == {
        key: value for key, value in vars(base).items() if key not in own
    }


def test_entries_replace_those_of_the_same_name_and_spellings_those_of_the_same_statement(tmp_path: Path) -> None:
    own = """\
sql: {probe: SELECT 2}
privileges: {ALTER SYSTEM: []}
words: {begin: BEGIN}
errors: {syntax: [{code: 7}]}
spellings: [{statement: "DROP USER {user} CASCADE", becomes: "DROP USER {user} NOW"}]
fixes: {users: ask}
"""
    mine, base = load_profile(write(tmp_path, MINE + own)), load_profile("mariadb")
    assert mine.sql == {**base.sql, "probe": ("SELECT 2",)}
    assert mine.privileges == {**base.privileges, "ALTER SYSTEM": ()}
    assert mine.words == {**base.words, "begin": ("BEGIN",)}
    assert {name for name in base.errors if mine.errors[name] != base.errors[name]} == {"syntax"}
    assert mine.fixes == {**base.fixes, "users": "ask"}
    assert mine.spell("DROP USER a CASCADE") == "DROP USER a NOW"
    assert mine.spell("ALTER SYSTEM KILL SESSION '1'") == "KILL '1'", "the others are inherited"
    assert len(mine.spellings) == len(base.spellings)


def test_lists_other_than_spellings_are_replaced(tmp_path: Path) -> None:
    mine = load_profile(write(tmp_path, MINE + "administrators: [boss]\nretry: [{code: 5}]\n"))
    assert (mine.administrators, [pattern.code for pattern in mine.retry]) == (("BOSS",), [5])


def test_a_problem_of_an_inherited_spelling_is_shown_with_its_place_in_the_extended_file(tmp_path: Path) -> None:
    drop, unknown = (
        '{statement: "DROP USER {user} CASCADE", becomes: x}',
        '{statement: "NO CASE SENDS {it}", becomes: y}',
    )
    base = write(tmp_path, f"{MINE}spellings: [{drop}, {unknown}]\n", "base.yaml")
    mine = write(tmp_path, f"{MINE.replace('mariadb', 'base.yaml')}spellings: [{drop}]\n")
    (problem,) = profile_problems(load_profile(mine), own_suite())
    assert (str(problem.place.path), "NO CASE SENDS" in problem.what) == (base, True)


def test_capabilities_that_a_profile_lacks_are_added_replaced_or_removed(tmp_path: Path) -> None:
    base = load_profile("mariadb").lacks
    mine = load_profile(write(tmp_path, f"{MINE}lacks: {{roles: no roles, serial: another reason, blocks: null}}\n"))
    assert mine.lacks == {
        **{name: reason for name, reason in base.items() if name != "blocks"},
        "roles": "no roles",
        "serial": "another reason",
    }


def test_cases_that_are_not_applicable_are_added(tmp_path: Path) -> None:
    first = write(tmp_path, f"{MINE}not_applicable:\n  - {{cases: [plain-form], reason: one}}\n", "first.yaml")
    text = f"{MINE.replace('mariadb', 'first.yaml')}not_applicable:\n  - {{cases: [plain-fom], reason: two}}\n"
    second = load_profile(write(tmp_path, text, "second.yaml"))
    assert [exemption.reason for exemption in second.exemptions] == ["one", "two"]
    (problem,) = profile_problems(second, own_suite())
    assert (problem.place.path.name, problem.place.line, "'plain-fom'" in problem.what) == ("second.yaml", 6, True)
    again = write(tmp_path, text.replace("fom", "form"), "third.yaml")
    (problem,) = profile_problems(load_profile(again), own_suite())
    assert (problem.place.path.name, problem.place.line) == ("third.yaml", 6)
    assert f"plain-form is already in {first}:6:" in problem.what


def test_a_problem_in_a_file_that_is_extended_is_shown_there(tmp_path: Path) -> None:
    base = write(tmp_path, f"{MINE}errors: {{sytax: []}}\n", "base.yaml")
    mine = write(tmp_path, MINE.replace("mariadb", "base.yaml"))
    (problem,) = profile_problems(load_profile(mine), own_suite())
    assert (str(problem.place.path), problem.what) == (base, "unknown error class 'sytax'")


def test_a_file_is_looked_for_beside_the_one_that_extends_it(tmp_path: Path) -> None:
    write(tmp_path, MINE, "more/base.yaml")
    mine = write(tmp_path, MINE.replace("mariadb", "base.yaml"), "more/mine.yaml")
    assert load_profile(mine).sql == load_profile("mariadb").sql


REFUSED = {
    "an unknown name": ("extends: mariadbb", "4:1", "unknown profile 'mariadbb'", "did you mean 'mariadb'?"),
    "a file that is not there": ("extends: none.yaml", "4:1", "there is no file", "begins in this folder"),
    "itself": ("extends: mine.yaml", "4:1", "the profile extends itself: mine.yaml extends mine.yaml", "another"),
    "no name": ("extends: 5", "4:1", "5 doesn't fit: expected text", "Another profile"),
    "a removed capability that is not lacked": (
        "extends: mariadb\nlacks: {roles: null}",
        "5:9",
        "no extended profile lacks 'roles'",
        "state a reason",
    ),
    "null where nothing is extended": ("lacks: {roles: null}", "4:9", "no extended profile lacks 'roles'", "reason"),
    "a misspelt key": ("extends: mariadb\nlack: {}", "5:1", "unknown key 'lack'", "did you mean 'lacks'?"),
    "a section of another type": ("extends: mariadb\nerrors: []", "5:1", "expected a mapping", "one matching"),
    "nothing extended": ("words: {}\nerrors: {}", "1:1", "the key 'sql' is missing", "that the runner itself sends"),
    "no drop_user": (
        "words: {}\nerrors: {}\nsql: {drop_role: x}",
        "6:1",
        "the key 'drop_user' is missing",
        "Drops {user}",
    ),
}


@pytest.mark.parametrize(("text", "place", "what", "hint"), REFUSED.values(), ids=list(REFUSED))
def test_a_profile_that_extends_wrongly_is_refused_with_its_place(
    tmp_path: Path, text: str, place: str, what: str, hint: str
) -> None:
    path = write(tmp_path, MINE.replace("extends: mariadb\n", f"{text}\n"))
    with pytest.raises(SourceError) as caught:
        load_profile(path)
    found = [one for one in caught.value.all if what in one.what]
    assert found, str(caught.value)
    assert (str(found[0].place), hint in found[0].hint) == (f"{path}:{place}", True), str(found[0])


def test_a_cycle_of_profiles_is_refused_at_the_place_that_closes_it(tmp_path: Path) -> None:
    mine = write(tmp_path, MINE.replace("mariadb", "other.yaml"))
    other = write(tmp_path, MINE.replace("mariadb", "mine.yaml"), "other.yaml")
    with pytest.raises(SourceError) as caught:
        load_profile(mine)
    assert caught.value.what == "the profile extends itself: mine.yaml extends other.yaml extends mine.yaml"
    assert str(caught.value.place) == f"{other}:4:1"


def test_an_extended_file_that_is_no_profile_is_refused_there(tmp_path: Path) -> None:
    base = write(tmp_path, "- a list\n", "base.yaml")
    with pytest.raises(SourceError) as caught:
        open_profile(write(tmp_path, MINE.replace("mariadb", "base.yaml")))
    assert str(caught.value.place).startswith(f"{base}:1:1")
