"""The verdict for each kind of step and each class of answer, over sockets: every cell of the table in the code."""

from __future__ import annotations

import dataclasses
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.database.dsn import Dsn
from runner.execution.case_result import CaseResult, Verdict
from runner.execution.judgement_table import BEFORE, TABLE, Judgement, StepKind, judge
from runner.execution.reply_class import ReplyClass
from tests.execution.case_bench import KILL, LIMITS, Bench, simulator
from tests.support import substituting_proxy
from tests.support.paths import ROOT

SESSIONS = "{killer: {grants: [ALTER SYSTEM]}, victim: {user: killer}, other: {}, again: {user: other, connect: false}}"
KILLS = f"  - killer: {KILL}\n    reply: ok\n"
ASKS = "  - other: SELECT 7 FROM DUAL\n"
CLAIM = "    reply: {rows: {values: [['7']]}}\n"
STEPS = {
    StepKind.PREPARES: ASKS + KILLS,
    StepKind.CHECKS: KILLS + ASKS + CLAIM,
    StepKind.UNDER_TEST: KILLS.replace("reply: ok", "reply: {ok: {affected: 0}}"),
    StepKind.LOGIN: f"{KILLS}  - connect: again\n    reply: ok\n",
}
MARKS = {
    StepKind.PREPARES: b"SELECT 7",
    StepKind.CHECKS: b"SELECT 7",
    StepKind.UNDER_TEST: b"KILL SESSION",
    StepKind.LOGIN: b"KILL SESSION",
}
ANSWERS = {
    ReplyClass.OTHER_RESULT: substituting_proxy.ok(affected=3),
    ReplyClass.UNSUPPORTED: substituting_proxy.error(1064, "42000", "You have an error in your SQL syntax"),
    ReplyClass.SHORTAGE: substituting_proxy.error(1041, "HY000", "Out of memory"),
    ReplyClass.RULES: substituting_proxy.error(28003, "HY000", "ORA-28003: password verification failed"),
    ReplyClass.CONFLICT: substituting_proxy.error(
        1205, "HY000", "Lock wait timeout exceeded; try restarting transaction"
    ),
    ReplyClass.INTERRUPTED: substituting_proxy.error(1317, "70100", "Query execution was interrupted"),
    ReplyClass.OTHER_ERROR: substituting_proxy.error(1366, "HY000", "Incorrect value"),
    ReplyClass.LOST: substituting_proxy.close,
    ReplyClass.NO_REPLY: substituting_proxy.silence,
    ReplyClass.UNREADABLE: substituting_proxy.garbage,
}
OF_A_LOGIN = ANSWERS | {
    ReplyClass.OTHER_ERROR: substituting_proxy.error(1045, "28000", "Access denied"),
}
IMPOSSIBLE = {(StepKind.PREPARES, ReplyClass.OTHER_RESULT)}
"""A step without a claim takes OK and rows alike."""

CELLS = [pytest.param(*cell, id=f"{cell[0].name}-{cell[1].name}") for cell in TABLE if cell not in IMPOSSIBLE]
AT_ONCE = {
    Judgement.CONTINUES: Verdict.CONFORMS,
    Judgement.DEVIATES: Verdict.DEVIATES,
    Judgement.DEVIATES_TWICE: Verdict.INCONCLUSIVE,
    Judgement.DEVIATES_WITH_THE_SAME: Verdict.INCONCLUSIVE,
    Judgement.INCONCLUSIVE: Verdict.INCONCLUSIVE,
}


@pytest.fixture(scope="module")
def server() -> Iterator[Dsn]:
    with simulator() as dsn:
        yield dsn


def run(server: Dsn, folder: Path, kind: StepKind, answer: ReplyClass, times: int) -> CaseResult:
    steps = STEPS[kind]
    answers = OF_A_LOGIN if kind is StepKind.LOGIN else ANSWERS
    if kind is StepKind.LOGIN and answer is ReplyClass.OTHER_RESULT:
        steps, times = steps.removesuffix("ok\n") + "login-refused\n", 0
    if answer is ReplyClass.FITS:
        times = 0
    front = substituting_proxy.SubstitutingProxy(
        server, MARKS[kind], answers.get(answer, substituting_proxy.silence), logins=kind is StepKind.LOGIN, times=times
    )
    limits = LIMITS
    if answer is ReplyClass.NO_REPLY:  # one that no healthy step needs, even on a busy machine
        limits = dataclasses.replace(LIMITS, statement=3, connect=3)
    with front.standing() as dsn:
        bench = Bench(folder, dsn, limits).settling_within(2)
        return bench.run(f"steps:\n{steps}ends: [victim]", sessions=SESSIONS)


@pytest.mark.parametrize(("kind", "answer"), CELLS)
def test_a_reply_received_every_time_has_the_verdict_of_the_table(
    server: Dsn, tmp_path: Path, kind: StepKind, answer: ReplyClass
) -> None:
    result = run(server, tmp_path, kind, answer, times=1000)
    repeated = (Judgement.DEVIATES_TWICE, Judgement.DEVIATES_WITH_THE_SAME)
    expected = AT_ONCE | dict.fromkeys(repeated, Verdict.DEVIATES)
    assert result.verdict is expected[judge(kind, answer, before=kind is StepKind.PREPARES)], result


