"""Single cases on a real server: what makes them conform, deviate, stay undecided, or be observed."""

from __future__ import annotations

import dataclasses
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from case_bench import PATIENCE, SESSIONS, Bench, sent, simulator, somebody_else
from waiting import eventually

from runner.database.dsn import Dsn
from runner.database.limits import Limits
from runner.database.outcome import Ok, Rows
from runner.database.profile import ErrorPattern, Exemption, load_profile
from runner.execution.verdict import CaseResult, Verdict
from runner.language.model import Level


@pytest.fixture(scope="module")
def dsn() -> Iterator[Dsn]:
    with simulator("--lock-wait", str(2 * PATIENCE)) as dsn:
        yield dsn


@pytest.fixture
def bench(tmp_path: Path, dsn: Dsn) -> Iterator[Bench]:
    """A bench that no case leaves a user on."""
    bench = Bench(tmp_path, dsn)
    yield bench
    assert bench.users() == ()


KILL = "ALTER SYSTEM KILL SESSION '${victim.id}'"

CONFORMING = {
    "the named session ends": f"steps:\n  - killer: {KILL}\n    reply: ok\nends: [victim]",
    "one of several replies": f"steps:\n  - killer: {KILL}\n    reply: [error, success]\nends: [victim]",
    "counts": f"steps:\n  - killer: {KILL}\n    reply: {{ok: {{affected: 0, warnings: 0}}}}\nends: [victim]",
    "an error": "steps:\n  - killer: ALTER SYSTEM KILL SESSION 'abc'\n    reply: error",
    "an error class": "steps:\n  - killer: ALTER SYSTEM KILL SESION 'abc'\n    reply: syntax",
    "another error class": "steps:\n  - stranger: ALTER SYSTEM KILL SESSION '${killer.id}'\n    reply: privilege",
    "rows": "steps:\n  - killer: SELECT 1, NULL FROM DUAL\n    reply: {rows: {values: [[1, null]]}}",
    "the list": "steps:\n  - killer: SHOW PROCESSLIST\n    reply: {rows: {columns: [ID, USER], sessions: "
    '{victim: {USER: "${victim.user}", INFO: null}, killer: {COMMAND: Query}}}}',
    "the same error": "steps:\n  - killer: SELECT\n    reply: error\n  - killer: SELECT 1 1\n    reply: same-error",
    "a table": "table: [[1, 5], [2, 6]]\nsteps:\n  - stranger: SELECT val FROM ${table} ORDER BY id\n"
    "    reply: {rows: {values: [[5], [6]]}}",
    "a statement in flight": "steps:\n  - victim: ${sleep}\n    reply: later\n  - wait: {victim: running}\n"
    f"  - killer: {KILL}\n    reply: ok\n  - await: victim\n    reply: [connection-lost, interrupted]\nends: [victim]",
    "a wait for a lock": "table: [[1, 0]]\nsteps:\n  - killer: ${begin}\n"
    "  - killer: UPDATE ${table} SET val = 1 WHERE id = 1\n  - victim: UPDATE ${table} SET val = 2 WHERE id = 1\n"
    "    reply: later\n  - wait: {victim: blocked}\n  - killer: ROLLBACK\n  - await: victim\n    reply: ok",
    "a statement in flight that nobody awaits": "steps:\n  - stranger: ${sleep}\n    reply: later\n"
    f"  - killer: {KILL}\n    reply: ok\nends: [victim]",
    "a prepared statement": f"steps:\n  - killer: {KILL}\n    prepared: true\n    reply: ok\nends: [victim]",
    "the killer itself": "steps:\n  - killer: ALTER SYSTEM KILL SESSION '${killer.id}'\n"
    "    reply: [ok, connection-lost, error]\nends: [killer]",
}


@pytest.mark.parametrize("body", CONFORMING.values(), ids=list(CONFORMING))
def test_a_case_that_is_right_conforms(bench: Bench, body: str) -> None:
    result = bench.run(body)
    assert (result.verdict, result.came, result.reason, result.warnings) == (Verdict.CONFORMS, "", "", ())
    ends = body.rpartition("\nends: [")[2].removesuffix("]") if "\nends: [" in body else ""
    assert ",".join(ending.session for ending in result.endings) == ends


