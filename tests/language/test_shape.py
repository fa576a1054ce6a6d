"""The statements that the language accepts: guarded ones in allowed shapes, and those that kill no session."""

from __future__ import annotations

import json
import string
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.database.profile import Profile, load_profile
from runner.database.profile_files import profile_names
from runner.language.case_files import case_files, load_cases
from runner.language.guarded_statements import shape_problem
from runner.language.model import Case, Send, Vocabulary
from runner.language.problems import SourceError
from runner.language.register import find_register
from tests.language.case_texts import REGISTER, VALID, write
from tests.support.paths import CASES

OURS = find_register(CASES / "any.yaml").vocabulary
OPEN = Vocabulary({}, {}, "KILL")
"""The vocabulary of a register that lists no words."""

REFUSED = {
    # what the server computes
    "a subquery": "KILL (SELECT MAX(id) FROM information_schema.processlist)",
    "a function": "KILL CONNECTION_ID()",
    "a sum": "KILL 12+1",
    "a difference": "KILL 12 - 1",
    "a difference that looks like a comment": "KILL 12--1",
    "a comment behind a number": "KILL 12 -- one",
    "a text and a number": "KILL '12'+1",
    "a product": "KILL 3*4",
    "a remainder": "KILL 12 MOD 5",
    "a comparison": "KILL 12 = 12",
    "a negative number without quotes": "KILL -12",
    "a fraction without quotes": "KILL 12.4",
    "a variable": "KILL @victim",
    "a server's variable": "KILL @@pseudo_thread_id",
    "a parameter": "BEGIN EXECUTE IMMEDIATE 'KILL ?'; END;",
    "a named parameter": "BEGIN EXECUTE IMMEDIATE 'KILL :n'; END;",
    "a concatenation": "BEGIN EXECUTE IMMEDIATE 'KILL 1' || '2'; END;",
    "a computed text in a text": "BEGIN EXECUTE IMMEDIATE 'BEGIN EXECUTE IMMEDIATE ''KILL 1'' || ''2''; END;'; END;",
    "a text in a text in a text": "BEGIN EXECUTE IMMEDIATE 'BEGIN EXECUTE IMMEDIATE ''KILL ''''12''''''; END;'; END;",
    "a user's name": "KILL USER app",
    "a user's name in a text": "BEGIN EXECUTE IMMEDIATE 'KILL USER app'; END;",
    "everybody": "KILL ALL",
    "a word for a number": "KILL TRUE",
    "a date": "KILL CURRENT_DATE",
    "characters": "KILL CHAR(49, 50)",
    "a comment that some servers run": "KILL /*!5000012*/",
    "a hint": "KILL /*+ one */ '12'",
    # notations
    "a hexadecimal number": "KILL 0x1F",
    "a hexadecimal number in a text": "KILL '0x1F'",
    "a hexadecimal text": "KILL X'3132'",
    "a binary text": "KILL B'1100'",
    "a text with a character set": "KILL _utf8'12'",
    "an exponent": "KILL 1e3",
    "an exponent in a text": "KILL '1e3'",
    "letters that look like an exponent's": "KILL '12exp'",
    "a unit": "KILL '12k'",
    "underscores": "KILL '1_000'",
    "blanks between digits": "KILL '1 000'",
    "a long fraction": "KILL '12.34'",
    "two signs": "KILL '--12'",
    "another sum": "KILL '12+1'",
    "more digits than a float holds": "KILL '1" + "0" * 40 + "'",
    "a word for a number in a text": "KILL 'inf'",
    # texts
    "adjacent texts": "KILL '1' '2'",
    "adjacent texts, the last one open": "KILL '65537' '1' '65537",
    "a text behind a comment behind a text": "KILL '1' /* and */ '2'",
    "a number beside a text": "KILL '1'2",
    "double quotes around more than digits": 'KILL "12a"',
    "double quotes beside a text": "KILL '1'\"2\"",
    "double quotes behind double quotes": 'KILL "1" "2"',
    "double quotes behind a comma": "KILL '1', \"2\"",
    "back quotes": "KILL `12`",
    "dollar quotes": "KILL $$12$$",
    "a backslash": r"KILL 'a\' (SELECT 12) '",
    "another text than ids": "KILL 'session 12'",
    "a digit in a comment": "KILL /* 12 */ '12'",
    "a digit in a line comment": "KILL -- 12\n'12'",
    "a comment that is not closed": "KILL /* '12'",
    "another kind of comment": "KILL # one\n'12'",
    "five parts": "KILL '1, 2, 3, 4, 5'",
    "a statement in an open text": "BEGIN EXECUTE IMMEDIATE 'KILL 12",
    # characters
    "Arabic digits": "KILL '65537', '\u0661', '65537",
    "wide digits": "KILL '\uff11\uff12'",
    "a wide blank": "KILL\u3000'12'",
    "a blank that doesn't break": "KILL '12\u00a0'",
    "a null character": "KILL '12\0'",
    "a form feed": "KILL\f'12'",
}