@pytest.mark.parametrize(("kind", "answer"), CELLS)
def test_a_reply_received_once_deviates_only_if_the_table_judges_it_at_once(
    server: Dsn, tmp_path: Path, kind: StepKind, answer: ReplyClass
) -> None:
    result = run(server, tmp_path, kind, answer, times=1)
    if (kind, answer) == (StepKind.CHECKS, ReplyClass.CONFLICT):  # a lock may be released as late as a session may end
        assert result.verdict is Verdict.CONFORMS, result
        return
    assert result.verdict is AT_ONCE[judge(kind, answer, before=kind is StepKind.PREPARES)], result


@pytest.mark.parametrize(
    "answer", [answer for kind, answer in BEFORE if kind is StepKind.CHECKS], ids=lambda each: each.name
)
def test_a_check_before_the_statement_under_test_is_inconclusive_without_a_usable_reply(
    server: Dsn, tmp_path: Path, answer: ReplyClass
) -> None:
    front = substituting_proxy.SubstitutingProxy(server, b"SELECT 7", ANSWERS[answer])
    with front.standing() as dsn:
        limits = dataclasses.replace(LIMITS, statement=3)
        bench = Bench(tmp_path, dsn, limits).settling_within(2)
        result = bench.run(f"steps:\n{ASKS}{CLAIM}{KILLS}ends: [victim]", sessions=SESSIONS)
    assert result.verdict is Verdict.INCONCLUSIVE, result
    assert ("reply: later" in result.reason) is (answer is ReplyClass.NO_REPLY)


@pytest.mark.parametrize("answer", [ReplyClass.INTERRUPTED, ReplyClass.LOST], ids=lambda answer: answer.name)
def test_a_preparing_session_that_ends_after_the_statement_under_test_deviates_if_it_happens_again(
    server: Dsn, tmp_path: Path, answer: ReplyClass
) -> None:
    front = substituting_proxy.SubstitutingProxy(server, b"SELECT 7", ANSWERS[answer])
    with front.standing() as dsn:
        bench = Bench(tmp_path, dsn).settling_within(2)
        result = bench.run(f"steps:\n{KILLS}{ASKS}ends: [victim]", sessions=SESSIONS)
    assert result.verdict is Verdict.DEVIATES, result


@pytest.mark.parametrize(("ends", "verdict"), [("[victim]", Verdict.DEVIATES), ("[]", Verdict.INCONCLUSIVE)])
def test_a_login_refused_for_too_many_connections_deviates_only_if_the_case_had_more_connections_before(
    server: Dsn, tmp_path: Path, ends: str, verdict: Verdict
) -> None:
    sent = KILLS if ends == "[victim]" else KILLS.replace("${victim.id}", "abc").replace("ok", "error")
    answer = substituting_proxy.error(1040, "08004", "Too many connections")
    full = substituting_proxy.SubstitutingProxy(server, b"KILL SESSION", answer, logins=True, seconds=4.5)
    with full.standing() as dsn:
        bench = Bench(tmp_path, dsn).settling_within(1)
        limits = dataclasses.replace(bench.limits, retry=3.0)  # the server is full for longer, up to twice as long
        bench = dataclasses.replace(bench, limits=limits)
        result = bench.run(f"steps:\n{sent}  - connect: again\n    reply: ok\nends: {ends}", sessions=SESSIONS)
    assert result.verdict is verdict, result


@pytest.mark.parametrize(
    ("texts", "verdict"),
    [
        (("id 17 is strange", "id 18 is strange", "id 19 is strange"), Verdict.DEVIATES),
        (("id 17 is strange", "id 18 is strange"), Verdict.INCONCLUSIVE),
        (("it is too hot", "it is too cold"), Verdict.INCONCLUSIVE),
    ],
    ids=["the-same-error", "not-when-run-slowly", "another-error"],
)
def test_an_error_deviates_only_if_the_same_error_recurs(
    server: Dsn, tmp_path: Path, texts: tuple[str, ...], verdict: Verdict
) -> None:
    answers = iter(substituting_proxy.error(5432, "HY000", text) for text in texts)

    def answer(client: socket.socket, number: int) -> None:
        next(answers)(client, number)

    front = substituting_proxy.SubstitutingProxy(server, b"KILL SESSION", answer, times=len(texts))
    with front.standing() as dsn:
        bench = Bench(tmp_path, dsn).settling_within(2)
        result = bench.run(f"steps:\n{KILLS}ends: [victim]", sessions=SESSIONS)
    assert result.verdict is verdict, result


def test_the_page_of_the_case_language_has_the_same_table() -> None:
    page = (ROOT / "docs" / "case-language.md").read_text(encoding="utf-8")
    words = {
        Judgement.CONTINUES: "continues",
        Judgement.DEVIATES: "deviates",
        Judgement.DEVIATES_TWICE: "deviates if repeated",
        Judgement.DEVIATES_WITH_THE_SAME: "deviates if the same",
        Judgement.INCONCLUSIVE: "inconclusive",
    }
    for answer in ReplyClass:
        row = " | ".join(words[TABLE[kind, answer]] for kind in StepKind)
        assert f"| {answer.value} | {row} |" in page
