"""Statements in the allowed shapes, and readers of session ids, each as a server somewhere is written.

The readers know nothing of the guard's own. ``python -m tests.execution.guarded_texts`` searches at random, and longer
than the tests do, for a statement in which a reader finds a number that the guard doesn't (``--help``).
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Callable, Iterator
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.execution.id_readings import possible_ids
from runner.language.guarded_statements import shape_problem
from runner.language.model import Vocabulary

VOCABULARY = Vocabulary({}, {}, "KILL")


def accepted(statement: str) -> bool:
    return shape_problem(statement, VOCABULARY) is None


# How servers get from a statement to the text in which they read a number. None: there is no such text.


def first_text(statement: str) -> str | None:
    found = re.search(r"'((?:[^']|'')*)", inner(statement))
    return None if found is None else found[1].replace("''", "'")


def last_text(statement: str) -> str | None:
    found = re.findall(r"'((?:[^']|'')*)(?:'|$)", inner(statement))
    return found[-1] if found else None


def inner(statement: str) -> str:
    """The statement that a block executes, or the statement itself."""
    found = re.search(r"(?is)^\s*BEGIN EXECUTE IMMEDIATE '((?:[^']|'')*)'", statement)
    return statement if found is None else found[1].replace("''", "'")


def without_quotes(statement: str) -> str | None:
    """What follows the words, if a number is written there at all."""
    rest = re.sub(r"(?s)/\*.*?\*/|--[^\n]*|'", " ", inner(statement))
    found = re.search(r"[0-9].*", re.sub(r"[A-Za-z_]+(?![0-9])", " ", rest), re.DOTALL)
    return None if found is None else found[0]


def whole(statement: str) -> str:
    return statement


def joined_at_commas(statement: str) -> str | None:
    """A comma between digits separates thousands."""
    text = first_text(statement)
    return None if text is None else re.sub(r"(?<=[0-9]),(?=[0-9])", "", text)


def all_joined_at_commas(statement: str) -> str:
    return re.sub(r"(?<=[0-9]),(?=[0-9])", "", statement)


def up_to_the_comma(statement: str) -> str | None:
    text = first_text(statement)
    return None if text is None else text.partition(",")[0]


def after_the_comma(statement: str) -> str | None:
    text = first_text(statement)
    return text.partition(",")[2] if text is not None and "," in text else None


def after_the_last_comma(statement: str) -> str | None:
    text = first_text(statement)
    return text.rpartition(",")[2] if text is not None and "," in text else None


TEXTS: tuple[Callable[[str], str | None], ...] = (
    first_text,
    last_text,
    without_quotes,
    joined_at_commas,
    up_to_the_comma,
    after_the_comma,
    after_the_last_comma,
)
SCANNED: tuple[Callable[[str], str | None], ...] = (*TEXTS, whole, inner, all_joined_at_commas)

# How they read it. What they refuse as no number is None.

SPACE = " \t\n\v\f\r"


def lead(text: str) -> int:
    found = re.match(r"\s*([+-]?[0-9]+)", text)
    return 0 if found is None else int(found[1])


def strtoull(text: str) -> int:
    value = lead(text)
    return min(abs(value), 2**64 - 1) if value >= 0 else (2**64 - min(-value, 2**64 - 1)) % 2**64


def strtoul_32(text: str) -> int:
    return strtoull(text) % 2**32


def strtoll(text: str) -> int:
    return max(-(2**63), min(lead(text), 2**63 - 1)) % 2**64


def strtol_32(text: str) -> int:
    return max(-(2**31), min(lead(text), 2**31 - 1)) % 2**64


def atoi_that_wraps(text: str) -> int:
    return lead(text) % 2**32


def atoi_that_stops(text: str) -> int:
    return max(-(2**31), min(lead(text), 2**31 - 1)) % 2**32


def atoi_without_sign_bit(text: str) -> int:
    return abs(lead(text)) % 2**31


def without_sign_bit_64(text: str) -> int:
    return abs(lead(text)) % 2**63


def unsigned_that_stops(text: str) -> int:
    return max(0, min(lead(text), 2**32 - 1))


def absolute(text: str) -> int:
    return abs(lead(text)) % 2**32


def exact(text: str) -> int:
    return abs(lead(text))


def any_base(text: str) -> int:
    """C's strtoul with base 0."""
    text = text.strip(SPACE).lstrip("+")
    if found := re.match(r"0[xX]([0-9a-fA-F]+)", text):
        return int(found[1], 16)
    if found := re.match(r"0[bB]([01]+)", text):
        return int(found[1], 2)
    return int(found[1], 8) if (found := re.match(r"(0[0-7]*)", text)) else abs(lead(text))