def test_a_login_in_the_middle_is_judged_like_a_statement(bench: Bench) -> None:
    late = "late: {connect: false}, again: {user: late, connect: false}"
    sessions = f"{{sys: {{user: administrator}}, {late}, no_one: {{create: false}}}}"
    body = """\
steps:
  - connect: late
    reply: ok
  - connect: no_one
    reply: login-refused
  - connect: again
    reply: ok
    new_id_than: late"""
    assert bench.run(body, sessions=sessions).verdict is Verdict.CONFORMS


@dataclasses.dataclass(frozen=True)
class Wrong:
    """A case that claims what the simulator does not do."""

    body: str
    expected: str
    came: str
    safety: bool = False


DEVIATING = {
    "an OK where an error was claimed": Wrong(
        f"steps:\n  - killer: {KILL}\n    reply: privilege\nends: [victim]",
        "is answered with privilege",
        "OK, 0 rows affected",
    ),
    "an error where an OK was claimed": Wrong(
        f"steps:\n  - stranger: {KILL}\n    reply: ok\nends: [victim]", "is answered with ok", "[privilege]"
    ),
    "an error of another class": Wrong(
        "steps:\n  - killer: ALTER SYSTEM KILL SESSION 'abc'\n    reply: syntax",
        "is answered with syntax",
        "error ",
    ),
    "other counts": Wrong(
        f"steps:\n  - killer: {KILL}\n    reply: {{ok: {{affected: 1}}}}\nends: [victim]",
        "is answered with ok (1 affected)",
        "OK, 0 rows affected",
    ),
    "rows where an OK was claimed": Wrong("steps:\n  - killer: SELECT 1 FROM DUAL\n    reply: ok", "ok", "1 rows: 1"),
    "other rows": Wrong(
        "steps:\n  - killer: SELECT 1 FROM DUAL\n    reply: {rows: {values: [[2]]}}", "[['2']]", "1 rows: 1"
    ),
    "other columns": Wrong(
        "steps:\n  - killer: SHOW PROCESSLIST\n    reply: {rows: {columns: [USER, ID]}}",
        "columns USER, ID",
        "ID, USER, HOST, DB, COMMAND, STATE, INFO: ",
    ),
    "another field in the list": Wrong(
        "steps:\n  - killer: SHOW PROCESSLIST\n    reply: {rows: {sessions: {victim: {COMMAND: Query}}}}",
        "a row of victim with COMMAND=Query",
        "ID, USER, HOST, DB, COMMAND, STATE, INFO: ",
    ),
    "another error than before": Wrong(
        "steps:\n  - killer: SELECT FROM\n    reply: error\n  - killer: SELECT x FROM nowhere\n    reply: same-error",
        "is answered with same-error",
        "error ",
    ),
    "same-error without an error before": Wrong(
        "steps:\n  - killer: SELECT FROM\n    reply: same-error", "is answered with same-error", "error "
    ),
    "a session ends that should go on": Wrong(
        f"steps:\n  - killer: {KILL}\n    reply: ok", "every session that is not to end goes on", "lost: victim ("
    ),
    "another session ends than the one that should": Wrong(
        "steps:\n  - killer: ALTER SYSTEM KILL SESSION '${victim.id}'\n    reply: ok\nends: [stranger]",
        "the connection of stranger is gone within 0.3 s",
        "stranger",
    ),
    "a session goes on that should end": Wrong(
        "steps:\n  - killer: ALTER SYSTEM KILL SESSION 'abc'\n    reply: error\nends: [victim]",
        "the connection of victim is gone within 0.3 s",
        "victim",
    ),
    "a running session goes on that should end": Wrong(
        "steps:\n  - victim: ${sleep}\n    reply: later\n  - wait: {victim: running}\n"
        "  - killer: ALTER SYSTEM KILL SESSION 'abc'\n    reply: error\nends: [victim]",
        "the connection of victim is gone within 0.3 s",
        "victim",
    ),
    "a session goes on that is waited for": Wrong(
        "steps:\n  - killer: ALTER SYSTEM KILL SESSION 'abc'\n    reply: error\n  - wait: {victim: gone}",
        "the connection of victim is gone within 0.3 s",
        "victim",
    ),
    "a session ends that no statement names": Wrong(
        "steps:\n  - killer: ALTER SYSTEM KILL SESSION '${victim.id + 4294967296}'\n    reply: ok",
        "every session that is not to end goes on",
        "lost: victim (",
        safety=True,
    ),
    "harm besides a wrong answer": Wrong(
        "steps:\n  - killer: ALTER SYSTEM KILL SESSION '${victim.id + 4294967296}'\n    reply: syntax",
        "is answered with syntax",
        "lost: victim (",
        safety=True,
    ),
    "a login that should be refused": Wrong(
        f"steps:\n  - killer: {KILL}\n    reply: ok\n  - connect: again\n    reply: login-refused\nends: [victim]",
        "again: its login is answered with login-refused",
        "OK",
    ),
}


