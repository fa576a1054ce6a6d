"""Placeholders stand where ids stand, however small the ids are, and nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runner.execution.case_result import CaseResult, Verdict
from runner.execution.transcript import Event
from runner.language.model import Level
from runner.reporting.placeholders import with_placeholders
from tests.execution.case_bench import Bench, simulator

IDENTIFIERS = {"id of victim": "30", "id of mate": "1", "id of other": "1094", "address of victim": "127.0.0.1:30"}
SENT = Event(1.0, "killer", "sends", "KILL '30'", manual="KILL '<id of victim>'")
UNUSED = Event(1.0, "killer", "sends", "KILL '1647'", manual="KILL '<a number that no session has, such as 1647>'")
BUILT = Event(1.0, "killer", "sends", "KILL '10030'", manual="KILL '100<id of victim>'")
SUM = Event(1.0, "killer", "sends", "KILL '65566'", manual="KILL '<id of victim + 65536>'")


def shown(text: str, *events: Event) -> str:
    """A text of a case with sessions 30 (victim), 1 and 1094, after what was sent."""
    result = CaseResult(
        "a", "a", "PUR-1", Level.MUST, "title", "place", Verdict.DEVIATES,
        actual=text,
        transcript=events or (SENT,),
        identifiers=IDENTIFIERS,
    )  # fmt: skip
    return with_placeholders(result).actual


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("error 1094 (HY000): Unknown thread id: 1094", "error 1094 (HY000): Unknown thread id: <id of other>"),
        ("error 30 (00030): ORA-00030: no session 30", "error 30 (00030): ORA-00030: no session <id of victim>"),
        ("error 1064 (42000): near '30'' at line 1", "error 1064 (42000): near '<id of victim>'' at line 1"),
        ("OK, 1 rows affected", "OK, 1 rows affected"),
        ("OK, 0 rows affected, 1 warnings", "OK, 0 rows affected, 1 warnings"),
        ("1 rows: 1, 30; lost: mate (closed)", "1 rows: 1, 30; lost: mate (closed)"),
        ("no reply within 30 s", "no reply within 30 s"),
        ("ID, USER: 30, A, 127.0.0.1:30; 1, B", "ID, USER: <id of victim>, A, <address of victim>; <id of mate>, B"),
        ("row 30 gone from the process list", "row <id of victim> gone from the process list"),
        ("error 600 (HY000): -30, 1.30, 30.1 and 130", "error 600 (HY000): -30, 1.30, 30.1 and 130"),
        ("killer: KILL '30' is answered with ok", "killer: KILL '<id of victim>' is answered with ok"),
        ("error 1 (HY000): 4294967326 is too large", "error 1 (HY000): <number 1> is too large"),
    ],
)  # fmt: skip
def test_ids_are_replaced_by_placeholders(text: str, expected: str) -> None:
    assert shown(text) == expected


@pytest.mark.parametrize(
    ("event", "text", "expected"),
    [
        (UNUSED, "Unknown thread id: 1647", "Unknown thread id: <a number that no session has>"),
        (BUILT, "Unknown thread id: 10030", "Unknown thread id: 100<id of victim>"),
        (SUM, "Unknown thread id: 65566", "Unknown thread id: <id of victim + 65536>"),
    ],
)
def test_a_sent_number_is_replaced_by_its_description_in_the_case(event: Event, text: str, expected: str) -> None:
    assert shown(f"error 1094 (HY000): {text}", event) == f"error 1094 (HY000): {expected}"


def test_two_users_whose_names_differ_in_their_letter_case_have_different_placeholders() -> None:
    users = {"user of holder": "KSC_A1", "user of small": "KSC_a1"}
    result = CaseResult(
        "a", "a", "PUR-1", Level.MUST, "title", "place", Verdict.DEVIATES,
        actual='KSC_A1, "KSC_a1", ksc_a1',
        identifiers=users,
    )  # fmt: skip
    assert with_placeholders(result).actual == '<user of holder>, "<user of small>", <user of holder>'


def test_numbers_of_the_case_stay_in_a_statement_with_the_same_number_as_an_id() -> None:
    statement = Event(
        1.0, "other", "sends", "UPDATE t SET val = 30 WHERE id = 1", manual="UPDATE t SET val = 30 WHERE id = 1"
    )
    text = f"other: {statement.text} is answered with rows"
    assert shown(text, statement) == text


def test_two_runs_with_small_ids_have_the_same_texts(tmp_path: Path) -> None:
    body = (
        "steps:\n  - killer: ALTER SYSTEM KILL SESSION '${unused victim.id + 1000}'\n    reply: error\n"
        "  - killer: ALTER SYSTEM KILL SESSION '${victim.id + 4294967296}' NOW\n    reply: syntax\n"
        "  - killer: ALTER SYSTEM KILL SESSION '100000${victim.id}'\n    reply: ok"
    )

    def texts(result: CaseResult) -> list[Any]:
        named = with_placeholders(result)
        return [named.actual, named.expected, *((event.kind, event.text, event.manual) for event in named.transcript)]

    with simulator("--variant", "small-ids") as dsn:
        first, second = (Bench(tmp_path, dsn).run(body) for _ in range(2))
    assert first.verdict is Verdict.DEVIATES
    assert first.identifiers["id of victim"] != second.identifiers["id of victim"]
    assert texts(first) == texts(second)