def octal_32(text: str) -> int:
    return any_base(text) % 2**32


def octal_that_stops(text: str) -> int:
    return min(any_base(text), 2**31 - 1)


def octal_prefixed(text: str) -> int | None:
    found = re.search(r"0[oO]([0-7]+)", text)
    return None if found is None else int(found[1], 8)


def python_int(text: str) -> int | None:
    try:
        return abs(int(text))
    except ValueError:
        return None


def python_int_of_any_base(text: str) -> int | None:
    try:
        return abs(int(text, 0))
    except ValueError:
        return None


def literal(text: str) -> Decimal:
    found = re.match(r"\s*([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:[eE]([+-]?[0-9]+))?", text)
    return Decimal(0) if found is None else Decimal(found[1]).scaleb(min(400, int(found[2] or 0)))


def cast_rounding(text: str) -> int:
    value = literal(text)
    return min(2**64 - 1, int(value.to_integral_value(ROUND_HALF_UP))) % 2**64 if value.adjusted() < 25 else 2**64 - 1


def cast_to_even(text: str) -> int:
    value = literal(text)
    return int(value.to_integral_value(ROUND_HALF_EVEN)) % 2**32 if value.adjusted() < 25 else 2**32 - 1


def cast_cutting(text: str) -> int:
    value = literal(text)
    return int(value) % 2**32 if value.adjusted() < 25 else 2**32 - 1


def cast_to_unsigned(text: str) -> int:
    return max(0, cast_signed(text))


def cast_signed(text: str) -> int:
    value = literal(text)
    return int(value.to_integral_value(ROUND_HALF_UP)) if value.adjusted() < 19 else 2**63 - 1


def javascript(text: str) -> int:
    return int(float(literal(text))) % 2**32


def float_number(text: str) -> int:
    return abs(int(float(literal(text))))


def first_run(text: str) -> int:
    found = re.search(r"[0-9]+", text)
    return int(found[0]) % 2**64 if found else 0


def last_run(text: str) -> int:
    found = re.findall(r"[0-9]+", text)
    return int(found[-1]) if found else 0


def last_run_32(text: str) -> int:
    return last_run(text) % 2**32


def without_underscores(text: str) -> int:
    return abs(lead(re.sub(r"(?<=[0-9])_(?=[0-9])", "", text)))


def without_blanks(text: str) -> int:
    return abs(lead(re.sub(r"\s", "", text.partition(",")[0])))


