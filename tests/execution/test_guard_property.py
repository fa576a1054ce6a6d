"""No statement gets past the guard that some server could read as naming a foreign session.

The readers are written here a second time, each as a server somewhere is written, and know nothing of the guard's own.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal

from hypothesis import event, given, settings
from hypothesis import strategies as st

from runner.execution.readings import readings
from runner.language.computing import computed

# How servers come from a statement to the text that they read a number in.


def first_text(said: str) -> str:
    found = re.search(r"'((?:[^']|'')*)", said) or re.search(r'"([^"]*)', said)
    return found[1].replace("''", "'") if found else ""


def last_text(said: str) -> str:
    found = re.findall(r"'((?:[^']|'')*)'", said)
    return found[-1] if found else ""


def adjacent_texts(said: str) -> str:
    """Texts with nothing but blanks between them are one, as the SQL standard says."""
    found = re.search(r"'[^']*'(?:\s*'[^']*')*", said)
    return "".join(re.findall(r"'([^']*)'", found[0])) if found else ""


def behind_the_words(said: str) -> str:
    return re.sub(r"(?is)^.*?session\s*", "", said)


def mysql_text(said: str) -> str:
    return re.sub(r"\\(.)", r"\1", first_text(said))


def c_text(said: str) -> str:
    text = re.sub(r"\\x([0-9a-fA-F]{2})", lambda code: chr(int(code[1], 16)), first_text(said))
    return re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8) % 256), text)


def without_comments(said: str) -> str:
    return behind_the_words(re.sub(r"(?s)/\*.*?\*/", "", said))


def comments_as_blanks(said: str) -> str:
    return behind_the_words(re.sub(r"(?s)/\*.*?\*/|--[^\n]*", " ", said))


def wide_letters_narrowed(said: str) -> str:
    return unicodedata.normalize("NFKC", first_text(said))


def hexadecimal_text(said: str) -> str:
    found = re.search(r"[xX]'((?:[0-9a-fA-F]{2})+)'", said)
    return bytes.fromhex(found[1]).decode("latin-1") if found else ""


def thousands(said: str) -> str:
    return re.sub(r"(?<=[0-9]),(?=[0-9])", "", first_text(said))


def after_the_comma(said: str) -> str:
    return first_text(said).partition(",")[2]


def up_to_the_comma(said: str) -> str:
    return first_text(said).partition(",")[0]


TEXTS = (
    first_text,
    last_text,
    adjacent_texts,
    behind_the_words,
    mysql_text,
    c_text,
    without_comments,
    comments_as_blanks,
    wide_letters_narrowed,
    hexadecimal_text,
    thousands,
    after_the_comma,
    up_to_the_comma,
)

# How they read it.

SPACE = " \t\n\v\f\r"


def lead(text: str, digits: str = "[0-9]") -> int:
    found = re.match(rf"\s*([+-]?)({digits}+)", text)
    return 0 if found is None else int(found[1] + found[2][:4000])


def strtoull(text: str) -> int:
    value = lead(text.lstrip(SPACE))
    return min(abs(value), 2**64 - 1) if value >= 0 else (2**64 - min(-value, 2**64 - 1)) % 2**64


def strtoul_32(text: str) -> int:
    return strtoull(text) % 2**32


def strtoll(text: str) -> int:
    return max(-(2**63), min(lead(text), 2**63 - 1)) % 2**64


def atoi_that_wraps(text: str) -> int:
    return lead(text) % 2**32


def atoi_that_stops(text: str) -> int:
    return max(-(2**31), min(lead(text), 2**31 - 1)) % 2**32


def atoi_without_sign_bit(text: str) -> int:
    return abs(lead(text)) % 2**31


def unsigned_that_stops(text: str) -> int:
    return max(0, min(lead(text), 2**32 - 1))


def absolute(text: str) -> int:
    return abs(lead(text)) % 2**32


def any_base(text: str) -> int:
    """C's strtoul with base 0."""
    text = text.strip(SPACE).lstrip("+")
    if found := re.match(r"0[xX]([0-9a-fA-F]+)", text):
        return int(found[1], 16)
    return int(found[1], 8) if (found := re.match(r"0([0-7]+)", text)) else lead(text)


