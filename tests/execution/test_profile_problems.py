"""Every name in a profile is held against the cases: what nothing knows is refused, with its place and a hint.

In the texts, @@ marks the place that the error has to name; it is not part of the file.
"""

from __future__ import annotations

import re
import string
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.database.profile import load_profile
from runner.database.profile_files import profile_names
from runner.execution.applicability import exempted
from runner.execution.profile_problems import check_profile, profile_problems
from runner.language.problems import Place, SourceError
from runner.language.schema_check import read_document
from runner.language.suite import Suite, own_suite, suite_in
from runner.language.yaml_file import KeyPath
from tests.support.paths import ROOT

PROFILES = ROOT / "runner" / "profiles"

PROFILE = """\
format: 1
name: my-server
title: my own server
sql:
  create_user: CREATE USER {user} IDENTIFIED BY {password}
  drop_user: DROP USER {user}
  list_users: SELECT name FROM users WHERE name LIKE '{prefix}%'
  grant: GRANT {privilege} TO {user}
  drop_role: DROP ROLE {role}
  table_name: "main.{name}"
  create_table: CREATE TABLE {table} (id INT, val INT)
  insert_row: INSERT INTO {table} VALUES ({id}, {val})
  grant_table: []
  drop_table: DROP TABLE {table}
  process_list: SHOW SESSIONS
  probe: SELECT 1
privileges:
  ALTER SYSTEM: []
words: {begin: BEGIN, sleep: ["SLEEP {seconds}", "WAIT {seconds}"]}
errors:
  privilege: [{code: 1031}, {code: 1032, text: priv}]
  syntax: []
retry: [{code: 1396}]
spellings:
  - {statement: "KILL '{id}, {serial}'", becomes: "END '{id}, {serial}'"}
  - {statement: "KILL '{id}'", becomes: "END {id}"}
lacks: {at-once: no such word}
not_applicable:
  - {requirements: [OBS-1], reason: no example}
  - cases: [first, "second[one]"]
    reason: no case
"""

REGISTER = """\
format: 1
source: {title: a page}
requirements:
  MUS-1: {level: must, text: "it must"}
  MUS-2: {level: must, text: "it must, too"}
  OBS-1: {level: observe, text: "nobody says"}
errors:
  privilege: a privilege is missing
  syntax: not in the grammar
words: {begin: opens a transaction, sleep: takes long}
guarded: KILL
capabilities:
  at-once: {text: the word NOW, guarded: "' NOW"}
  serial: {text: a serial, guarded: "', "}
"""

CASES = """\
format: 1
sessions:
  killer: {grants: [ALTER SYSTEM, CREATE TABLE]}
  victim: {user: killer}
cases:
  - {id: first, requirement: MUS-1, title: t, steps: [{killer: "KILL '${victim.id}'", reply: ok}]}
  - id: second
    requirement: MUS-2
    title: ${how}
    parameters: {how: {one: "0", two: "1"}}
    table: [[1, 0]]
    steps:
      - {killer: "KILL '${victim.id}, ${how}';", reply: ok}
      - {victim: "SELECT val FROM ${table} WHERE id = 1", reply: rows}
      - {victim: "${sleep}", reply: [ok, rows]}
  - {id: third, requirement: MUS-2, title: t, steps: [{killer: SELECT 1}]}
  - {id: now, requirement: MUS-2, title: t, steps: [{killer: "KILL '${victim.id}' NOW", reply: ok}]}
  - {id: look, requirement: OBS-1, title: t, steps: [{killer: SELECT 1, reply: observed}], observe: {it: {reply: rows}}}
"""


@dataclass(frozen=True)
class Bad:
    """A profile that must not pass; ``what`` and ``hint`` are parts of what is said about it."""

    name: str
    old: str
    new: str
    what: str
    hint: str
    count: int = 1

    @property
    def text(self) -> str:
        assert PROFILE.count(self.old) == 1, self.old
        return PROFILE.replace(self.old, self.new)


