"""Which statements the language refuses, because nobody could tell whose sessions they end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from language_files import REGISTER, VALID, write

from runner.language.computing import computed
from runner.language.load import load_cases
from runner.language.model import Case
from runner.language.problems import SourceError

COMPUTED = {
    "a subquery": "KILL (SELECT MAX(id) FROM information_schema.processlist)",
    "a function": "KILL CONNECTION_ID()",
    "a sum": "KILL 12+1",
    "a difference": "KILL 12 - 1",
    "a difference that looks like a comment": "KILL 12--1",
    "a text and a number": "KILL '12'+1",
    "a product": "KILL 3*4",
    "a variable": "KILL @victim",
    "a server's variable": "KILL @@pseudo_thread_id",
    "a parameter": "PREPARE p FROM 'KILL ?'",
    "a named parameter": "BEGIN EXECUTE IMMEDIATE 'KILL :n' USING 12; END;",
    "a concatenation": "BEGIN EXECUTE IMMEDIATE 'KILL 1' || '2'; END;",
    "a computed text in a text": "BEGIN EXECUTE IMMEDIATE 'BEGIN EXECUTE IMMEDIATE ''KILL 1'' || ''2''; END;'; END;",
    "a user's name": "KILL USER app",
    "characters": "KILL CHAR(49, 50)",
    "a comment that some servers run": "KILL /*!5000012*/",
    "text that ends where, depends on the server": r"KILL 'a\' (SELECT 12) '",
}


@pytest.mark.parametrize("statement", COMPUTED.values(), ids=list(COMPUTED))
def test_a_statement_in_which_the_server_computes_an_id_is_told(statement: str) -> None:
    assert computed(statement, "KILL") is not None


@pytest.mark.parametrize(
    "statement",
    [
        "KILL '12+0'",
        "KILL '-12'",
        "KILL /* (one) */ '12, 13, @14' -- (two)\n;",
        "KILL '12",
        "KILL 12'",
        "BEGIN EXECUTE IMMEDIATE 'KILL ''12'''; END;",
        'KILL "12"',
    ],
)
def test_a_statement_with_plain_ids_is_none(statement: str) -> None:
    assert computed(statement, "KILL") is None


def load(folder: Path, statement: str, register: str = REGISTER + "harmless: [SELECT, DROP USER]\n") -> list[Case]:
    return load_cases(write(folder, VALID.replace("KILL '${victim.id}'", json.dumps(statement)), register=register))


@pytest.mark.parametrize(
    "statement",
    [
        "KILL (SELECT 12)",
        "KILL ${victim.id}+1",
        "STOP (${victim.id})",
        "CALL mysql.rds_kill(12)",
        "SHUTDOWN",
        "ALTER SYSTEM DISCONNECT SESSION '12'",
        "SELECT 1; SHUTDOWN",
        "SELECTED 1",
        "DROP TABLE x",
        "EXECUTE p USING @id",
    ],
)
def test_a_statement_that_would_go_around_the_guard_is_refused(tmp_path: Path, statement: str) -> None:
    with pytest.raises(SourceError, match=r"the server computes which session ends|nobody knows whether"):
        load(tmp_path, statement)


@pytest.mark.parametrize(
    "statement",
    [
        "KILL 12",
        "STOP '${victim.id}'",
        "stop '${unused 1}'",
        "select 1 from dual;",
        "drop\n  user ${victim.user}",
        "SELECT 'a+b' FROM x WHERE y = (1 + 2)",
        "${sleep}",
    ],
)
def test_one_that_passes_the_guard_or_ends_nothing_is_taken(tmp_path: Path, statement: str) -> None:
    load(tmp_path, statement)


def test_without_a_list_of_harmless_ones_nothing_is_asked(tmp_path: Path) -> None:
    load(tmp_path, "SHUTDOWN", REGISTER)