@pytest.mark.parametrize("statement", REFUSED.values(), ids=list(REFUSED))
def test_a_statement_that_has_none_of_the_allowed_shapes_is_refused(statement: str) -> None:
    for vocabulary in (OPEN, OURS):
        found = shape_problem(statement, vocabulary)
        assert found is not None
        assert found.what
        assert found.hint


@pytest.mark.parametrize(
    "statement",
    [
        "KILL",
        "KILL 12",
        "KILL 12'",
        "KILL '12",
        "KILL 12, 13",
        "KILL '12', 13",
        "KILL/**/SESSION /* one */ '12, 13, @14' NOW -- two\n",
        "KILL ''",
        "KILL ' '",
        "KILL 'abc'",
        "KILL '*'",
        "KILL ', 5'",
        "KILL ' +12 '",
        "KILL '-12'",
        "KILL '000012'",
        "KILL '12.4'",
        "KILL '12+0'",
        "KILL '12abc'",
        "KILL 'abc12'",
        "KILL '\"12\"'",
        "BEGIN EXECUTE IMMEDIATE 'KILL ''12'''; END;",
        "KILL '12'; KILL '13'",
    ],
)
def test_a_statement_in_one_of_the_allowed_shapes_is_accepted(statement: str) -> None:
    assert shape_problem(statement, OPEN) is None
    assert shape_problem(statement, OURS) is None


def test_only_words_of_the_register_and_of_the_profile_are_accepted() -> None:
    assert shape_problem("KILL app '12'", OPEN) is None
    assert shape_problem("KILL app '12'", OURS, {"APP"}) is None
    found = shape_problem("KILL sesssion '12'", OURS)
    assert found is not None
    assert "'sesssion'" in found.what
    assert "did you mean 'SESSION'?" in found.hint
    assert shape_problem("KILL 'xyz'", OURS) is not None
    assert shape_problem("KILL USER app", OURS, {"USER", "app"}) is not None


KILLS = {"CALL VENDOR.KILL_SESSION", "SELECT KILL_IT"}


@pytest.mark.parametrize(
    "call",
    [
        "CALL vendor.kill_session(12)",
        "call Vendor.Kill_Session ( '12' );",
        "SELECT kill_it(12, '+3')",
        "SELECT kill_it(abc)",
    ],
)
def test_a_routine_of_the_profile_may_be_called_with_ids(call: str) -> None:
    assert shape_problem(call, OURS, (), KILLS) is None
    assert shape_problem(call, OURS) is not None, "no profile names the routine"


@pytest.mark.parametrize(
    "call",
    [
        "CALL vendor.kill_session(12 + 1)",
        "CALL vendor.kill_session((SELECT 12))",
        "CALL vendor.kill_session(kill_it(12))",
        "CALL vendor.kill_session(@n)",
        "CALL vendor.kill_session('12' '13')",
        "CALL vendor.kill_session(0x1F)",
        "CALL vendor.kill_session('KILL ''12''')",
        "CALL vendor.kill_session(USER)",
        "CALL vendor.kill_session(1, 2, 3, 4, 5)",
        "CALL vendor.kill_session()",
        "CALL vendor.kill_session(\u00a012)",
        "CALL\u00a0vendor.kill_session(12)",
        "CALL vendor.kill_\u017fession(12)",
        "CALL vendor.kill_session(12); KILL 13",
        "CALL vendor.kill_session(12) /* and */",
        "CALL other.kill_session(12)",
        "CALL kill_session(12)",
        "SELECT kill_it(12) FROM users",
        "SELECT kill_it(12), kill_it(13)",
        "SELECT vendor.kill_session(12)",
    ],
)
def test_a_call_with_anything_else_than_ids_is_refused(call: str) -> None:
    assert shape_problem(call, OURS, (), KILLS) is not None