def python_int(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        return 0


def python_int_of_any_base(text: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        return 0


def literal(text: str) -> Decimal:
    found = re.match(r"\s*([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:[eE]([+-]?[0-9]+))?", text)
    if found is None or not Decimal(found[1]):
        return Decimal(0)
    exponent = max(-400, min(400, int((found[2] or "0")[:4000])))
    return Decimal(found[1]).scaleb(exponent)


def cast_rounding(text: str) -> int:
    return int(literal(text).to_integral_value(ROUND_HALF_UP)) % 2**64 if literal(text).adjusted() < 25 else 2**64 - 1


def cast_to_even(text: str) -> int:
    return int(literal(text).to_integral_value(ROUND_HALF_EVEN)) % 2**32 if literal(text).adjusted() < 25 else 0


def cast_cutting(text: str) -> int:
    return int(literal(text)) % 2**32 if literal(text).adjusted() < 25 else 2**32 - 1


def javascript(text: str) -> int:
    value = float(literal(text)) if literal(text).adjusted() < 300 else 0.0
    return int(value) % 2**32


def float_number(text: str) -> int:
    return int(float(literal(text))) if abs(literal(text).adjusted()) < 300 else 0


def first_run(text: str) -> int:
    found = re.search(r"[0-9]+", text)
    return int(found[0][:4000]) % 2**64 if found else 0


def last_run(text: str) -> int:
    found = re.findall(r"[0-9]+", text)
    return int(found[-1][:4000]) if found else 0


def last_run_32(text: str) -> int:
    return last_run(text) % 2**32


def without_underscores(text: str) -> int:
    return lead(re.sub(r"(?<=[0-9])_(?=[0-9])", "", text))


def without_blanks(text: str) -> int:
    return lead(re.sub(r"\s", "", text.partition(",")[0]))


def ten_characters(text: str) -> int:
    return lead(text.strip()[:10])


def twenty_characters(text: str) -> int:
    return lead(text.strip()[:20])


def bits(text: str) -> int:
    found = re.match(r"0b([01]+)", text)
    return int(found[1], 2) if found else 0


NUMBERS = (
    strtoull,
    strtoul_32,
    strtoll,
    atoi_that_wraps,
    atoi_that_stops,
    atoi_without_sign_bit,
    unsigned_that_stops,
    absolute,
    any_base,
    python_int,
    python_int_of_any_base,
    cast_rounding,
    cast_to_even,
    cast_cutting,
    javascript,
    float_number,
    first_run,
    last_run,
    last_run_32,
    without_underscores,
    without_blanks,
    ten_characters,
    twenty_characters,
    bits,
)


def all_readers(said: str) -> Iterator[tuple[str, int]]:
    for text in TEXTS:
        for number in NUMBERS:
            yield f"{number.__name__} of {text.__name__}", number(text(said))


# What is said.

WAYS: Mapping[str, Callable[[int], str]] = {
    "plain": str,
    "zeros": lambda n: f"000{n}",
    "many zeros": lambda n: "0" * 40 + str(n),
    "plus": lambda n: f"+{n}",
    "minus": lambda n: f"-{n}",
    "minus of the complement": lambda n: str(n - 2**32),
    "minus of the wide complement": lambda n: str(n - 2**64),
    "fraction": lambda n: f"{n}.0",
    "half below": lambda n: f"{n - 1}.5",
    "exponent": lambda n: f"{n}e0",
    "tens": lambda n: f"{n // 10}e1",
    "tenths": lambda n: f"{n}0e-1",
    "hexadecimal": hex,
    "hexadecimal number": lambda n: f"X'{n:x}'",
    "hexadecimal text": lambda n: f"X'{str(n).encode().hex()}'",
    "octal": lambda n: f"0{n:o}",
    "python octal": oct,
    "binary": bin,
    "underscores": lambda n: f"{n:_}",
    "thousands": lambda n: f"{n:,}",
    "Arabic digits": lambda n: str(n).translate({48 + digit: 0x660 + digit for digit in range(10)}),
    "wide digits": lambda n: str(n).translate({48 + digit: 0xFF10 + digit for digit in range(10)}),
    "x escapes": lambda n: "".join(f"\\x{ord(digit):02x}" for digit in str(n)),
    "octal escapes": lambda n: "".join(f"\\{ord(digit):03o}" for digit in str(n)),
    "needless escapes": lambda n: "".join(f"\\{digit}" for digit in str(n)),
    "16 bits more": lambda n: str(n + 2**16),
    "31 bits more": lambda n: str(n + 2**31),
    "32 bits more": lambda n: str(n + 2**32),
    "63 bits more": lambda n: str(n + 2**63),
    "64 bits more": lambda n: str(n + 2**64),
    "digits behind": lambda n: f"{n}000000",
    "digits in front": lambda n: f"1000000{n}",
    "ten characters, then more": lambda n: f"{n:010}77",
    "two texts": lambda n: f"{str(n)[:1]}' '{str(n)[1:]}",
    "joined by an operator": lambda n: f"{str(n)[:1]}' || '{str(n)[1:]}",
    "a comment inside": lambda n: f"{str(n)[:1]}/**/{str(n)[1:]}",
    "one less": lambda n: str(n - 1),
    "characters": lambda n: "' || CHAR(" + ", ".join(str(ord(digit)) for digit in str(n)) + ") || '",
    "prefix": lambda n: str(n)[:-1],
    "suffix": lambda n: str(n)[1:],
}

between = st.sampled_from(
    [
        "",
        " ",
        ", ",
        ",",
        " , ",
        "\t",
        "\n",
        "\u00a0",
        "\u2009",
        "\u3000",
        ";",
        "' '",
        "', '",
        "/* 7 */",
        "-- 7\n",
        "abc",
        "_",
        "'",
        '"',
        "\\",
        "@",
        "-",
        "+",
        ".",
        "e",
    ]
)
frames = st.sampled_from(
    [
        "'{}'",
        "'{}' IMMEDIATE",
        "{}",
        '"{}"',
        "'{}",
        "'7, {}'",
        "' {} '",
        "/* {} */ '7'",
        "-- {}\n'7'",
        "'{}', '7'",
        "''{}''",
        "'abc{}abc'",
        "X'{}'",
    ]
)


@st.composite
def arguments(draw: st.DrawFn, ids: st.SearchStrategy[int]) -> str:
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        way = draw(st.sampled_from(sorted(WAYS)))
        parts += [WAYS[way](draw(ids)), draw(between)]
    return draw(frames).format("".join(parts[:-1]) + draw(st.sampled_from(["", parts[-1]])))


def held(said: str) -> bool:
    return computed(said, "KILL") is not None


def missed(said: str) -> dict[str, int]:
    """What readers read that the guard does not; no id is 0, or longer than 64 bits."""
    read = readings(said)
    return {name: number for name, number in all_readers(said) if 0 < number < 2**64 and number not in read}


@settings(max_examples=600)
@given(argument=arguments(st.one_of(st.integers(1, 9999), st.integers(1, 2**32 - 1))))
def test_whatever_a_server_reads_in_a_statement_the_guard_reads_too(argument: str) -> None:
    said = f"ALTER SYSTEM KILL SESSION {argument}"
    if held(said):
        event("refused as computed")
        return
    assert missed(said) == {}


@settings(max_examples=300)
@given(argument=st.text(st.sampled_from("0123456789abcxXeE+-.,_'\"\\ \t\n/*@;:"), max_size=24))
def test_so_it_does_in_any_text(argument: str) -> None:
    said = f"ALTER SYSTEM KILL SESSION {argument}"
    assert held(said) or missed(said) == {}
