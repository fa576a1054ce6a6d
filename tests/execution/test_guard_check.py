"""The guard on a real server: what could end a session of somebody else is never sent."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runner.database.dsn import Dsn
from runner.database.naming import Names
from runner.database.outcome import Ok, Rows
from runner.execution.case_result import Verdict
from tests.execution.case_bench import Bench, sent, simulator, somebody_else
from tests.support.eventually import PATIENCE, eventually


@pytest.fixture(scope="module")
def dsn() -> Iterator[Dsn]:
    with simulator() as dsn:
        yield dsn


@pytest.fixture
def bench(tmp_path: Path, dsn: Dsn) -> Iterator[Bench]:
    bench = Bench(tmp_path, dsn)
    yield bench
    assert bench.users() == ()


FOREIGN = {
    "the id": "'{foreign}'",
    "the id in front of a serial#": "'{foreign}, ${{victim.id}}'",
    "the id as the serial#": "'${{victim.id}}, {foreign}'",
    "the id as the instance": "'${{victim.id}}, 0, @{foreign}'",
    "the id without quotes": "{foreign}",
    "the id with letters behind": "'{foreign}abc'",
    "the id with letters in front": "'abc{foreign}'",
    "the id with zeros in front": "'000{foreign}'",
    "the id with blanks": "'  {foreign} '",
    "the id with a plus": "'+{foreign}'",
    "the id with a fraction": "'{foreign}.4'",
    "the id rounded up": "'{less}.5'",
    "the id with 32 bits more": "'{beyond}'",
    "the id with 64 bits more": "'{far_beyond}'",
    "the id below zero": "'-{below}'",
    "the id with IMMEDIATE": "'{foreign}' IMMEDIATE",
    "the id with a semicolon": "'{foreign}';",
    "the id in a second text": "'${{victim.id}}', '{foreign}'",
    "the id with a comma in it": "'{foreign:,}'",
    "the id in octal notation": "'0{foreign:o}'",
}


@pytest.mark.parametrize("text", FOREIGN.values(), ids=list(FOREIGN))
def test_a_statement_that_could_name_a_foreign_session_is_never_sent(bench: Bench, text: str) -> None:
    with somebody_else(bench.dsn) as (session, own):
        number = int(own)
        said = text.format(
            foreign=number,
            less=number - 1,
            beyond=number + 2**32,
            far_beyond=number + 2**64,
            below=2**32 - number,
        )
        result = bench.settling_within(0.3).run(
            f'steps:\n  - killer: "ALTER SYSTEM KILL SESSION {said}"\n    reply: ok\nends: [victim]',
            sessions="{killer: {user: administrator}, victim: {}}",
        )
        assert (result.verdict, sent(result)) == (Verdict.INCONCLUSIVE, [])
        assert result.reason.startswith("not sent: ")
        assert isinstance(session.execute("SELECT 1 FROM DUAL", PATIENCE), Rows)
        assert session.check_connection() is None


@pytest.mark.parametrize("prepared", ["true", "false"])
def test_a_prepared_statement_passes_the_guard_too(bench: Bench, prepared: str) -> None:
    with somebody_else(bench.dsn) as (session, own):
        result = bench.run(
            f"steps:\n  - killer: alter system kill session '{own}'\n    prepared: {prepared}\n    reply: ok",
            sessions="{killer: {user: administrator}}",
        )
        assert (result.verdict, sent(result)) == (Verdict.INCONCLUSIVE, [])
        assert session.check_connection() is None


def test_an_unused_number_is_never_the_id_of_a_foreign_session(bench: Bench) -> None:
    with somebody_else(bench.dsn) as (session, own):
        result = bench.run(
            f"steps:\n  - killer: ALTER SYSTEM KILL SESSION '${{unused {own}}}'\n    reply: error",
            sessions="{killer: {user: administrator}, plain: {}}",
        )
        assert result.verdict is Verdict.CONFORMS
        (statement,) = sent(result)
        assert own not in statement
        assert session.check_connection() is None


def test_the_ids_of_own_sessions_pass_the_guard_in_any_position(bench: Bench) -> None:
    result = bench.run(
        "steps:\n  - killer: ALTER SYSTEM KILL SESSION '${victim.id}, ${stranger.id}'\n    reply: ok\nends: [victim]"
    )
    assert result.verdict is Verdict.CONFORMS


def test_a_statement_without_the_guarded_word_may_hold_any_number(bench: Bench) -> None:
    with somebody_else(bench.dsn) as (session, own):
        reply = f"{{rows: {{values: [[{own}]]}}}}"
        result = bench.run(f"steps:\n  - killer: SELECT {own} FROM DUAL\n    reply: {reply}")  # noqa: S608 - a number
        assert result.verdict is Verdict.CONFORMS
        assert session.check_connection() is None


def test_the_id_of_a_killed_own_session_passes_the_guard(bench: Bench) -> None:
    result = bench.run(
        """\
steps:
  - killer: ALTER SYSTEM KILL SESSION '${victim.id}'
    reply: ok
  - wait: {victim: gone}
  - killer: ALTER SYSTEM KILL SESSION '${victim.id}'
    reply: unknown-session