BAD = [
    Bad("error class", "  syntax:", "  @@sytax:", "unknown error class 'sytax'", "did you mean 'syntax'?"),
    Bad("error class, case", "  syntax:", "  @@SYNTAX:", "unknown error class 'SYNTAX'", "mean 'syntax'?"),
    Bad("error class, far off", "  syntax:", "  @@zz:", "unknown error class 'zz'", "interrupted, login-refused"),
    Bad("word", "{begin:", "{@@begn:", "unknown word 'begn'", "did you mean 'begin'?"),
    Bad("privilege", "  ALTER SYSTEM:", "  @@ALTER SYSTM:", "'ALTER SYSTM'", "mean 'ALTER SYSTEM'?"),
    Bad("privilege, case", "  ALTER SYSTEM:", "  @@alter system:", "'alter system'", "mean 'ALTER SYSTEM'?"),
    Bad("requirement", "[OBS-1]", "[@@OBS-11]", "unknown requirement 'OBS-11'", "did you mean 'OBS-1'?"),
    Bad("capability", "{at-once:", "{@@at-onec:", "unknown capability 'at-onec'", "did you mean 'at-once'?"),
    Bad("capability, case", "{at-once:", "{@@At-once:", "unknown capability 'At-once'", "did you mean 'at-once'?"),
    Bad("a case as a capability", "{at-once:", "{@@first:", "unknown capability 'first'", ""),
    Bad(
        "a case that needs what is lacking",
        "[first,",
        "[first, @@now,",
        "now is already not applicable because of",
        "its cases need what the profile lacks",
    ),
    Bad("requirement, far off", "[OBS-1]", "[@@Q]", "unknown requirement 'Q'", "kill-session-conformance explain"),
    Bad("case", "[first,", "[@@frist,", "unknown case 'frist'", "did you mean 'first'?"),
    Bad("a case as a requirement", "[OBS-1]", "[OBS-1, @@first]", "unknown requirement 'first'", ""),
    Bad("a requirement as a case", "[first,", "[@@MUS-1,", "unknown case 'MUS-1'", "kill-session-conformance explain"),
    Bad("parameters", '"second[one]"', '@@"second[ones]"', "no parameters 'second[ones]'", "'second[one]'?"),
    Bad("parameters of none", "[first,", "[@@'first[one]',", "has no parameters", "its id only"),
    Bad("case and parameters", '"second[one]"', '@@"secnd[one]"', "unknown case 'secnd[one]'", "second[one]"),
    Bad("spelling", "{statement: \"KILL '{id}'", "{@@statement: \"KIL '{id}'", "KIL '{id}'", "KILL '{victim.id}'"),
    Bad(
        "spelling, quoted otherwise",
        "{statement: \"KILL '{id}'",
        '{@@statement: "KILL `{id}`',
        "no case sends the statement 'KILL `{id}`'",
        "KILL {sys.id}",
    ),
    Bad(
        "spelling, nothing like it",
        "  - {statement: \"KILL '{id}'",
        '  - {@@statement: "WELCOME {id}", becomes: x}\n  - {statement: "KILL \'{id}\'',
        "no case sends the statement 'WELCOME {id}'",
        "remove the spelling",
    ),
    Bad(
        "spelling twice",
        "lacks:",
        "  - {@@statement: \"KILL '{id}'\", becomes: x}\nlacks:",
        "never used: ",
        "move it up",
    ),
    Bad(
        "spellings behind a wider one",
        "  - {statement: \"KILL '{id}, {serial}'",
        "  - {statement: \"KILL '{any}'\", becomes: x}\n  - {@@statement: \"KILL '{id}, {serial}'",
        "never used: ",
        "move it up",
        count=2,
    ),
    Bad("error twice", "[{code: 1031},", "[{code: 1031}, @@{code: 1031},", "this description is already in", ""),
    Bad("to try again twice", "[{code: 1396}]", "[{code: 1396}, @@{code: 1396}]", "is already in", "keep one"),
    Bad("requirement twice", "[OBS-1]", "[OBS-1, @@OBS-1]", "OBS-1 is already in", "keep one of them"),
    Bad("case twice", "[first,", "[first, @@first,", "first is already in", "keep one of them"),
    Bad(
        "case in two entries",
        "    reason: no case\n",
        "    reason: no case\n  - {cases: [@@first], reason: other}\n",
        "first is already in",
        "keep one of them",
    ),
    Bad(
        "case of a requirement in another entry",
        "    reason: no case\n",
        "    reason: no case\n  - {cases: [@@look], reason: other}\n",
        "the case look is already not applicable because of",
        "with one reason",
    ),
    Bad(
        "parameters of a case in another entry",
        "    reason: no case\n",
        "    reason: no case\n  - {cases: [@@second], reason: other}\n",
        "the case second[one] is already not applicable because of",
        "with one reason",
    ),
    Bad(
        "an entry of nothing",
        "    reason: no case\n",
        "    reason: no case\n  - @@reason: other\n",
        "has neither requirements nor cases",
        "remove the entry",
    ),
]


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    folder = tmp_path_factory.mktemp("register") / "cases"
    folder.mkdir()
    (folder / "requirements.yaml").write_text(REGISTER, "utf-8")
    (folder / "file.yaml").write_text(CASES, "utf-8")
    return suite_in([folder])