@pytest.mark.parametrize("wrong", DEVIATING.values(), ids=list(DEVIATING))
def test_a_case_that_claims_something_else_deviates_with_what_was_expected_and_what_came(
    bench: Bench, wrong: Wrong
) -> None:
    sessions = SESSIONS.rstrip("}") + "}, again: {user: killer, connect: false}}"
    result = bench.settling_within(0.3).run(wrong.body, sessions=sessions)
    assert result.verdict is Verdict.DEVIATES, result.reason
    assert wrong.expected in result.expected
    assert wrong.came in result.came
    assert result.safety is wrong.safety


def test_a_row_that_claims_a_session_that_does_not_answer_any_more_deviates(bench: Bench) -> None:
    body = f"""\
steps:
  - killer: {KILL}
    reply: ok
  - wait: {{victim: gone}}
  - killer: SHOW PROCESSLIST
    reply: {{rows: {{sessions: {{victim: {{}}}}}}}}
ends: [victim]"""
    assert bench.run(body).verdict is Verdict.DEVIATES


UNDECIDED = {
    "a preparing statement fails": (
        "steps:\n  - killer: SELECT x FROM nowhere\n  - killer: SELECT 1 FROM DUAL\n    reply: ok",
        "preparing failed: killer: SELECT x FROM nowhere is answered with error",
    ),
    "the last preparing statement fails": (
        f"steps:\n  - killer: {KILL}\n    reply: ok\n  - stranger: SELECT FROM\nends: [victim]",
        "preparing failed: stranger: SELECT FROM",
    ),
    "a preparing login fails": ("steps:\n  - connect: no_one", "preparing failed: no_one: its login"),
    "what is awaited was never sent": ("steps:\n  - await: victim\n    reply: ok", "nothing in flight"),
    "who speaks is not connected": ("steps:\n  - late: SELECT 1\n    reply: ok", "late is not connected"),
    "the id of who is not connected": (
        "steps:\n  - killer: ALTER SYSTEM KILL SESSION '${late.id}'\n    reply: ok\nends: [late]",
        "the id of late is not known",
    ),
    "a statement is over before it is seen": (
        "steps:\n  - victim: SELECT 1 FROM DUAL\n    reply: later\n  - wait: {victim: blocked}",
        "was over before it could be seen blocked",
    ),
}


@pytest.mark.parametrize(("body", "reason"), UNDECIDED.values(), ids=list(UNDECIDED))
def test_a_case_that_the_target_had_no_fair_chance_in_is_inconclusive(bench: Bench, body: str, reason: str) -> None:
    sessions = SESSIONS.rstrip("}") + "}, late: {user: killer, connect: false}, no_one: {create: false}}"
    result = bench.run(body, sessions=sessions)
    assert result.verdict is Verdict.INCONCLUSIVE, result.came
    assert reason in result.reason


