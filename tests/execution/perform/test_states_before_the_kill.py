"""Cases whose victim is in an unusual state when it is killed: its client disconnected, doesn't read, or more."""

# ruff: noqa: S608 - the tests write their own SQL

from __future__ import annotations

from pathlib import Path

import pytest

from runner.database.time_limits import Limits
from runner.execution.case_result import Verdict
from tests.execution.case_bench import KILL, Bench, simulator

ROWS = "table: [" + ", ".join(f"[{number}, 1000000000]" for number in range(1, 9)) + "]\n"
JOIN = "SELECT * FROM " + ", ".join(f"${{table}} {alias}" for alias in "abcdef")
UNREAD = f"{ROWS}steps:\n  - victim: {JOIN}\n    reply: unread\n  - wait: {{victim: blocked}}\n"
ENDS_IT = f"  - killer: {KILL}\n    reply: success\nends: [victim]"
LEAVES = "steps:\n  - {how}: victim\n  - killer: " + KILL + "\n    reply: [success, error]\nends: [victim]"

CONFORMING = {
    "its client disconnects": LEAVES.replace("{how}", "disconnect"),
    "its client is killed": LEAVES.replace("{how}", "abort"),
    "its client is killed in the middle of a statement": "steps:\n  - victim: ${sleep}\n    reply: later\n"
    "  - wait: {victim: running}\n" + LEAVES.replace("steps:\n", "").replace("{how}", "abort"),
    "its client reads no more than the beginning": UNREAD + ENDS_IT,
    "an unread reply is received later": "steps:\n  - victim: SELECT 1 FROM DUAL\n    reply: unread\n"
    "  - receive: victim\n    reply: {rows: {values: [[1]]}}",
    "an unrelated client disconnects": "steps:\n  - disconnect: stranger\n" + ENDS_IT,
    "the same rows": "steps:\n  - killer: SELECT 1 FROM DUAL\n  - victim: SELECT 1 FROM DUAL\n    reply: same-rows",
}


@pytest.mark.parametrize("body", CONFORMING.values(), ids=list(CONFORMING))
def test_a_case_with_disconnected_or_unread_sessions_conforms(bench: Bench, body: str) -> None:
    result = bench.run(body)
    assert (result.verdict, result.actual, result.reason, result.warnings) == (Verdict.CONFORMS, "", "", ())


def test_a_session_whose_client_does_not_read_is_blocked_while_it_sends(bench: Bench) -> None:
    texts = [event.text for event in bench.run(UNREAD + ENDS_IT).transcript]
    assert "reads only the beginning of the result set" in texts
    assert not any("the process list doesn't show it" in text for text in texts)


def test_other_rows_are_not_the_same_rows(bench: Bench) -> None:
    body = "steps:\n  - killer: SELECT 1 FROM DUAL\n  - victim: SELECT 2 FROM DUAL\n    reply: same-rows"
    result = bench.run(body)
    assert (result.verdict, result.actual) == (Verdict.DEVIATES, "1 rows: 2")


DEFECTS = {
    "keeps-the-rows-of-who-left": (
        LEAVES.replace("{how}", "disconnect"),
        "has disconnected, but the session's row is still",
    ),
    "row-stays-while-nobody-reads": (UNREAD + ENDS_IT, "has not read the whole reply, and the session's row is"),
    "waits-for-the-reader": (UNREAD + ENDS_IT, "no reply within 1 s"),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_server_with_a_defect_of_disconnected_or_unread_sessions_deviates(tmp_path: Path, defect: str) -> None:
    body, actual = DEFECTS[defect]
    with simulator("--defect", defect) as dsn:
        result = Bench(tmp_path, dsn, Limits(settle=1, statement=1)).run(body)
    assert result.verdict is Verdict.DEVIATES
    assert actual in result.actual


def state(steps: str) -> str:
    """A case with a state of one kind."""
    return (
        "table: [[1, 0]]\nparameters:\n  state:\n    of-some-kind:\n"
        + "".join(f"      {line}\n" for line in steps.splitlines())
        + "steps:\n  - do: ${state}\n"
        + ENDS_IT
    )


NO_STATES = {
    "a statement of it is refused": ("- victim: SELECT nothing FROM ${table}", "SELECT nothing"),
    "its large result is refused": ("- victim: SELECT nothing FROM ${table}\n  reply: unread", "SELECT nothing"),
    "its statement in flight is refused": (
        "- victim: SELECT nothing FROM ${table}\n  reply: later\n- wait: {victim: running}",
        "finished before the process list showed it running (error",
    ),
    "nothing blocks": (
        "- victim: UPDATE ${table} SET val = 1 WHERE id = 1\n  reply: later\n- wait: {victim: blocked}",
        "finished before the process list showed it blocked (OK",
    ),
}


@pytest.mark.parametrize(("steps", "reason"), NO_STATES.values(), ids=list(NO_STATES))
def test_a_state_that_a_server_does_not_have_is_not_applicable(bench: Bench, steps: str, reason: str) -> None:
    result = bench.run(state(steps))
    assert result.verdict is Verdict.NOT_APPLICABLE
    assert result.reason.startswith("the server doesn't have this state: ")
    assert reason in result.reason


UNDECIDED = {
    "not of a state": "table: [[1, 0]]\nsteps:\n  - victim: SELECT nothing FROM ${table}\n" + ENDS_IT,
    "because of a missing privilege": state("- victim: CREATE ROLE ${role}"),
}


@pytest.mark.parametrize("body", UNDECIDED.values(), ids=list(UNDECIDED))
def test_an_error_other_than_an_unsupported_state_is_inconclusive(bench: Bench, body: str) -> None:
    assert bench.run(body).verdict is Verdict.INCONCLUSIVE
