"""Profiles: how a kind of server spells things, and what is said about files that are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.database.outcome import Ok, ServerError
from runner.database.profile import ErrorPattern, Spelling, load_profile
from runner.database.profile_files import profile_names
from runner.language.case_files import case_files, load_cases
from runner.language.problems import Place, SourceError
from tests.support.paths import CASES

OWN = """\
format: 1
name: my-server
title: my own server
client_flag_bits: [0, 27, 27]
sql:
  create_user: ["CREATE USER {user}", "ALTER USER {user} PASSWORD '{password}'"]
  drop_user: DROP USER {user}
  list_users: SELECT name FROM users WHERE name LIKE '{prefix}%'
  grant: GRANT {privilege} TO {user}
  drop_role: DROP ROLE {role}
  table_name: "{administrator}.{name}"
  create_table: CREATE TABLE {table} (id INT, val INT)
  insert_row: INSERT INTO {table} VALUES ({id}, {val})
  grant_table: []
  drop_table: DROP TABLE {table}
  process_list: SHOW SESSIONS
  probe: SELECT 1
privileges:
  ALTER SYSTEM: []
  CREATE SESSION: GRANT CONNECT TO {user}
words: {begin: BEGIN, sleep: ["SLEEP {seconds}", "WAIT {seconds}"]}
errors:
  privilege: [{code: 1031}, {sqlstate: "42000", text: "priv(ilege)?"}]
  syntax: [{code: 1031, text: near}]
retry: [{code: 1396}, {code: 5, text: busy}]
spellings:
  - {statement: "ALTER SYSTEM KILL SESSION '{id}, {serial}'", becomes: "END {id} ({serial})"}
  - {statement: "ALTER SYSTEM KILL SESSION '{id}'", becomes: "END {id}"}
not_applicable:
  - {requirements: [EXA-1], reason: no example}
  - {cases: [a-case, "b-case[one]"], reason: no case}