def write(folder: Path, text: str) -> Path:
    path = folder / "own.yaml"
    path.write_text(text, "utf-8")
    return path


def test_the_profile_that_other_tests_change_is_valid(tmp_path: Path, suite: Suite) -> None:
    check_profile(load_profile(str(write(tmp_path, PROFILE))), suite)


@pytest.mark.parametrize("bad", BAD, ids=[bad.name for bad in BAD])
def test_an_unknown_name_is_refused_with_its_place_and_a_hint(tmp_path: Path, suite: Suite, bad: Bad) -> None:
    before, mark, after = bad.text.partition("@@")
    assert mark, "the test names no place"
    path = write(tmp_path, before + after)
    problems = profile_problems(load_profile(str(path)), suite)
    place = Place(path, before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1)
    problem = problems[0]
    assert (problem.place, bad.what in problem.what, bad.hint in problem.hint) == (place, True, True), str(problem)
    assert len(problems) == bad.count, list(map(str, problems))


ALLOWED = {
    "an error class without errors": ("  syntax: []", "  syntax: []\n  interrupted: []"),
    "an error in two classes": ("  syntax: []", "  syntax: [{code: 1031}]"),
    "a case beside its requirement, for one reason": (
        "requirements: [OBS-1],",
        "requirements: [OBS-1], cases: [look],",
    ),
    "a name of the suite's own cases": ("[OBS-1]", "[OBS-1, PAR-4]"),
    "a case of the suite's own": ("[first,", "[first, mutual-kill,"),
    "a statement of the suite's own cases": (
        "spellings:",
        'spellings:\n  - {statement: "DROP USER {user} CASCADE", becomes: "DROP USER {user}"}',
    ),
    "a spelling that takes a part of a later one's": (
        "spellings:",
        'spellings:\n  - {statement: "KILL \'{id}, 0\'", becomes: "END {id}"}',
    ),
    "a spelling around a table's name": (
        "spellings:",
        'spellings:\n  - {statement: "SELECT val FROM main.{t} WHERE id = 1", becomes: "TABLE {t}"}',
    ),
    "a spelling of what a word becomes": (
        "spellings:",
        'spellings:\n  - {statement: "WAIT {s}", becomes: "PAUSE {s}"}',
    ),
    "a capability of the suite's own": ("{at-once:", "{own-user-privilege: no, at-once:"),
    "an entry of all cases of several requirements": ("[OBS-1]", "[OBS-1, SYN-1, SYN-2]"),
}


@pytest.mark.parametrize(("old", "new"), ALLOWED.values(), ids=list(ALLOWED))
def test_names_of_the_run_or_of_the_suites_own_cases_are_valid(
    tmp_path: Path, suite: Suite, old: str, new: str
) -> None:
    assert PROFILE.count(old) == 1
    assert list(map(str, profile_problems(load_profile(str(write(tmp_path, PROFILE.replace(old, new)))), suite))) == []


KILL_OF_NUMBERS = """
format: 1
name: mine
title: Mine
extends: mysql
spellings:
  - {statement: "ALTER SYSTEM KILL SESSION '{id}'", becomes: "KILL {id}"}
"""


def test_a_spelling_that_makes_statements_that_the_guard_rejects_is_refused_with_all_reasons(tmp_path: Path) -> None:
    path = write(tmp_path, KILL_OF_NUMBERS)
    problems = profile_problems(load_profile(str(path)), own_suite())
    assert {problem.place for problem in problems} == {Place(path, 7, 53)}
    shown = [problem.what for problem in problems]
    assert any("the case unusual-id[plus] is sent as 'KILL +1'" in what for what in shown), shown
    assert any("the case text-that-is-no-id[star] is sent as 'KILL *'" in what for what in shown), shown


def test_a_server_whose_kill_accepts_only_numbers_lacks_one_capability(tmp_path: Path) -> None:
    path = write(tmp_path, f"{KILL_OF_NUMBERS}lacks:\n  text-id: KILL takes a number only\n")
    profile = load_profile(str(path))
    assert list(map(str, profile_problems(profile, own_suite()))) == []
    sent = [case for case in own_suite().cases if case.requirement.id == "IMP-4" and exempted(case, profile) is None]
    assert sent, "cases with numbers stay"
    assert not any(word in case.name for case in sent for word in ("no-number", "nothing]"))


