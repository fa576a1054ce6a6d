"""All session ids that a lenient server could read in a statement."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.execution.id_readings import possible_ids
from runner.simulator.execute.kill import session_id

BITS = 2**32

ids = st.integers(1, BITS - 1)
blanks = st.text(st.sampled_from(" \t\n\r"), max_size=3)

WRITTEN = {
    "plainly": "'{n}'",
    "with a serial#": "'{n}, 7'",
    "with a serial# and no blank": "'{n},7'",
    "with IMMEDIATE": "'{n}' IMMEDIATE",
    "without quotes": "{n}",
    "with an open quote": "'{n}",
    "with a quote behind": "{n}'",
    "with blanks around": "' \t{n}\n '",
    "with a plus": "'+{n}'",
    "with a minus": "'-{n}'",
    "with leading zeros": "'000{n}'",
    "with three hundred zeros": "'" + "0" * 300 + "{n}'",
    "with a fraction": "'{n}.0'",
    "with a fraction that rounds up": "'{n}.9'",
    "with letters behind": "'{n}abc'",
    "with letters in front": "'abc{n}'",
    "as a sum": "'{n}+0'",
    "in double quotes": '"{n}"',
    "in double quotes in a text": "'\"{n}\"'",
    "behind a comma": "', {n}'",
    "as the serial#": "'7, {n}'",
    "as the instance": "'7, 8, @{n}'",
    "in a string of a string": "'ALTER SYSTEM KILL SESSION ''{n}'''",
}


@pytest.mark.parametrize("written", WRITTEN.values(), ids=list(WRITTEN))
@given(number=ids)
def test_an_id_is_read_in_every_spelling(written: str, number: int) -> None:
    assert number in possible_ids("ALTER SYSTEM KILL SESSION " + written.format(n=number))


CHANGED = {
    "beyond 32 bits": ("'{0}'", lambda n: n + BITS),
    "far beyond 32 bits": ("'{0}'", lambda n: n + 5 * BITS),
    "beyond 64 bits": ("'{0}'", lambda n: n + BITS**2),
    "below zero": ("'-{0}'", lambda n: BITS - n),
    "below zero in 64 bits": ("'-{0}'", lambda n: BITS**2 - n),
    "rounded up": ("'{0}.5'", lambda n: n - 1),
    "in octal notation": ("'0{0:o}'", lambda n: n),
    "as thousands": ("'{0:,}'", lambda n: n),
}


@pytest.mark.parametrize(("written", "change"), CHANGED.values(), ids=list(CHANGED))
@given(number=ids)
def test_an_id_is_read_from_a_number_that_is_converted_to_it(
    written: str, change: Callable[[int], int], number: int
) -> None:
    assert number in possible_ids("KILL SESSION " + written.format(change(number)))


@given(before=blanks, sign=st.sampled_from(["", "+", "-"]), number=st.integers(0, 2**66), after=blanks)
def test_the_number_that_oceanbase_casts_a_text_to_is_always_read(
    before: str, sign: str, number: int, after: str
) -> None:
    """The simulator casts as the kernel does."""
    for text in (f"{sign}{number}", f"{number}.5", f"{number}abc", f"{number}+0", f"abc{number}"):
        cast = session_id(f"{before}{text}{after}")
        assert cast in possible_ids(f"ALTER SYSTEM KILL SESSION '{before}{text}{after}'")


EXACTLY = {
    "'12'": {12},
    "12": {12},
    "'12', '13'": {12, 13},
    "'12, 13' IMMEDIATE": {12, 13},
    "'12,13'": {12, 13, 1213},
    "12,13": {12, 13, 1213},
    "' 12 '": {12},
    "'+12'": {12, 0},
    "'12.4'": {12, 4},
    "'12.5'": {12, 13, 5},
    "'0018'": {18, 1},
    "'0012'": {12, 10},
    "'12abc'": {12},
    "'12' NOW": {12},
    "'4294967297'": {4294967297, 1, 429496729, 2**32 - 1, 2**31 - 1},
}


@pytest.mark.parametrize(("argument", "numbers"), EXACTLY.items())
def test_no_other_number_is_read(argument: str, numbers: set[int]) -> None:
    assert possible_ids(f"ALTER SYSTEM KILL SESSION {argument}", (31, 32, 64)) == numbers


@pytest.mark.parametrize("argument", ["", "IMMEDIATE", "'abc'", "''", "' '", "'", "'*'", "','"])
def test_a_text_without_a_number_is_read_as_zero(argument: str) -> None:
    assert possible_ids(f"ALTER SYSTEM KILL SESSION {argument}") == {0}


@pytest.mark.parametrize(
    "argument",
    [
        "', 5'",
        "'5, '",
        "'5, abc'",
        "'5, @6'",
        "'abc5'",
        "'\"5\"'",
        "5'",
        "'0'",
        "'00'",
        "'5, 0'",
        "'5.0'",
        "'5+0'",
        "'-5'",
        "'+5'",
        "'\t5'",
        "'4294967296'",
        "'0000000000000000000000000000005'",
        "'09'",
    ],
)
def test_zero_is_read_if_a_text_may_contain_no_number_or_one_that_is_converted_to_zero(argument: str) -> None:
    assert 0 in possible_ids(f"ALTER SYSTEM KILL SESSION {argument}")


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER SYSTEM KILL SESSION '12, 13' IMMEDIATE;",
        "BEGIN EXECUTE IMMEDIATE 'ALTER SYSTEM KILL SESSION ''12'''; END;",
        "KILL 12",
        "KILL '12",
        "KILL ' 12 , 13 '",
        "KILL '12abc'",
    ],
)
def test_zero_is_not_read_where_every_text_begins_with_another_number(statement: str) -> None:
    assert 0 not in possible_ids(statement)
