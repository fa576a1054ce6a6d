"""Single cases on a real server: steps that are repeated, prepared and executed later, and users that steps create."""

from __future__ import annotations

from runner.execution.case_result import Verdict
from tests.execution.case_bench import KILL, Bench, sent

ALSO_LATER = "{sys: {user: administrator}, killer: {grants: [ALTER SYSTEM]}, victim: {user: killer}, stranger: {}}"
LATER = "{killer: {grants: [ALTER SYSTEM]}, victim: {user: killer, connect: false}, stranger: {}}"
PREPARES = f"""\
steps:
  - killer: {KILL}
    prepare: true
"""


def test_steps_are_repeated_with_a_new_connection_each_time(bench: Bench) -> None:
    body = f"""\
steps:
  - repeat: 20
    steps:
      - connect: victim
      - killer: {KILL}
        reply: ok
      - wait: {{victim: gone}}
ends: [victim]"""
    result = bench.run(body, sessions=LATER)
    assert result.verdict is Verdict.CONFORMS, result
    kills = [text for text in sent(result) if "KILL" in text]
    assert len(set(kills)) == 20, "each connection has an id of its own"
    assert [ending.session for ending in result.endings] == ["victim"], "the last end is the one that counts"


def test_a_claim_that_fails_in_a_later_round_deviates(bench: Bench) -> None:
    body = f"""\
steps:
  - connect: victim
  - repeat: 2
    steps:
      - killer: {KILL}
        reply: ok
      - wait: {{victim: gone}}
ends: [victim]"""
    result = bench.run(body, sessions=LATER)
    assert result.verdict is Verdict.DEVIATES
    assert result.actual.startswith("error 600")


def test_a_session_that_connects_again_is_not_connected_twice(bench: Bench) -> None:
    body = """\
steps:
  - repeat: 3
    steps:
      - connect: victim
  - victim: SHOW PROCESSLIST
    reply: {rows: {sessions: {victim: {}}}}
  - killer: SELECT COUNT(*) FROM GV$OB_PROCESSLIST
    reply: {rows: {values: [["2"]]}}"""
    result = bench.run(body, sessions="{killer: {}, victim: {user: killer, connect: false}}")
    assert result.verdict is Verdict.CONFORMS, result


def test_a_prepared_statement_is_executed_later(bench: Bench) -> None:
    result = bench.run(f"{PREPARES}  - execute: killer\n    reply: ok\nends: [victim]")
    assert result.verdict is Verdict.CONFORMS, result
    assert [ending.session for ending in result.endings] == ["victim"]
    assert [text for text in sent(result) if "KILL" in text] == [
        event.text.partition(": ")[2] for event in result.transcript if event.text.startswith("prepares")
    ]


def test_a_statement_that_is_only_prepared_ends_no_session(bench: Bench) -> None:
    result = bench.run(f"{PREPARES}    reply: ok")
    assert result.verdict is Verdict.CONFORMS, result
    assert sent(result) == []


def test_the_error_of_a_failed_preparation_is_the_reply_when_the_statement_is_executed(bench: Bench) -> None:
    body = """\
steps:
  - killer: ALTER SYSTEM KILL SESSION '${victim.id}' NOW
    prepare: true
    reply: [ok, error]
  - execute: killer
    reply: syntax"""
    result = bench.run(body)
    assert result.verdict is Verdict.CONFORMS, result
    assert sent(result) == [], "nothing is executed"


def test_a_preparation_without_a_claim_has_to_succeed(bench: Bench) -> None:
    body = """\
steps:
  - killer: ALTER SYSTEM KILL SESSION '${victim.id}' NOW
    prepare: true
  - execute: killer
    reply: ok"""
    result = bench.run(body)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.reason.startswith("preparation failed: killer: ALTER SYSTEM KILL SESSION")


def test_a_prepared_statement_is_executed_after_its_victim_was_killed(bench: Bench) -> None:
    between = f"  - sys: {KILL}\n  - wait: {{victim: gone}}\n"
    body = f"{PREPARES}{between}  - execute: killer\n    reply: unknown-session\nends: [victim]"
    result = bench.run(body, sessions=ALSO_LATER)
    assert result.verdict is Verdict.CONFORMS, result


def test_a_dropped_user_is_created_anew_and_logs_in_without_its_grants(bench: Bench) -> None:
    body = """\
steps:
  - sys: DROP USER ${killer.user} CASCADE
  - create: killer
  - connect: killer
    reply: ok
  - killer: ALTER SYSTEM KILL SESSION '${stranger.id}'
    reply: privilege"""
    result = bench.run(body, sessions="{sys: {user: administrator}, killer: {grants: [ALTER SYSTEM]}, stranger: {}}")
    assert result.verdict is Verdict.CONFORMS, result


def test_creating_an_existing_user_is_inconclusive(bench: Bench) -> None:
    result = bench.run("steps:\n  - create: victim", sessions="{killer: {}, victim: {}}")
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.reason.startswith("preparation failed: CREATE USER")


def test_a_user_name_begins_with_the_name_of_another_user(bench: Bench) -> None:
    body = "steps:\n  - longer: SHOW PROCESSLIST\n    reply: {rows: {sessions: {longer: {}}}}"
    result = bench.run(body, sessions="{shorter: {}, longer: {name_extends: shorter}}")
    assert result.verdict is Verdict.CONFORMS, result
    users = {name: value for name, value in result.identifiers.items() if name.startswith("user of")}
    assert users["user of longer"].startswith(users["user of shorter"])


def test_a_quoted_user_name_is_quoted_in_statements_and_bare_in_the_process_list(bench: Bench) -> None:
    body = """steps:
  - sys: DROP USER ${small.user} CASCADE
  - create: small
  - connect: small
  - holder: SHOW PROCESSLIST
    reply: {rows: {sessions: {small: {USER: "${small.user}"}, holder: {USER: "${holder.user}"}}}}"""
    sessions = "{sys: {user: administrator}, holder: {grants: [ALTER SYSTEM]}, small: {quoted: holder, connect: false}}"
    result = bench.run(body, sessions=sessions)
    assert result.verdict is Verdict.CONFORMS, result
    holder, small = (result.identifiers[f"user of {name}"] for name in ("holder", "small"))
    assert small == f"KSC_{holder.removeprefix('KSC_').lower()}"
    assert sent(result)[0] == f'DROP USER "{small}" CASCADE'
    assert bench.users() == ()