def characters(count: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        return abs(lead(text.strip()[:count]))

    read.__name__ = f"first_{count}_characters"
    return read


def digits_without_zeros(count: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        found = re.search(r"0*([0-9]+)", text)
        return int(found[1][:count]) if found else 0

    read.__name__ = f"first_{count}_digits_without_zeros"
    return read


LEADING: tuple[Callable[[str], int | None], ...] = (
    strtoull,
    strtoul_32,
    strtoll,
    strtol_32,
    atoi_that_wraps,
    atoi_that_stops,
    atoi_without_sign_bit,
    without_sign_bit_64,
    unsigned_that_stops,
    absolute,
    exact,
    any_base,
    octal_32,
    octal_that_stops,
    octal_prefixed,
    python_int,
    python_int_of_any_base,
    cast_rounding,
    cast_to_even,
    cast_cutting,
    cast_to_unsigned,
    javascript,
    float_number,
    without_underscores,
    without_blanks,
    *map(characters, (10, 11, 16, 20, 32, 64)),
)
SCANNING: tuple[Callable[[str], int | None], ...] = (
    first_run,
    last_run,
    last_run_32,
    *map(digits_without_zeros, (9, 10, 19, 20, 38)),
)


def all_readers(statement: str) -> Iterator[tuple[str, int]]:
    for texts, numbers in ((TEXTS, LEADING), (SCANNED, SCANNING)):
        for text in texts:
            if (found := text(statement)) is not None:
                for number in numbers:
                    if (value := number(found)) is not None:
                        yield f"{number.__name__} of {text.__name__}", value


def missed(statement: str) -> dict[str, int]:
    """What readers find that the guard does not; ids have 64 bits at most."""
    known = possible_ids(statement)
    return {name: value for name, value in all_readers(statement) if 0 <= value < 2**64 and value not in known}


# Statements. Most are in the allowed shapes; what isn't is refused, and then nothing is asked of it.

EDGES = [0, 1, 2**31, 2**32, 2**53, 2**63, 2**64, 10**9, 10**10, 10**20, 5 * 2**32]


def numbers_near(ids: st.SearchStrategy[int]) -> st.SearchStrategy[str]:
    """Digits: an id as it is, as what wraps, stops or is cut to it, in octal notation, or in part."""
    return st.one_of(
        ids.map(str),
        st.builds(lambda number, edge: str(number + edge), ids, st.sampled_from(EDGES)),
        st.builds(lambda number, width: str(-number % 2**width), ids, st.sampled_from([32, 64])),
        st.builds(lambda number: f"0{number:o}", ids),
        st.builds(lambda number, zeros: "0" * zeros + str(number), ids, st.sampled_from([1, 3, 8, 9, 10, 40, 300])),
        st.builds(lambda number, behind: f"{number:010}{behind}", ids, st.from_regex(r"\A[0-9]{1,10}\Z")),
        ids.map(lambda number: str(number - 1)),
        ids.map(lambda number: str(number)[:-1] or "0"),
        ids.map(lambda number: str(number)[1:] or "0"),
    )


ALONE = ["{}.0", "{}.4", "{}.5", "{}.9", "{}+0", "{}abc", "abc{}", "{}null", '"{}"']
PARTS = ["{}", "{}", "{}", "+{}", "-{}", "@{}", "abc", ""]
BLANKS = st.sampled_from(["", "", " ", "\t", "\n", "  "])
FRAMES = ["'{}'", "'{}' IMMEDIATE", "'{}' ;", "'{}", "/* one */ '{}'", "'{}', '7'", "IMMEDIATE '{}' NOW", "7, '{}'"]
COMMANDS = ["ALTER SYSTEM KILL SESSION {}", "KILL {}", "-- one\nkill/**/{}", "KILL '5'; KILL {}"]


@st.composite
def arguments(draw: st.DrawFn, ids: st.SearchStrategy[int]) -> str:
    """What stands behind the words of a statement."""
    digits = numbers_near(ids)
    if draw(st.integers(0, 9)) == 0:
        return draw(st.sampled_from(["{}", "{}'", "{}, {}", "{},{}"])).format(draw(digits), draw(digits))
    if draw(st.booleans()):
        text = draw(BLANKS) + draw(st.sampled_from(ALONE)).format(draw(digits)) + draw(BLANKS)
    else:
        parts = [
            draw(BLANKS) + draw(st.sampled_from(PARTS)).format(draw(digits)) + draw(BLANKS)
            for _ in range(draw(st.integers(1, 4)))
        ]
        text = ",".join(parts)
    return draw(st.sampled_from(FRAMES)).format(text)


@st.composite
def statements(draw: st.DrawFn, ids: st.SearchStrategy[int]) -> str:
    statement = draw(st.sampled_from(COMMANDS)).format(draw(arguments(ids)))
    if draw(st.integers(0, 5)) == 0:
        return "BEGIN EXECUTE IMMEDIATE '{}'; END;".format(statement.replace("'", "''"))
    return statement


IDS = st.one_of(st.integers(1, 9999), st.integers(1, 2**32 - 1), st.integers(1, 2**63 - 1))
ANY_TEXT = st.text(st.sampled_from("0123456789abcKILxXeE+-.,_'\"\\ \t\n/*@;:"), max_size=24)


def check_statement(statement: str) -> None:
    assert not accepted(statement) or missed(statement) == {}, statement


def search(seconds: float) -> tuple[int, int]:
    """Searches at random for so long; how many statements were tried, and how many of them were accepted."""
    tried = taken = 0
    until = time.monotonic() + seconds
    kinds = st.one_of(
        statements(IDS), statements(IDS), ANY_TEXT.map(lambda text: f"KILL '{text}'"), ANY_TEXT.map("KILL {}".format)
    )

    @settings(max_examples=2000, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(statement=kinds)
    def one_round(statement: str) -> None:
        nonlocal tried, taken
        tried, taken = tried + 1, taken + accepted(statement)
        check_statement(statement)

    while time.monotonic() < until:
        one_round()
    return tried, taken


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.execution.guarded_texts", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300, help="how long to search (default 300)")
    tried, taken = search(parser.parse_args().seconds)
    print(f"{tried} statements, {taken} of them accepted: no reader found a number that the guard didn't")


if __name__ == "__main__":
    main()