def test_all_problems_are_counted_where_only_the_first_is_shown(tmp_path: Path, suite: Suite) -> None:
    path = write(tmp_path, PROFILE.replace("  syntax:", "  sytax:").replace("{begin:", "{begn:"))
    with pytest.raises(SourceError, match="unknown word 'begn'") as caught:
        check_profile(load_profile(str(path)), suite)
    assert "all 2 problems" in caught.value.hint


@pytest.mark.parametrize("name", profile_names())
def test_the_profiles_of_the_suite_are_valid_for_its_own_cases_and_for_another_register(
    suite: Suite, name: str
) -> None:
    assert list(map(str, profile_problems(load_profile(name), own_suite()))) == []
    assert list(map(str, profile_problems(load_profile(name), suite))) == []


@cache
def names_in(profile: str) -> list[tuple[int, int, str]]:
    """The names in a profile that cases or the format know: line, column and text of each."""
    path = PROFILES / f"{profile}.yaml"
    document = read_document(path, "profile.schema.json", 1)
    found: list[tuple[KeyPath, str]] = [
        ((section, name), name)
        for section in ("errors", "words", "privileges", "sql", "lacks")
        for name in document.data.get(section, {})
    ]
    for index, row in enumerate(document.data.get("not_applicable", ())):
        for kind in ("requirements", "cases"):
            found += [(("not_applicable", index, kind, at), name) for at, name in enumerate(row.get(kind, ()))]
    return [(place.line, place.column, name) for keys, name in found if (place := document.place(*keys))]


@settings(max_examples=30)
@given(data=st.data(), letter=st.sampled_from(string.ascii_letters + string.digits))
@pytest.mark.parametrize("profile", profile_names())
def test_a_typo_in_any_name_of_the_suites_profiles_is_refused(
    tmp_path_factory: pytest.TempPathFactory, profile: str, data: st.DataObject, letter: str
) -> None:
    line, column, name = data.draw(st.sampled_from(names_in(profile)))
    at = data.draw(st.integers(0, len(name) - 1))
    kind = data.draw(st.sampled_from(["another letter", "one more", "one less"]))
    typo = name[:at] + {"another letter": letter, "one more": letter + name[at], "one less": ""}[kind] + name[at + 1 :]
    suite = own_suite()
    known = {*suite.requirements, *suite.capabilities, *(text for case in suite.cases for text in (case.id, case.name))}
    if typo == name or typo in known or not typo:
        return  # no typo, or one that makes another name
    lines = (PROFILES / f"{profile}.yaml").read_text("utf-8").splitlines(keepends=True)
    head, tail = lines[line - 1][: column - 1], lines[line - 1][column - 1 :]
    lines[line - 1] = head + tail.replace(name, typo, 1)
    path = write(tmp_path_factory.getbasetemp(), "".join(lines))
    with pytest.raises(SourceError) as caught:
        check_profile(load_profile(str(path)), suite)
    missing = "is missing here" in caught.value.what  # a purpose that has to be there: it is missed in its section
    assert (caught.value.place.path, missing or caught.value.place.line) == (path, missing or line)


#: Each statement once, with the profile that spells it: a profile that extends another one has that one's, too.
SPELLED = [
    (name, spelling.statement)
    for name in profile_names()
    for spelling in load_profile(name).spellings
    if f'"{spelling.statement}"' in (PROFILES / f"{name}.yaml").read_text("utf-8")
]


@pytest.mark.parametrize(("profile", "statement"), SPELLED, ids=[" ".join(pair) for pair in SPELLED])
def test_a_typo_in_any_statement_that_the_suites_profiles_spell_is_refused(
    tmp_path: Path, profile: str, statement: str
) -> None:
    text = (PROFILES / f"{profile}.yaml").read_text("utf-8")
    words = re.sub(r"\{\w+\}", lambda match: " " * len(match[0]), statement)
    letters = [at for at, char in enumerate(words) if char.isalpha()]
    for at in (letters[0], letters[len(letters) // 2], letters[-1]):
        typo = f"{statement[:at]}{statement[at].swapcase()}{statement[at + 1 :]}"
        path = write(tmp_path, text.replace(f'"{statement}"', f'"{typo}"'))
        with pytest.raises(SourceError, match="no case sends the statement"):
            check_profile(load_profile(str(path)), own_suite())
