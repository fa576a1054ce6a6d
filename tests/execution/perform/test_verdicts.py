"""Single cases on the simulator: what makes them conform, and what makes them deviate."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from runner.database.profile import Exemption, load_profile
from runner.execution.case_result import Verdict
from tests.execution.case_bench import KILL, Bench, sent, simulator, somebody_else


def test_a_login_in_a_step_is_judged_like_a_statement(bench: Bench) -> None:
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
    id_differs_from: late"""
    assert bench.run(body, sessions=sessions).verdict is Verdict.CONFORMS


def test_a_claim_of_a_row_for_a_killed_session_deviates(bench: Bench) -> None:
    body = f"""\
steps:
  - killer: {KILL}
    reply: ok
  - wait: {{victim: gone}}
  - killer: SHOW PROCESSLIST
    reply: {{rows: {{sessions: {{victim: {{}}}}}}}}
ends: [victim]"""
    assert bench.run(body).verdict is Verdict.DEVIATES


def test_a_statement_without_a_reply_deviates_after_the_timeout(bench: Bench) -> None:
    slow = dataclasses.replace(bench, limits=dataclasses.replace(bench.limits, statement=0.3))
    result = slow.run("steps:\n  - killer: ${sleep}\n    reply: rows")
    assert (result.verdict, result.actual) == (Verdict.DEVIATES, "no reply within 0.3 s")


@pytest.mark.parametrize(("hole", "number"), [("${unused 70000 / 10}", "7000"), ("${victim.id / 1000000000}", "3")])
def test_a_number_calculated_by_division_is_sent(bench: Bench, hole: str, number: str) -> None:
    result = bench.run(f"steps:\n  - killer: ALTER SYSTEM KILL SESSION '{hole}'\n    reply: error")
    assert (result.verdict, sent(result)) == (Verdict.CONFORMS, [f"ALTER SYSTEM KILL SESSION '{number}'"])


@pytest.mark.parametrize(("times", "verdict"), [("", Verdict.DEVIATES), ("settle_factor: 10\n", Verdict.CONFORMS)])
def test_a_case_can_multiply_the_settle_time(tmp_path: Path, times: str, verdict: Verdict) -> None:
    with simulator("--variant", "slow-end") as dsn:  # connection after 2 seconds, row after 3
        bench = Bench(tmp_path, dsn).settling_within(1.5)
        result = bench.run(f"{times}steps:\n  - killer: {KILL}\n    reply: ok\nends: [victim]")
    assert result.verdict is verdict, result


def test_a_row_that_reappears_during_the_watch_deviates(tmp_path: Path) -> None:
    with simulator("--defect", "row-comes-back") as dsn:
        bench = Bench(tmp_path, dsn).settling_within(0.3)
        result = bench.run(f"watch: 4\nsteps:\n  - killer: {KILL}\n    reply: ok\nends: [victim]")
    assert (result.verdict, result.expected) == (Verdict.DEVIATES, "the row of victim does not return")


LISTED = "steps:\n  - killer: SHOW PROCESSLIST\n    reply: {rows: {sessions: {victim: {INFO: null}}}}"


def test_a_process_list_that_lags_is_requested_again_before_it_is_judged(tmp_path: Path) -> None:
    with simulator("--variant", "list-lags") as dsn:
        bench = Bench(tmp_path, dsn)
        results = [bench.run(LISTED) for _ in range(3)]
    assert [result.verdict for result in results] == [Verdict.CONFORMS] * 3, results
    notes = [event.text for result in results for event in result.transcript if event.kind == "note"]
    assert any("the process list may lag" in note for note in notes)


def test_a_process_list_that_never_matches_the_claim_deviates_with_its_last_reply(bench: Bench) -> None:
    result = bench.settling_within(0.3).run(LISTED.replace("null", "something else"))
    assert result.verdict is Verdict.DEVIATES
    assert len(sent(result)) == 1  # the transcript is no list of lists
    heard = [event.text for event in result.transcript if event.kind == "receives" and not event.setup]
    assert len(heard) == 2
    assert heard[-1] in result.actual


def test_a_word_that_the_target_accepts_in_no_spelling_is_inconclusive(bench: Bench) -> None:
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


def test_a_case_that_needs_a_capability_that_the_profile_lacks_is_not_run(bench: Bench) -> None:
    profile = dataclasses.replace(load_profile("oceanbase-oracle"), lacks={"serial": "no such thing here"})
    lacking = dataclasses.replace(bench, profile=profile)
    result = lacking.run("steps:\n  - killer: ALTER SYSTEM KILL SESSION '${killer.id}, 1'\n    reply: ok")
    assert result.verdict is Verdict.NOT_APPLICABLE
    assert result.reason == "needs serial (a serial# after the session's id): no such thing here"
    assert result.transcript == ()
    other = lacking.run("steps:\n  - killer: SELECT 1 FROM DUAL\n    reply: rows")
    assert other.verdict is Verdict.CONFORMS


def test_the_guard_checks_the_spelling_of_the_profile(bench: Bench) -> None:
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
        assert session.check_connection() is None


def test_claimed_values_of_rows_can_contain_placeholders(bench: Bench) -> None:
    body = "steps:\n  - killer: SELECT '${victim.user}' FROM DUAL\n    reply: {rows: {values: [['${victim.user}']]}}"
    assert bench.run(body).verdict is Verdict.CONFORMS


def test_no_text_of_a_result_holds_a_password(bench: Bench) -> None:
    sessions = "{sys: {user: administrator}, made: {create: false}}"
    said = "CREATE USER ${made.user} IDENTIFIED BY ${made.password} ${made.password}"
    result = bench.run(f"steps:\n  - sys: {said}", sessions=sessions)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "IDENTIFIED BY <password> <password>" in result.reason
    assert not re.search(r"\b(?:p|Kc)[0-9a-f]{16}", repr(result))


def test_a_process_list_is_shown_with_its_times(bench: Bench) -> None:
    result = bench.run("steps:\n  - killer: SHOW PROCESSLIST\n    reply: rows")
    (heard,) = [event.text for event in result.transcript if event.kind == "receives" and not event.setup]
    assert heard.startswith("ID, USER, HOST, DB, COMMAND, TIME, STATE, INFO: ")
    assert "<seconds>" in heard
