"""No accepted statement can be read by a server as naming a session that the guard doesn't know of.

The same statements each time. ``python -m tests.execution.guarded_texts`` searches longer, at random.
"""

from __future__ import annotations

from hypothesis import example, given, settings

from tests.execution.guarded_texts import ANY_TEXT, IDS, accepted, check_statement, missed, statements


@settings(max_examples=300)
@given(statement=statements(IDS))
@example("KILL '1,234'")
@example("KILL '-0'")
@example("KILL '00018'")
@example("KILL '00012345678901'")
@example("KILL '-100000000000000000001'")
@example("KILL '9007199254740993.4'")
def test_the_guard_reads_every_number_that_a_server_reads_in_an_accepted_statement(statement: str) -> None:
    check_statement(statement)


@settings(max_examples=300)
@given(text=ANY_TEXT)
def test_the_guard_reads_every_number_that_a_server_reads_in_any_accepted_text(text: str) -> None:
    for statement in (f"ALTER SYSTEM KILL SESSION '{text}'", f"ALTER SYSTEM KILL SESSION {text}", text):
        check_statement(statement)


def test_most_statements_of_this_test_are_accepted() -> None:
    taken: list[bool] = []

    @settings(max_examples=200)
    @given(statement=statements(IDS))
    def count(statement: str) -> None:
        taken.append(accepted(statement))

    count()
    assert sum(taken) > 0.8 * len(taken)


def test_the_statement_that_an_earlier_guard_accepted_is_refused() -> None:
    assert not accepted("ALTER SYSTEM KILL SESSION '65537' '\u0661' '65537")


def test_readers_detect_a_guard_that_misses_a_number() -> None:
    """The test of this test: a statement that is refused holds numbers that ``readings`` is not made for."""
    assert missed("KILL '0x1F'")
    assert missed("KILL '12e3'")