def test_a_grant_that_the_server_does_not_know_is_inconclusive_and_named(bench: Bench) -> None:
    result = bench.run(
        "steps:\n  - killer: SELECT 1\n    reply: rows", sessions="{killer: {grants: [FLY TO THE MOON]}}"
    )
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "preparing failed: GRANT FLY TO THE MOON TO KSC_" in result.reason
    assert sent(result) == []


PREPARING = {
    "by the runner": ("steps:\n  - late: SELECT 1 FROM DUAL\n    reply: rows", "{late: {grants: [KSC_LATE]}}"),
    "by a step": (
        "steps:\n  - sys: GRANT KSC_LATE TO ${late.user}\n  - late: SELECT 1 FROM DUAL\n    reply: rows",
        "{sys: {user: administrator}, late: {}}",
    ),
}


@pytest.mark.parametrize(("body", "sessions"), PREPARING.values(), ids=list(PREPARING))
def test_what_others_are_in_the_way_of_is_tried_again_where_the_profile_says_so(
    bench: Bench, body: str, sessions: str
) -> None:
    assert bench.run(body, sessions=sessions).verdict is Verdict.INCONCLUSIVE
    passing = (ErrorPattern(1919, None, None),)
    patient = dataclasses.replace(
        bench,
        profile=dataclasses.replace(load_profile("oceanbase-oracle"), try_again=passing),
        limits=dataclasses.replace(bench.limits, retry=PATIENCE),
    )
    with somebody_else(bench.dsn) as (session, _):
        late = threading.Timer(0.3, lambda: session.execute("CREATE ROLE KSC_LATE", PATIENCE))
        late.start()
        result = patient.run(body, sessions=sessions)
        late.join()
        session.execute("DROP ROLE KSC_LATE", PATIENCE)
    assert result.verdict is Verdict.CONFORMS, result.reason
    answers = [event.text for event in result.transcript if event.text.startswith("error")]
    assert answers  # it was refused at first


def test_what_is_in_the_way_for_good_is_inconclusive(bench: Bench) -> None:
    body, sessions = PREPARING["by the runner"]
    impatient = dataclasses.replace(
        bench,
        profile=dataclasses.replace(load_profile("oceanbase-oracle"), try_again=(ErrorPattern(None, None, None),)),
        limits=dataclasses.replace(bench.limits, retry=0.2),
    )
    result = impatient.run(body, sessions=sessions)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "preparing failed: GRANT KSC_LATE" in result.reason


def ending_sessions_of(bench: Bench, chosen: Callable[[dict[str, str | None]], bool], over: threading.Event) -> None:
    """What somebody else does: ends the suite's sessions that fit, until one did, or the case is over."""
    with somebody_else(bench.dsn) as (session, _):
        while not over.is_set():
            answer = session.execute("SHOW PROCESSLIST", PATIENCE)
            assert isinstance(answer, Rows)
            rows = [dict(zip(answer.columns, values, strict=True)) for values in answer.values]
            ours = [row for row in rows if (row["USER"] or "").startswith("KSC_")]
            if any("UPDATE" in (row["INFO"] or "") for row in ours) and (found := [row for row in ours if chosen(row)]):
                for row in found:
                    session.execute(f"ALTER SYSTEM KILL SESSION '{row['ID']}'", PATIENCE)
                return


WAITING = """\
table: [[1, 0]]
steps:
  - holder: ${begin}
  - holder: UPDATE ${table} SET val = 1 WHERE id = 1
  - killer: UPDATE ${table} SET val = 2 WHERE id = 1
    reply: ok
"""

INTERFERENCE: dict[str, Callable[[dict[str, str | None]], bool]] = {
    "the session that holds the lock": lambda row: row["COMMAND"] == "Sleep",
    "the session that waits": lambda row: row["COMMAND"] != "Sleep",
}