ends: [victim]"""
    )
    assert result.verdict is Verdict.CONFORMS


def test_the_id_of_a_closed_foreign_session_passes_the_guard(bench: Bench) -> None:
    with somebody_else(bench.dsn) as (_, own):
        pass
    body = f"steps:\n  - killer: ALTER SYSTEM KILL SESSION '{own}'\n    reply: [error, ok]"
    assert eventually(lambda: bench.run(body).verdict is Verdict.CONFORMS)


@pytest.mark.parametrize(
    ("user", "verdict"), [("{user: administrator}", Verdict.INCONCLUSIVE), ("{}", Verdict.CONFORMS)]
)
def test_an_id_with_two_rows_passes_the_guard_only_if_the_case_created_its_user(
    tmp_path: Path, user: str, verdict: Verdict
) -> None:
    with simulator("--defect", "lists-sessions-twice") as dsn:
        result = Bench(tmp_path, dsn).run(
            "steps:\n  - killer: ALTER SYSTEM KILL SESSION '${victim.id}'\n    reply: ok\nends: [victim]",
            sessions=f"{{killer: {{user: administrator}}, victim: {user}}}",
        )
    assert result.verdict is verdict
    assert len(sent(result)) == (verdict is Verdict.CONFORMS)


def test_the_guard_waits_for_a_foreign_session_that_closes(bench: Bench) -> None:
    with somebody_else(bench.dsn) as (session, own):
        leaving = threading.Timer(0.3, session.close)
        leaving.start()
        result = bench.run(f"steps:\n  - killer: ALTER SYSTEM KILL SESSION '{own}'\n    reply: [error, ok]")
        leaving.join()
    assert result.verdict is Verdict.CONFORMS


@pytest.mark.parametrize(("run_mark", "verdict"), [("OURS0", Verdict.CONFORMS), ("OTHER", Verdict.INCONCLUSIVE)])
def test_a_session_of_a_user_that_this_run_created_is_no_foreign_session(
    bench: Bench, run_mark: str, verdict: Verdict
) -> None:
    user = Names(run_mark, itertools.count(1000)).new()
    with somebody_else(bench.dsn) as (administrator, _):

        def administer(statement: str) -> None:
            assert isinstance(administrator.execute(statement, PATIENCE), Ok)

        administer(f"CREATE USER {user} IDENTIFIED BY secret")
        administer(f"GRANT CREATE SESSION TO {user}")
        with somebody_else(bench.dsn, user, "secret") as (_, earlier):
            kill = f"ALTER SYSTEM KILL SESSION '${{victim.id}}, {earlier}'"
            result = replace(bench.settling_within(0.3), names=Names("OURS0")).run(
                f"steps:\n  - killer: {kill}\n    reply: ok\nends: [victim]"
            )
        administer(f"DROP USER {user} CASCADE")
    assert result.verdict is verdict
    assert len(sent(result)) == (verdict is Verdict.CONFORMS)


@pytest.mark.parametrize(
    ("first", "verdict"), [("the administrator", Verdict.CONFORMS), ("a foreign session", Verdict.INCONCLUSIVE)]
)
def test_the_session_that_reads_the_process_list_is_no_foreign_session(
    tmp_path: Path, first: str, verdict: Verdict
) -> None:
    with simulator("--variant", "small-ids") as dsn, contextlib.ExitStack() as stack:
        if first == "a foreign session":
            assert stack.enter_context(somebody_else(dsn))[1] == "1"
        result = (
            Bench(tmp_path, dsn)
            .settling_within(0.3)
            .run("steps:\n  - killer: ALTER SYSTEM KILL SESSION '${victim.id}, 1'\n    reply: ok\nends: [victim]")
        )
    assert result.verdict is verdict
    assert len(sent(result)) == (verdict is Verdict.CONFORMS)


@pytest.mark.parametrize(
    ("argument", "verdict"),
    [
        ("'${victim.id}'", Verdict.CONFORMS),
        ("'${victim.id}, ${stranger.id}' IMMEDIATE", Verdict.CONFORMS),
        ("'${victim.id}, ${unused 0}'", Verdict.CONFORMS),
        ("'${victim.id}, 0'", Verdict.INCONCLUSIVE),
        ("'0'", Verdict.INCONCLUSIVE),
        ("'abc'", Verdict.INCONCLUSIVE),
        ("''", Verdict.INCONCLUSIVE),
    ],
)
def test_a_thread_with_id_0_blocks_only_statements_that_can_be_read_as_0(
    tmp_path: Path, argument: str, verdict: Verdict
) -> None:
    with simulator("--environment", "system-thread-zero") as dsn:
        result = Bench(tmp_path, dsn).run(
            f"steps:\n  - killer: ALTER SYSTEM KILL SESSION {argument}\n    reply: [ok, error]\n"
            f"ends: [{'victim' if 'victim' in argument else ''}]"
        )
    assert result.verdict is verdict, result.reason
    assert len(sent(result)) == (verdict is Verdict.CONFORMS)
