"""Every session id that a lenient server could read in a statement.

The statement is rewritten as servers do before they look for a number (``_REWRITTEN``), each number in it is read in
every notation (``_NOTATIONS``), and what is too large for a server's integers is cut, stopped or wrapped to them
(``_fitted``). Only the server's own arithmetic is not done here: ``runner.language.computing`` refuses that.
"""

from __future__ import annotations

import decimal
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal

UNSIGNED = (32, 64)
SIGNED = (31, 63)
"""Bits of the integers that servers keep ids in. Nobody has 16: the logins of an hour would use them up."""

_ROUNDS = 2  # of rewriting one after the other
_FARTHEST = 400  # powers of ten: beyond it every number is nothing, or the largest there is
_BUFFERS = range(9, 65)  # digits that the shortest and the longest buffer for a number has room for
_EXACT = 2**53  # from here on a float has no odd numbers

_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{4})|([0-7]{1,3}))")
_BYTES = re.compile(r"(?:0[xX]|[xX]')((?:[0-9a-fA-F]{2})+)")


def _unescaped(text: str) -> str:
    # Three octal digits can be more than a byte, which keeps what fits.
    return _ESCAPE.sub(lambda match: chr(int(match[1] or match[2] or "0", 16) or int(match[3] or "0", 8) & 0xFF), text)


def _with_bytes(text: str) -> str:
    return _BYTES.sub(lambda match: f" {bytes.fromhex(match[1]).decode('latin-1')} ", text)


_REWRITTEN: tuple[Callable[[str], str], ...] = (
    lambda text: unicodedata.normalize("NFKC", text),  # full-width letters
    lambda text: "".join(str(unicodedata.decimal(char, char)) for char in text),  # Arabic digits and their like
    lambda text: re.sub(r"'\s*'|\"\s*\"", "", text),  # texts that stand side by side are one
    lambda text: re.sub(r"(?<=[0-9]),(?=[0-9])", "", text),  # 1,000
    lambda text: re.sub(r"(?<=[0-9])_(?=[0-9])", "", text),  # 1_000
    lambda text: re.sub(r"(?<=[0-9])\s+(?=[0-9])", "", text),  # 1 000
    lambda text: re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL),  # comments that leave no gap
    lambda text: re.sub(r"--[^\n]*\n", "", text),
    lambda text: re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL),  # MySQL: '\1' is '1'
    _unescaped,  # '\x31', '\061'
    _with_bytes,  # X'3132' is the text '12'
)


def _decimals(match: re.Match[str]) -> Iterator[int]:
    """A literal cut and rounded, with its exponent and without."""
    mantissa, exponent = match["mantissa"], match["exponent"]
    with decimal.localcontext() as context:
        context.prec = len(mantissa) + _FARTHEST + 10
        value = Decimal(mantissa)
        yield from _integers(value)
        if exponent is None:
            return
        power = Decimal(exponent)
        if abs(power) <= _FARTHEST:
            yield from _integers(value.scaleb(int(power)))
        elif power > 0 and value:
            yield 2 ** UNSIGNED[-1]
        else:
            yield 0


def _integers(value: Decimal) -> tuple[int, int]:
    return int(value), int(value.to_integral_value(decimal.ROUND_HALF_UP))


def _buffered(match: re.Match[str]) -> Iterator[int]:
    """A run of digits, whole and cut where a buffer may end."""
    yield int(Decimal(match[0]))
    yield from (int(match[0][:length]) for length in _BUFFERS if length < len(match[0]))


def _in_base(base: int) -> Callable[[re.Match[str]], Iterable[int]]:
    return lambda match: (int(match[1][:_FARTHEST], base),)


_NOTATIONS: Mapping[re.Pattern[str], Callable[[re.Match[str]], Iterable[int]]] = {
    re.compile(r"[0-9]+"): _buffered,
    re.compile(r"(?P<mantissa>[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE](?P<exponent>[+-]?[0-9]+))?"): _decimals,
    re.compile(r"0[xX]([0-9a-fA-F]+)"): _in_base(16),
    re.compile(r"[xX]'([0-9a-fA-F]+)"): _in_base(16),
    re.compile(r"(?<![0-9])0[oO]?([0-7]+)"): _in_base(8),
    re.compile(r"0[bB]([01]+)"): _in_base(2),
    re.compile(r"[bB]'([01]+)"): _in_base(2),
}


def readings(statement: str, widths: Iterable[int] = (*SIGNED, *UNSIGNED)) -> set[int]:
    """The numbers; see the module.

    Args:
        statement: what is about to be sent.
        widths: bits of the integers that the server may have, for its ids.
    """
    numbers = {0}  # what a text without a number is read as
    texts = {statement}
    for _ in range(_ROUNDS):
        texts |= {rewrite(text) for rewrite in _REWRITTEN for text in texts}
    for text in texts:
        for pattern, values in _NOTATIONS.items():
            for match in pattern.finditer(text):
                numbers.update(values(match))
    return _fitted(numbers, negative=any("-" in text for text in texts), widths=tuple(widths))


def _fitted(numbers: set[int], *, negative: bool, widths: tuple[int, ...]) -> set[int]:
    """Numbers as they are, as floats hold them, stopped at the largest or smallest there is, and wrapped."""
    largest = max(numbers)
    fitted = numbers | {int(float(number)) for number in numbers if _EXACT < number < 2**1000}
    fitted |= {2**width - 1 for width in widths if largest >= 2**width}
    if negative:
        fitted |= {2**width for width in SIGNED if largest >= 2**width}
        fitted |= {-number % 2**width for number in fitted for width in UNSIGNED}
    return fitted | {number % 2**width for number in fitted for width in widths}