@pytest.mark.parametrize("chosen", INTERFERENCE.values(), ids=list(INTERFERENCE))
def test_an_end_before_the_statement_under_test_was_sent_is_the_environments(
    bench: Bench, chosen: Callable[[dict[str, str | None]], bool]
) -> None:
    over = threading.Event()
    other = threading.Thread(target=ending_sessions_of, args=(bench, chosen, over))
    other.start()
    try:
        result = bench.run(WAITING, sessions="{holder: {}, killer: {}}")
    finally:
        over.set()
        other.join(PATIENCE)
    assert result.verdict is Verdict.INCONCLUSIVE, f"{result.expected}; {result.came}"


OBSERVED = {
    "the first outcome that fits": (
        "observe:\n  an error: {reply: error, ends: []}\n  it ends: {reply: ok, ends: [victim]}\n  all: {}",
        "it ends",
    ),
    "an outcome that says less": ("observe:\n  nothing: {ends: []}\n  all: {ends: [victim]}", "all"),
    "how the connection ends": (
        "observe:\n  reset: {ends: [victim], sees: reset}\n  closed: {ends: [victim], sees: closed}",
        "closed",
    ),
    "an answer that is not listed": (
        "observe:\n  an error: {reply: error, ends: [victim]}",
        "other: OK, 0 rows affected; victim ended",
    ),
    "an end that is not listed with the answer": (
        "observe:\n  nothing ends: {reply: ok, ends: []}\n  an error: {reply: error, ends: [victim]}",
        "other: OK, 0 rows affected; victim ended",
    ),
}


@pytest.mark.parametrize(("observe", "name"), OBSERVED.values(), ids=list(OBSERVED))
def test_what_came_is_observed_under_its_name(bench: Bench, observe: str, name: str) -> None:
    result = bench.settling_within(0.3).run(f"steps:\n  - killer: {KILL}\n    reply: any\n{observe}", "OBS-1")
    assert (result.verdict, result.observed) == (Verdict.OBSERVED, {name: 1})


def test_an_observation_is_repeated_and_counted(bench: Bench) -> None:
    body = f"repeat: 3\nsteps:\n  - killer: {KILL}\n    reply: any\nobserve:\n  it ends: {{reply: ok, ends: [victim]}}"
    result = bench.run(body, "OBS-1")
    assert (result.verdict, result.observed) == (Verdict.OBSERVED, {"it ends": 3})
    assert [ending.session for ending in result.endings] == ["victim"] * 3


def test_an_observation_in_which_another_session_ends_deviates_and_binds_like_a_must(bench: Bench) -> None:
    body = """\
steps:
  - killer: ALTER SYSTEM KILL SESSION '${victim.id + 4294967296}'
    reply: any
observe:
  it does nothing: {reply: ok, ends: []}"""
    result = bench.run(body, "OBS-1")
    assert (result.verdict, result.safety, result.level) == (Verdict.DEVIATES, True, Level.OBSERVE)
    assert result.binding is Level.MUST
    assert result.fails(strict=False)


def test_an_observation_without_an_answer_says_so(bench: Bench) -> None:
    slow = dataclasses.replace(bench, limits=dataclasses.replace(bench.limits, statement=0.3))
    result = slow.run("steps:\n  - killer: ${sleep}\n    reply: any\nobserve:\n  answered: {reply: rows}", "OBS-1")
    assert (result.verdict, result.observed) == (Verdict.OBSERVED, {"no reply within 0.3 s": 1})


def test_a_statement_without_an_answer_deviates_at_the_limit(bench: Bench) -> None:
    slow = dataclasses.replace(bench, limits=dataclasses.replace(bench.limits, statement=0.3))
    result = slow.run("steps:\n  - killer: ${sleep}\n    reply: rows")
    assert (result.verdict, result.came) == (Verdict.DEVIATES, "no reply within 0.3 s")


def test_a_word_that_the_target_has_in_no_spelling_is_inconclusive(bench: Bench) -> None:
    profile = load_profile("oceanbase-oracle")
    mute = dataclasses.replace(bench, profile=dataclasses.replace(profile, words={"sleep": ("SNOOZE", "NAP")}))
    result = mute.run("steps:\n  - killer: ${sleep}\n    reply: rows")
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "'sleep'" in result.reason