def statements(case: Case, profile: Profile) -> Iterator[str]:
    """What a case sends on such a server, with 1 for every id, if its level of privilege is such that it is guarded."""
    for step in case.steps:
        if not isinstance(step, Send):
            continue
        if step.statement.contains_ids or OURS.contains_guarded_word(step.statement.literal):
            yield profile.spell(step.statement.literal)


@pytest.mark.parametrize("name", profile_names())
def test_every_guarded_statement_of_the_cases_is_accepted_as_every_profile_spells_it(name: str) -> None:
    profile = load_profile(name)
    sent = {text for path in case_files(CASES) for case in load_cases(path) for text in statements(case, profile)}
    assert len(sent) > 50
    assert {text: found for text in sent if (found := shape_problem(text, OURS, profile.spelled_words))} == {}


ALPHABET = {*string.ascii_letters, *string.digits, *" \t\r\n", *"'\",;.+-*%@/_"}


@settings(max_examples=300)
@given(
    before=st.text(st.sampled_from("KILabc012 '\",;-+"), max_size=8),
    stranger=st.characters(exclude_characters="".join(ALPHABET)),
    after=st.text(st.sampled_from("KILabc012 '\",;-+"), max_size=8),
)
def test_a_text_with_a_character_outside_the_alphabet_is_refused(before: str, stranger: str, after: str) -> None:
    for statement in (before + stranger + after, f"KILL '12{stranger}'", f"KILL '{stranger}12", f"KILL {stranger}"):
        assert shape_problem(statement, OPEN) is not None


def load(folder: Path, statement: str, register: str = REGISTER + "harmless: [SELECT, DROP USER]\n") -> list[Case]:
    return load_cases(write(folder, VALID.replace("KILL '${victim.id}'", json.dumps(statement)), register=register))


@pytest.mark.parametrize(
    "statement",
    [
        "KILL (SELECT 12)",
        "KILL ${victim.id}+1",
        "STOP (${victim.id})",
        "KILL '0x${victim.id}'",
        "KILL ${victim.user}",
        "KILL '12\u0661'",
        "CALL mysql.rds_kill(12)",
        "SHUTDOWN",
        "ALTER SYSTEM DISCONNECT SESSION '12'",
        "SELECT 1; SHUTDOWN",
        "SELECTED 1",
        "DROP TABLE x",
        "EXECUTE p USING @id",
        "BEGIN SELECT 1 FROM DUAL; SHUTDOWN; END;",
        "BEGIN SELECT 1 FROM DUAL; EXCEPTION WHEN OTHERS THEN SHUTDOWN; END;",
    ],
)
def test_a_statement_that_would_bypass_the_guard_is_refused(tmp_path: Path, statement: str) -> None:
    with pytest.raises(
        SourceError, match=r"in a statement that can kill sessions|in one of the|unknown whether"
    ) as caught:
        load(tmp_path, statement)
    assert (caught.value.place.line, caught.value.place.column) == (11, 9)
    assert caught.value.hint


@pytest.mark.parametrize(
    "statement",
    [
        "KILL 12",
        "STOP '${victim.id}'",
        "stop '${unused 1}'",
        "KILL '000${victim.id + 4294967296}'",
        "select 1 from dual;",
        "drop\n  user ${victim.user}",
        "SELECT 'a+b' FROM x WHERE y = (1 + 2)",
        "BEGIN SELECT 1 FROM DUAL; END",
        "SELECT 1; DROP USER ${victim.user};",
        "begin begin select 1 from dual;\n exception when others then null; end; DROP USER ${victim.user}; end;",
        "${sleep}",
    ],
)
def test_a_statement_that_passes_the_guard_or_ends_no_session_is_accepted(tmp_path: Path, statement: str) -> None:
    load(tmp_path, statement)


def test_without_a_list_of_harmless_statements_any_unguarded_statement_is_accepted(tmp_path: Path) -> None:
    load(tmp_path, "SHUTDOWN", REGISTER)


def test_a_register_lists_the_words_of_guarded_statements(tmp_path: Path) -> None:
    register = REGISTER + "guarded_words: [KILL, SESSION]\n"
    load(tmp_path, "kill session '12'", register)
    with pytest.raises(SourceError, match="the word 'CONNECTION' is not in the register's guarded_words"):
        load(tmp_path, "KILL CONNECTION '12'", register)
