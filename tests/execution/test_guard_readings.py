"""Which session ids a lenient server could read in a statement."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runner.execution.readings import readings
from runner.simulator.execute.session_id import session_id

BITS = 2**32

ids = st.integers(1, BITS - 1)
blanks = st.text(st.sampled_from(" \t\n\r"), max_size=3)
noise = st.text(st.sampled_from("abcxyz_#@*;:()% \t\n"), max_size=6)

WRITTEN = {
    "plainly": "'{n}'",
    "with a serial#": "'{n}, 7'",
    "with a serial# and no blank": "'{n},7'",
    "with IMMEDIATE": "'{n}' IMMEDIATE",
    "without quotes": "{n}",
    "with blanks around": "' \t{n}\n '",
    "with a plus": "'+{n}'",
    "with a minus": "'-{n}'",
    "with leading zeros": "'000{n}'",
    "with three hundred zeros": "'" + "0" * 300 + "{n}'",
    "with a fraction": "'{n}.0'",
    "with a fraction that rounds up": "'{n}.9'",
    "with a fraction and no more": "'{n}.'",
    "with letters behind": "'{n}abc'",
    "with letters in front": "'abc{n}'",
    "as a sum": "'{n}+0'",
    "in double quotes": "'\"{n}\"'",
    "behind a comma": "', {n}'",
    "as the serial#": "'7, {n}'",
    "as the instance": "'7, 8, @{n}'",
    "in a comment": "/* {n} */ '7'",
    "in a comment for some servers": "/*!50000 '{n}' */",
    "in a line comment": "-- {n}\n'7'",
    "in a string of a string": "'ALTER SYSTEM KILL SESSION ''{n}'''",
    "as an exponent of zero": "'{n}e0'",
    "with an exponent sign": "'{n}E+0'",
    "with a negative exponent of zero": "'{n}e-0'",
}


@pytest.mark.parametrize("written", WRITTEN.values(), ids=list(WRITTEN))
@given(number=ids)
def test_an_id_is_read_however_it_is_written(written: str, number: int) -> None:
    assert number in readings("ALTER SYSTEM KILL SESSION " + written.format(n=number))


CHANGED = {
    "beyond 32 bits": ("'{0}'", lambda n: n + BITS),
    "far beyond 32 bits": ("'{0}'", lambda n: n + 5 * BITS),
    "beyond 64 bits": ("'{0}'", lambda n: n + BITS**2),
    "below zero": ("'-{0}'", lambda n: BITS - n),
    "below zero in 64 bits": ("'-{0}'", lambda n: BITS**2 - n),
    "in tens": ("'{0}e1'", lambda n: n // 10),
    "rounded up": ("'{0}.5'", lambda n: n - 1),
    "in hexadecimal": ("0x{0:x}", lambda n: n),
    "in capital hexadecimal": ("'0X{0:X}'", lambda n: n),
}


@pytest.mark.parametrize(("written", "change"), CHANGED.values(), ids=list(CHANGED))
@given(tens=st.integers(1, (BITS - 1) // 10))
def test_an_id_is_read_from_a_number_that_comes_to_it(written: str, change: Callable[[int], int], tens: int) -> None:
    number = 10 * tens
    said = change(number)
    assert number in readings("KILL SESSION " + written.format(said))


@given(number=ids, cut=st.integers(1, 9), between=blanks)
def test_an_id_is_read_from_texts_that_some_servers_join(number: int, cut: int, between: str) -> None:
    text = str(number)
    assert number in readings(f"KILL SESSION '{text[:cut]}'{between}'{text[cut:]}'")


@given(before=noise, number=st.integers(0, 2**64), after=noise, minus=st.booleans())
def test_a_number_in_any_text_is_read_whole_or_wrapped(before: str, number: int, after: str, minus: bool) -> None:
    read = readings(f"ALTER SYSTEM KILL SESSION '{before}{'-' if minus else ''}{number}{after}'")
    assert number in read
    assert number % BITS in read
    if minus and number:
        assert -number % BITS in read


@given(text=st.text())
@example("12, 13")
@example("0012abc")
@example("1" * 5000)
def test_the_integer_that_leads_the_quoted_text_is_always_read(text: str) -> None:
    quoted = text.replace("'", "''")
    lead = re.match(r"\s*\+?([0-9]+)", text.partition(",")[0])
    read = readings(f"ALTER SYSTEM KILL SESSION '{quoted}' IMMEDIATE")
    assert lead is None or len(lead[1]) > 4000 or int(lead[1]) in read


@given(text=st.text(st.sampled_from("0123456789.eE+- ,\tabx"), max_size=12))
@example("1.5e3")
@example("15e-1")
@example("15.e1")
@example(".5")
@example("1e100")
@example("9.99e1")
def test_what_oceanbase_casts_a_text_to_is_always_read(text: str) -> None:
    """The simulator casts as the kernel does; 0 is nobody's id."""
    cast = session_id(text.partition(",")[0])
    assert cast == 0 or cast in readings(f"ALTER SYSTEM KILL SESSION '{text}'")


@pytest.mark.parametrize("statement", ["", "ALTER SYSTEM KILL SESSION", "ALTER SYSTEM KILL SESSION 'abc'", "'', ''"])
def test_where_no_number_is_zero_is_read(statement: str) -> None:
    assert readings(statement) == {0}


@given(text=st.text(st.characters() | st.sampled_from("0123456789'.,-eExX")))
def test_any_text_can_be_read(text: str) -> None:
    assert all(number >= 0 for number in readings(text))