def test_an_exempt_case_is_not_run(bench: Bench) -> None:
    exemption = Exemption(frozenset(), frozenset({"the-case"}), "no such thing here")
    profile = dataclasses.replace(load_profile("oceanbase-oracle"), exemptions=(exemption,))
    result = dataclasses.replace(bench, profile=profile).run("steps:\n  - killer: SELECT FROM\n    reply: ok")
    assert (result.verdict, result.reason) == (Verdict.NOT_APPLICABLE, "no such thing here")
    assert result.transcript == ()


def test_a_spelling_of_the_profile_is_what_is_sent_and_what_is_guarded(bench: Bench) -> None:
    with somebody_else(bench.dsn) as (session, own):
        profile = dataclasses.replace(
            load_profile("oceanbase-oracle"),
            spellings=(
                dataclasses.replace(
                    load_profile("seekdb").spellings[0],
                    statement="UPDATE {what}",
                    becomes=f"ALTER SYSTEM KILL SESSION '{own}'",
                ),
            ),
        )
        result = dataclasses.replace(bench, profile=profile).run(
            "steps:\n  - killer: UPDATE it\n    reply: ok", sessions="{killer: {user: administrator}, plain: {}}"
        )
        assert (result.verdict, sent(result)) == (Verdict.INCONCLUSIVE, [])
        assert session.listen() is None


def test_a_table_that_cannot_be_dropped_at_once_is_dropped_when_it_can_be(tmp_path: Path) -> None:
    oracle = load_profile("oceanbase-oracle")
    everybodys = ("SELECT TABLE_NAME FROM DBA_TABLES WHERE TABLE_NAME LIKE '{prefix}%'",)
    profile = dataclasses.replace(oracle, sql={**oracle.sql, "table_name": ("SYS.{name}",), "list_tables": everybodys})
    granted = (
        "CREATE SESSION, CREATE USER, DROP USER, GRANT ANY PRIVILEGE, GRANT ANY OBJECT PRIVILEGE, SELECT ANY DICTIONARY"
    )
    with simulator() as dsn, somebody_else(dsn) as (owner, _):
        for statement in (
            f"CREATE USER {LESSER.user} IDENTIFIED BY {LESSER.password}",
            f"GRANT SELECT ANY DICTIONARY TO {LESSER.user}",
            f"GRANT {granted}, ALTER SYSTEM, CREATE ANY TABLE, INSERT ANY TABLE TO {LESSER.user}",
        ):
            assert owner.execute(statement, PATIENCE) == Ok()

        def own_tables() -> tuple[tuple[str | None, ...], ...]:
            answer = owner.execute("SELECT TABLE_NAME FROM USER_TABLES", PATIENCE)
            assert isinstance(answer, Rows)
            return answer.values

        def allow() -> None:
            assert eventually(own_tables)
            time.sleep(1)
            owner.execute(f"GRANT DROP ANY TABLE TO {LESSER.user}", PATIENCE)

        helper = threading.Thread(target=allow)
        helper.start()
        bench = Bench(tmp_path, dataclasses.replace(LESSER, port=dsn.port), profile=profile)
        result = bench.run(f"table: [[1, 1]]\nsteps:\n  - killer: {KILL}\n    reply: ok\nends: [victim]")
        helper.join(PATIENCE)
        assert (result.verdict, result.warnings) == (Verdict.CONFORMS, ()), result
        assert own_tables() == ()


LESSER = Dsn("oceanbase", "LESSER", "pLesser", "127.0.0.1", 0)


