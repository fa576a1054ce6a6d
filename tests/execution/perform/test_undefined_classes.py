"""Claims of error classes that the profile doesn't define: nobody can tell whether an error is one of them."""

from __future__ import annotations

import dataclasses

import pytest

from runner.database.profile import ErrorPattern, load_profile
from runner.execution.case_result import Verdict
from tests.execution.case_bench import KILL, Bench

BROKEN = "ALTER SYSTEM KILL SESSION"  # a statement under test that is answered with a syntax error


def without(bench: Bench, *classes: str, **defined: tuple[ErrorPattern, ...]) -> Bench:
    profile = load_profile("oceanbase-oracle")
    errors = {name: patterns for name, patterns in profile.errors.items() if name not in classes} | defined
    return dataclasses.replace(bench, profile=dataclasses.replace(profile, errors=errors))


def step(statement: str, reply: str) -> str:
    return f"steps:\n  - killer: {statement}\n    reply: {reply}"


UNDECIDED = [
    ("syntax", "syntax"),
    ("[connection-lost, syntax]", "syntax"),
    ("[ok, interrupted]", "interrupted"),
    ("[privilege, not-owner]", "not-owner"),  # of what is defined nothing fits: it may be the other
]


@pytest.mark.parametrize(("reply", "missing"), UNDECIDED)
def test_an_error_that_may_belong_to_an_undefined_class_is_inconclusive(bench: Bench, reply: str, missing: str) -> None:
    result = without(bench, missing).run(step(BROKEN, reply))
    assert result.verdict is Verdict.INCONCLUSIVE, result.actual
    remedy = (
        f"the profile 'oceanbase-oracle' doesn't define the error class '{missing}': add errors: {{{missing}: […]}}"
    )
    assert ": error 900" in result.reason
    assert remedy in result.reason


def test_a_refused_login_is_inconclusive_without_the_class(bench: Bench) -> None:
    body = "steps:\n  - connect: victim\n    as: NOBODY_AT_ALL\n    reply: login-refused"
    sessions = "{killer: {}, victim: {connect: false}}"
    assert bench.run(body, sessions=sessions).verdict is Verdict.CONFORMS
    result = without(bench, "login-refused").run(body, sessions=sessions)
    assert (result.verdict, "'login-refused'" in result.reason) == (Verdict.INCONCLUSIVE, True)


DECIDED = [
    (BROKEN, "[privilege, syntax]", "privilege", Verdict.CONFORMS),
    (BROKEN, "error", "syntax", Verdict.CONFORMS),
    (BROKEN, "privilege", "syntax", Verdict.DEVIATES),
    ("SELECT 1 FROM DUAL", "syntax", "syntax", Verdict.DEVIATES),
    ("SELECT 1 FROM DUAL", "[syntax, rows]", "syntax", Verdict.CONFORMS),
]


@pytest.mark.parametrize(("statement", "reply", "missing", "verdict"), DECIDED)
def test_a_verdict_that_does_not_depend_on_the_undefined_class_is_decided(
    bench: Bench, statement: str, reply: str, missing: str, verdict: Verdict
) -> None:
    assert without(bench, missing).run(step(statement, reply)).verdict is verdict


def test_an_empty_list_defines_a_class_that_no_error_belongs_to(bench: Bench) -> None:
    result = without(bench, syntax=()).run(step(BROKEN, "syntax"))
    assert (result.verdict, "error 900" in result.actual) == (Verdict.DEVIATES, True)


def test_the_interruption_of_another_session_is_inconclusive_without_the_class(bench: Bench) -> None:
    body = f"steps:\n  - stranger: SELECT FROM\n    reply: later\n  - killer: {KILL}\n    reply: ok\nends: [victim]"
    assert bench.run(body).verdict is Verdict.CONFORMS
    result = without(bench, "interrupted").run(body)
    assert (result.verdict, "can't verify that stranger was interrupted" in result.reason) == (
        Verdict.INCONCLUSIVE,
        True,
    ), result.actual


def test_a_lost_session_deviates_also_without_the_class(bench: Bench) -> None:
    body = f"steps:\n  - killer: {KILL}\n    reply: ok\n  - killer: {BROKEN}\n    reply: syntax"
    result = without(bench, "syntax").run(body)
    assert (result.verdict, "lost: victim" in result.actual) == (Verdict.DEVIATES, True)
