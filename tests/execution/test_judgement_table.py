"""The verdict for each kind of step and each class of answer, over sockets: every cell of the table in the code."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
import substitute
from case_bench import KILL, LIMITS, Bench, simulator

from runner.database.dsn import Dsn
from runner.execution.judgement import TABLE, AnswerClass, Judgement, StepKind, judge
from runner.execution.verdict import CaseResult, Verdict

SESSIONS = "{killer: {grants: [ALTER SYSTEM]}, victim: {user: killer}, other: {}, again: {user: other, connect: false}}"
KILLS = f"  - killer: {KILL}\n    reply: ok\n"
ASKS = "  - other: SELECT 7 FROM DUAL\n"
CLAIM = "    reply: {rows: {values: [['7']]}}\n"
STEPS = {
    StepKind.PREPARES: ASKS + KILLS,
    StepKind.LOOKS: KILLS + ASKS + CLAIM,
    StepKind.UNDER_TEST: KILLS.replace("reply: ok", "reply: {ok: {affected: 0}}"),
    StepKind.LOGIN: f"{KILLS}  - connect: again\n    reply: ok\n",
}
MARKS = {
    StepKind.PREPARES: b"SELECT 7",
    StepKind.LOOKS: b"SELECT 7",
    StepKind.UNDER_TEST: b"KILL SESSION",
    StepKind.LOGIN: b"KILL SESSION",
}
ANSWERS = {
    AnswerClass.OTHER_RESULT: substitute.ok(affected=3),
    AnswerClass.UNSUPPORTED: substitute.error(1064, "42000", "You have an error in your SQL syntax"),
    AnswerClass.SHORTAGE: substitute.error(1041, "HY000", "Out of memory"),
    AnswerClass.RULES: substitute.error(28003, "HY000", "ORA-28003: password verification failed"),
    AnswerClass.CONFLICT: substitute.error(1205, "HY000", "Lock wait timeout exceeded; try restarting transaction"),
    AnswerClass.INTERRUPTED: substitute.error(1317, "70100", "Query execution was interrupted"),
    AnswerClass.OTHER_ERROR: substitute.error(1366, "HY000", "Incorrect value"),
    AnswerClass.LOST: substitute.close,
    AnswerClass.NO_REPLY: substitute.silence,
    AnswerClass.UNREADABLE: substitute.garbage,
}
OF_A_LOGIN = ANSWERS | {
    AnswerClass.OTHER_ERROR: substitute.error(1045, "28000", "Access denied"),
}
IMPOSSIBLE = {(StepKind.PREPARES, AnswerClass.OTHER_RESULT)}
"""A step without a claim takes OK and rows alike."""

CELLS = [pytest.param(*cell, id=f"{cell[0].name}-{cell[1].name}") for cell in TABLE if cell not in IMPOSSIBLE]
AT_ONCE = {
    Judgement.GOES_ON: Verdict.CONFORMS,
    Judgement.DEVIATES: Verdict.DEVIATES,
    Judgement.DEVIATES_TWICE: Verdict.INCONCLUSIVE,
    Judgement.INCONCLUSIVE: Verdict.INCONCLUSIVE,
}


@pytest.fixture(scope="module")
def server() -> Iterator[Dsn]:
    with simulator() as dsn:
        yield dsn


def run(server: Dsn, folder: Path, kind: StepKind, answer: AnswerClass, times: int) -> CaseResult:
    steps = STEPS[kind]
    answers = OF_A_LOGIN if kind is StepKind.LOGIN else ANSWERS
    if kind is StepKind.LOGIN and answer is AnswerClass.OTHER_RESULT:
        steps, times = steps.removesuffix("ok\n") + "login-refused\n", 0
    if answer is AnswerClass.FITS:
        times = 0
    front = substitute.Substitute(
        server, MARKS[kind], answers.get(answer, substitute.silence), logins=kind is StepKind.LOGIN, times=times
    )
    limits = LIMITS
    if answer is AnswerClass.NO_REPLY:  # one that no healthy step needs, even on a busy machine
        limits = dataclasses.replace(LIMITS, statement=3, connect=3)
    with front.standing() as dsn:
        bench = Bench(folder, dsn, limits).settling_within(2)
        return bench.run(f"steps:\n{steps}ends: [victim]", sessions=SESSIONS)


@pytest.mark.parametrize(("kind", "answer"), CELLS)
def test_an_answer_that_comes_every_time_is_judged_by_the_table(
    server: Dsn, tmp_path: Path, kind: StepKind, answer: AnswerClass
) -> None:
    result = run(server, tmp_path, kind, answer, times=1000)
    expected = AT_ONCE | {Judgement.DEVIATES_TWICE: Verdict.DEVIATES}
    assert result.verdict is expected[judge(kind, answer, sent_guarded=kind is not StepKind.PREPARES)], result


@pytest.mark.parametrize(("kind", "answer"), CELLS)
def test_an_answer_that_comes_once_deviates_only_where_one_time_tells(
    server: Dsn, tmp_path: Path, kind: StepKind, answer: AnswerClass
) -> None:
    result = run(server, tmp_path, kind, answer, times=1)
    assert result.verdict is AT_ONCE[judge(kind, answer, sent_guarded=kind is not StepKind.PREPARES)], result


@pytest.mark.parametrize("answer", [AnswerClass.INTERRUPTED, AnswerClass.LOST], ids=lambda answer: answer.name)
def test_a_session_that_prepares_and_is_hit_after_the_statement_under_test_deviates_if_it_comes_again(
    server: Dsn, tmp_path: Path, answer: AnswerClass
) -> None:
    front = substitute.Substitute(server, b"SELECT 7", ANSWERS[answer])
    with front.standing() as dsn:
        bench = Bench(tmp_path, dsn).settling_within(2)
        result = bench.run(f"steps:\n{KILLS}{ASKS}ends: [victim]", sessions=SESSIONS)
    assert result.verdict is Verdict.DEVIATES, result


@pytest.mark.parametrize(("ends", "verdict"), [("[victim]", Verdict.DEVIATES), ("[]", Verdict.INCONCLUSIVE)])
def test_a_login_refused_for_too_many_connections_counts_only_where_the_case_had_more_before(
    server: Dsn, tmp_path: Path, ends: str, verdict: Verdict
) -> None:
    sent = KILLS if ends == "[victim]" else KILLS.replace("${victim.id}", "abc").replace("ok", "error")
    full = substitute.Substitute(
        server, b"KILL SESSION", substitute.error(1040, "08004", "Too many connections"), logins=True
    )
    with full.standing() as dsn:
        bench = Bench(tmp_path, dsn).settling_within(2)
        result = bench.run(f"steps:\n{sent}  - connect: again\n    reply: ok\nends: {ends}", sessions=SESSIONS)
    assert result.verdict is verdict, result


def test_the_page_of_the_case_language_has_the_same_table() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "case-language.md").read_text(encoding="utf-8")
    words = {
        Judgement.GOES_ON: "continues",
        Judgement.DEVIATES: "deviates",
        Judgement.DEVIATES_TWICE: "deviates if repeated",
        Judgement.INCONCLUSIVE: "inconclusive",
    }
    for answer in AnswerClass:
        row = " | ".join(words[TABLE[kind, answer]] for kind in StepKind)
        assert f"| {answer.value} | {row} |" in page