def test_a_server_that_is_not_there_makes_a_case_inconclusive(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    result = Bench(tmp_path, Dsn("oceanbase", "SYS", "", "127.0.0.1", port)).run(f"steps:\n  - killer: {KILL}")
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "can't log in" in result.reason


def test_a_server_that_ends_in_the_middle_is_no_crash_of_the_runner(tmp_path: Path) -> None:
    with simulator() as dsn:
        bench = Bench(tmp_path, dsn, Limits(connect=PATIENCE, statement=PATIENCE, settle=0.3, cleanup=PATIENCE))
        results: list[CaseResult] = []
        case = threading.Thread(
            target=lambda: results.append(bench.run("steps:\n  - killer: ${sleep}\n    reply: rows"))
        )
        case.start()
        with somebody_else(dsn) as (session, _):

            def is_running() -> bool:
                answer = session.execute("SHOW PROCESSLIST", PATIENCE)
                return isinstance(answer, Rows) and any("SLEEP(" in (row[-1] or "") for row in answer.values)

            assert eventually(is_running)
    case.join(PATIENCE)
    (result,) = results
    assert result.verdict in {Verdict.DEVIATES, Verdict.INCONCLUSIVE}
    assert result.warnings  # what could not be cleared away


def test_the_transcript_has_everything_in_order_with_texts_to_type_by_hand(bench: Bench) -> None:
    result = bench.run(f"steps:\n  - killer: {KILL}\n    reply: ok\nends: [victim]")
    times = [event.at_ms for event in result.transcript]
    assert times == sorted(times)
    (said,) = [event for event in result.transcript if event.kind == "says" and not event.setup]
    assert said.session == "killer"
    assert said.manual.startswith("ALTER SYSTEM KILL SESSION '<")
    assert "victim" in said.manual
    assert not any(char.isdigit() for char in said.manual)
    assert said.text.removeprefix("ALTER SYSTEM KILL SESSION '").removesuffix("'").isdigit()
    heard = [event for event in result.transcript if event.kind == "hears" and not event.setup]
    assert [(event.session, event.text) for event in heard] == [("killer", "OK, 0 rows affected")]
    assert heard[0].took_ms is not None
    assert [event.session for event in result.transcript if event.kind == "ends"] == ["victim", "victim"]


def test_the_transcript_has_the_end_of_a_session_that_should_not_have_ended(bench: Bench) -> None:
    result = bench.run(DEVIATING["a session ends that no statement names"].body)
    assert result.verdict is Verdict.DEVIATES
    assert ("victim", "ends") in [(event.session, event.kind) for event in result.transcript]


ANY = [CONFORMING["the named session ends"], DEVIATING["a session ends that no statement names"].body]


@pytest.mark.parametrize("body", ANY, ids=["conforms", "deviates"])
def test_a_result_survives_the_way_from_worker_to_controller(bench: Bench, body: str) -> None:
    result = bench.run(body)
    assert CaseResult.from_dict(json.loads(json.dumps(result.as_dict()))) == result


BINDING = [
    (Verdict.CONFORMS, Level.MUST, False, False, False),
    (Verdict.DEVIATES, Level.MUST, False, True, True),
    (Verdict.INCONCLUSIVE, Level.MUST, False, True, True),
    (Verdict.DEVIATES, Level.SHOULD, False, False, True),
    (Verdict.INCONCLUSIVE, Level.SHOULD, False, False, True),
    (Verdict.DEVIATES, Level.SHOULD, True, True, True),
    (Verdict.DEVIATES, Level.OBSERVE, False, False, False),
    (Verdict.DEVIATES, Level.OBSERVE, True, True, True),
    (Verdict.INCONCLUSIVE, Level.OBSERVE, False, False, False),
    (Verdict.OBSERVED, Level.OBSERVE, False, False, False),
    (Verdict.NOT_APPLICABLE, Level.MUST, False, False, False),
]


@pytest.mark.parametrize(("verdict", "level", "safety", "fails", "strictly"), BINDING)
def test_a_result_fails_the_run_by_level_verdict_and_harm(
    verdict: Verdict, level: Level, safety: bool, fails: bool, strictly: bool
) -> None:
    result = CaseResult("n", "i", "PUR-1", level, "t", "p:1", verdict, safety=safety)
    assert (result.fails(strict=False), result.fails(strict=True)) == (fails, strictly)