"""


def own(folder: Path, text: str = OWN) -> Path:
    path = folder / "own.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_cases_drop_roles_and_users_as_the_runner_does(tmp_path: Path) -> None:
    text = OWN.replace("drop_role: DROP ROLE {role}", "drop_role: DROP ROLE IF EXISTS {role}")
    profile = load_profile(str(own(tmp_path, text)))
    assert profile.spell("DROP ROLE A") == "DROP ROLE IF EXISTS A"
    assert profile.spell("DROP USER A CASCADE;") == "DROP USER A;"
    assert load_profile("oceanbase-oracle").spell("DROP USER A CASCADE") == "DROP USER A CASCADE"


def test_a_spelling_of_the_profile_replaces_the_runners_statement(tmp_path: Path) -> None:
    text = OWN.replace("spellings:", 'spellings:\n  - {statement: "DROP USER {u} CASCADE", becomes: "REMOVE {u}"}')
    assert load_profile(str(own(tmp_path, text))).spell("DROP USER A CASCADE") == "REMOVE A"


@pytest.mark.parametrize("name", profile_names())
def test_every_profile_of_the_suite_loads_under_its_name(name: str) -> None:
    assert load_profile(name).name == name


def test_a_profile_of_the_user_is_read_from_its_file(tmp_path: Path) -> None:
    profile = load_profile(str(own(tmp_path)))
    assert (profile.name, profile.title) == ("my-server", "my own server")
    assert profile.client_flag == 2**27 + 1
    made = profile.statements("create_user", user="U", password="p")  # noqa: S106 - of nobody
    assert made == ["CREATE USER U", "ALTER USER U PASSWORD 'p'"]
    assert profile.statement("drop_user", user="U") == "DROP USER U"
    assert profile.statements("grant_table", table="T", user="U") == []
    assert profile.words == {"begin": ("BEGIN",), "sleep": ("SLEEP {seconds}", "WAIT {seconds}")}


QUOTED = "KSC_t6g000aaaaa_1"
WRITTEN = [("oceanbase-oracle", '"', '"'), ("mariadb", "`", ""), ("mysql", "`", ""), ("seekdb", "`", "")]


@pytest.mark.parametrize(("profile", "statement", "login"), WRITTEN)
def test_a_user_name_with_small_letters_is_quoted(profile: str, statement: str, login: str) -> None:
    loaded = load_profile(profile)
    written = f"{statement}{QUOTED}{statement}"
    assert loaded.quoted(QUOTED) == written
    assert loaded.quoted(QUOTED, "login") == f"{login}{QUOTED}{login}"
    assert loaded.statement("create_user", user=QUOTED, password="p").startswith(f"CREATE USER {written} ")  # noqa: S106 - no user has it
    assert loaded.grants("SHOW VIEW", QUOTED)[0].endswith(f" TO {written}")
    assert loaded.quoted(QUOTED.upper()) == QUOTED.upper()


PRIVILEGES = [("ALTER SYSTEM", []), ("CREATE SESSION", ["GRANT CONNECT TO U"]), ("X", ["GRANT X TO U"])]


@pytest.mark.parametrize(("privilege", "statements"), PRIVILEGES)
def test_a_privilege_is_granted_with_the_statements_of_the_profile(
    tmp_path: Path, privilege: str, statements: list[str]
) -> None:
    assert load_profile(str(own(tmp_path))).grants(privilege, "U") == statements


SPELLINGS = {
    "ALTER SYSTEM KILL SESSION '12'": "END 12",
    "ALTER SYSTEM KILL SESSION '12';": "END 12;",
    "ALTER SYSTEM KILL SESSION '12' ; ": "ALTER SYSTEM KILL SESSION '12' ; ",
    "ALTER SYSTEM KILL SESSION '12, 5'": "END 12 (5)",
    "ALTER SYSTEM KILL SESSION ''": "END ",
    "ALTER SYSTEM KILL SESSION '12' IMMEDIATE": "ALTER SYSTEM KILL SESSION '12' IMMEDIATE",
    "alter system kill session '12'": "alter system kill session '12'",
    "ALTER SYSTEM KILL SESSION '1' '2'": "ALTER SYSTEM KILL SESSION '1' '2'",
    "SELECT 1": "SELECT 1",
    "": "",
}


@pytest.mark.parametrize(("statement", "sent"), SPELLINGS.items())
def test_the_first_spelling_that_matches_the_whole_statement_is_used(tmp_path: Path, statement: str, sent: str) -> None:
    assert load_profile(str(own(tmp_path))).spell(statement) == sent


def test_special_characters_of_regular_expressions_are_literal_in_a_spelling() -> None:
    spelling = Spelling("a.b (c) {x} [d]*", "<{x}>")
    assert spelling.apply("a.b (c) 7 [d]*") == "<7>"
    assert spelling.apply("aXb (c) 7 [d]*") is None


ERRORS = [
    (ServerError(1031, "42000", "ORA-01031"), ["privilege"]),
    (ServerError(1031, "", "error near x"), ["privilege", "syntax"]),
    (ServerError(5, "42000", "no PRIVILEGE"), ["privilege"]),
    (ServerError(5, "HY000", "no privilege"), []),
    (ServerError(900, "42000", "near x"), []),
]


@pytest.mark.parametrize(("error", "classes"), ERRORS)
def test_an_error_belongs_to_the_classes_whose_parts_all_match(
    tmp_path: Path, error: ServerError, classes: list[str]
) -> None:
    assert load_profile(str(own(tmp_path))).classes_of(error) == classes


def test_an_empty_pattern_matches_every_error() -> None:
    assert ErrorPattern(None, None, None).fits(ServerError(0, "", ""))


PASSING = [(ServerError(1396, "", ""), True), (ServerError(5, "", "Busy"), True), (ServerError(5, "", ""), False)]


@pytest.mark.parametrize(("error", "passes"), PASSING)
def test_a_profile_defines_which_errors_are_transient(tmp_path: Path, error: ServerError, passes: bool) -> None:
    assert load_profile(str(own(tmp_path))).is_transient(error) is passes


def test_a_success_is_not_transient(tmp_path: Path) -> None:
    assert not load_profile(str(own(tmp_path))).is_transient(Ok())


@pytest.mark.parametrize("name", profile_names())
def test_the_requirements_and_cases_that_a_profile_exempts_exist(name: str) -> None:
    cases = [case for path in case_files(CASES) for case in load_cases(path)]
    there = {name for case in cases for name in (case.id, case.name)}
    for exemption in load_profile(name).exemptions:
        assert exemption.requirements <= {case.requirement.id for case in cases}
        assert exemption.cases <= there


OCEANBASE = [
    (ServerError(1031, "42000", "ORA-01031: insufficient privileges"), "privilege"),
    (ServerError(600, "HY000", "OBE-01031: insufficient privileges"), "privilege"),
    (ServerError(900, "42000", "ORA-00900: You have an error in your SQL syntax"), "syntax"),
    (ServerError(5001, "42000", "OBE-00933: command not properly ended"), "syntax"),
    (
        ServerError(600, "HY000", "ORA-00600: internal error code, arguments: -4174, Unknown thread id"),
        "unknown-session",
    ),
    (ServerError(600, "HY000", "ORA-00600: arguments: -5251, You are not owner of thread 7"), "not-owner"),
    (ServerError(1317, "70100", "Query execution was interrupted"), "interrupted"),
    (ServerError(1045, "42000", "ORA-01017: invalid username/password"), "login-refused"),
]


@pytest.mark.parametrize(("error", "expected"), OCEANBASE, ids=[str(error.message) for error, _ in OCEANBASE])
def test_the_default_profile_knows_the_errors_of_oceanbase(error: ServerError, expected: str) -> None:
    assert load_profile("oceanbase-oracle").classes_of(error) == [expected]


EXEMPT = [
    (("EXA-1", "x"), "no example"),
    (("PUR-1", "a-case", "a-case[two]"), "no case"),
    (("PUR-1", "b-case", "b-case[one]"), "no case"),
    (("PUR-1", "b-case", "b-case[two]"), None),
    (("EXA-10", "a-cas"), None),
]


@pytest.mark.parametrize(("names", "because"), EXEMPT)
def test_a_case_is_exempt_by_requirement_by_id_or_by_its_parameters(
    tmp_path: Path, names: tuple[str, ...], because: str | None
) -> None:
    assert load_profile(str(own(tmp_path))).exemption_reason(*names) == because


UNKNOWN = [("oceanbase-oracl", "did you mean 'oceanbase-oracle'?"), ("", "known names: "), ("zzz", "known names: ")]


@pytest.mark.parametrize(("name", "hint"), UNKNOWN)
def test_an_unknown_profile_is_refused_with_the_known_ones(name: str, hint: str) -> None:
    with pytest.raises(SourceError) as caught:
        load_profile(name)
    assert "unknown profile" in caught.value.what
    assert hint in caught.value.hint


def test_a_nonexistent_profile_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="can't be read"):
        load_profile(str(tmp_path / "none.yaml"))


BROKEN = {
    "empty": ("@@", "the file has no content"),
    "no YAML": (OWN.replace("words: {", "@@words: \t{]"), "broken YAML"),
    "unknown key": (OWN.replace("title:", "titel:").replace("name: my", "@@titel: a\nname: my"), "is duplicate"),
    "misspelt purpose": (OWN.replace("  probe", "  @@prob"), "unknown key 'prob'"),
    "missing purpose": (OWN.replace("sql:", "@@sql:").replace("  probe: SELECT 1\n", ""), "'probe' is missing"),
    "newer": (OWN.replace("format: 1", "@@format: 7"), "unknown format 7"),
    "no expression": (OWN.replace("text: near", "@@text: 'near('"), "is not a valid regular expression"),
    "no expression, to try again": (OWN.replace("text: busy", "@@text: 'busy('"), "is not a valid regular expression"),
    "an expression with a number of repetitions that is too large": (
        OWN.replace("text: busy", "@@text: 'a{99999999999999999999}'"),
        "is not a valid regular expression",
    ),
    "an expression of everything": (OWN.replace("text: near", "@@text: 'near|'"), "matches every text"),
    "an expression of nothing": (OWN.replace("text: busy", "@@text: '.*'"), "matches every text"),
    "no sqlstate": (OWN.replace('{sqlstate: "42000"', '{@@sqlstate: "4200"'), "it must match"),
    "empty class": (OWN.replace("[{code: 1031, text: near}]", "[@@{}]"), "must not be empty"),
    "a code beyond the wire": (OWN.replace("[{code: 1031}, ", "[{@@code: 70000}, "), "70000"),
    "a bit beyond the wire": (OWN.replace("[0, 27, 27]", "[0, @@32]"), "32"),
    "two characters as a quote": (OWN + "\nquotes: {@@statement: '<>'}\n", "longer than 1 character"),
    "no quotes in statements": (OWN + "\n@@quotes: {login: '`'}\n", "'statement' is missing"),
    "no reason": (OWN.replace("{requirements: [EXA-1], reason: no example}", "@@{}"), "'reason' is missing"),
}


@pytest.mark.parametrize(("text", "what"), [pytest.param(*row, id=name) for name, row in BROKEN.items()])
def test_an_invalid_profile_is_refused(tmp_path: Path, text: str, what: str) -> None:
    before, mark, after = text.partition("@@")
    assert mark, "the test names no place"
    path = own(tmp_path, before + after)
    with pytest.raises(SourceError) as caught:
        load_profile(str(path))
    assert what in caught.value.what
    if what not in {"broken YAML", "is duplicate"}:
        place = Place(path, before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1)
        assert caught.value.place == place


FIELDS = {
    "create_user: unknown field": OWN.replace("CREATE USER {user}", "CREATE USER {usr}"),
    "drop_user: open brace": OWN.replace("DROP USER {user}", "'DROP USER {user'"),
    "sleep: unknown field": OWN.replace("WAIT {seconds}", "WAIT {minutes}"),
    "spelling: a field that the statement has not": OWN.replace('becomes: "END {id}"', 'becomes: "END {sid}"'),
    "spelling: a field twice": OWN.replace("'{id}, {serial}'", "'{id}, {id}'"),
    "grant: a positional field": OWN.replace("GRANT {privilege} TO {user}", "'GRANT {} TO {user}'"),
    "privileges: unknown field": OWN.replace("CONNECT TO {user}", "CONNECT TO {usr}"),
    "an unfilled purpose": OWN.replace("drop_user: DROP USER {user}", "drop_user: []"),
}


@pytest.mark.parametrize("text", FIELDS.values(), ids=list(FIELDS))
def test_an_invalid_placeholder_is_refused_when_the_profile_is_read(tmp_path: Path, text: str) -> None:
    with pytest.raises(SourceError):
        load_profile(str(own(tmp_path, text)))
