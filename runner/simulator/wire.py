"""The packets of the MySQL protocol: encoding and decoding."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

HEADER = 4
LARGEST_FRAME = 0xFFFFFF

# PyMySQL has the same constants, but importing them imports its client, which takes a third of the start-up time.
CLIENT_CONNECT_WITH_DB = 1 << 3
CLIENT_PROTOCOL_41 = 1 << 9
CLIENT_SECURE_CONNECTION = 1 << 15
CLIENT_MULTI_STATEMENTS = 1 << 16
CLIENT_MULTI_RESULTS = 1 << 17
CLIENT_PLUGIN_AUTH = 1 << 19
CLIENT_PLUGIN_AUTH_LENENC = 1 << 21
CLIENT_ORACLE_MODE = 1 << 27

STATUS_IN_TRANSACTION = 0x0001
STATUS_AUTOCOMMIT = 0x0002
STATUS_MORE_RESULTS = 0x0008

TYPE_BIGINT = 8
TYPE_DECIMAL = 246
TYPE_TEXT = 253

CHARSET_UTF8MB4 = 45
CHARSET_BINARY = 63

_ONE_BYTE = 0xFB
_TWO_BYTES = 0x10000
_THREE_BYTES = 0x1000000


class MalformedPacketError(Exception):
    """A packet of the client is malformed."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a result: its label and its type in the protocol (decimal, bigint or text)."""

    label: str
    kind: int = TYPE_TEXT


def encoded_integer(number: int) -> bytes:
    """A length-encoded integer."""
    if number < _ONE_BYTE:
        return number.to_bytes(1, "little")
    if number < _TWO_BYTES:
        return b"\xfc" + number.to_bytes(2, "little")
    if number < _THREE_BYTES:
        return b"\xfd" + number.to_bytes(3, "little")
    return b"\xfe" + number.to_bytes(8, "little")


def encoded_bytes(data: bytes) -> bytes:
    """A length-encoded string."""
    return encoded_integer(len(data)) + data


def to_bytes(text: str) -> bytes:
    """Encodes text; bytes that ``to_text`` could not decode are restored."""
    return text.encode("utf-8", "surrogateescape")


def to_text(data: bytes) -> str:
    """Decodes the client's bytes; bytes that are not UTF-8 are kept as surrogates."""
    return data.decode("utf-8", "surrogateescape")


def framed(payloads: Iterable[bytes], sequence: int) -> bytes:
    """Payloads as packets, numbered from ``sequence``."""
    parts: list[bytes] = []
    for payload in payloads:
        rest = payload
        while len(rest) >= LARGEST_FRAME:
            parts += (b"\xff\xff\xff", (sequence & 0xFF).to_bytes(1, "little"), rest[:LARGEST_FRAME])
            rest = rest[LARGEST_FRAME:]
            sequence += 1
        parts += ((len(rest) | (sequence & 0xFF) << 24).to_bytes(HEADER, "little"), rest)
        sequence += 1
    return b"".join(parts)


def ok_payload(affected: int, status: int, warnings: int = 0) -> bytes:
    """An OK packet with the number of affected rows and of warnings."""
    return b"\x00" + encoded_integer(affected) + b"\x00" + struct.pack("<HH", status, warnings)


def error_payload(code: int, sqlstate: str, message: bytes) -> bytes:
    """An error packet."""
    return b"\xff" + struct.pack("<H", code) + b"#" + sqlstate.encode("ascii") + message


def end_payload(status: int) -> bytes:
    """An EOF packet, after the columns and after the rows."""
    return b"\xfe" + struct.pack("<HH", 0, status)


@lru_cache(maxsize=512)
def column_payload(column: Column) -> bytes:
    """The definition of one column."""
    label = encoded_bytes(to_bytes(column.label))
    charset, length = (CHARSET_BINARY, 40) if column.kind in (TYPE_BIGINT, TYPE_DECIMAL) else (CHARSET_UTF8MB4, 65536)
    fixed = struct.pack("<HIBHBH", charset, length, column.kind, 0, 0, 0)
    return b"\x03def\x00\x00\x00" + label + label + encoded_bytes(fixed)


Cell = bytes | None


@lru_cache(maxsize=1024)
def _text_cell(cell: Cell) -> bytes:
    return b"\xfb" if cell is None else encoded_bytes(cell)


def text_row(cells: Sequence[Cell], _: Sequence[Column]) -> bytes:
    """One row for COM_QUERY."""
    return b"".join(map(_text_cell, cells))


def binary_row(cells: Sequence[Cell], columns: Sequence[Column]) -> bytes:
    """One row for COM_STMT_EXECUTE: bigints are eight bytes, decimals and text as in a text row, NULLs are bits."""
    nulls = bytearray((len(cells) + 9) // 8)
    for position, cell in enumerate(cells, 2):
        if cell is None:
            nulls[position // 8] |= 1 << position % 8
    values = [
        int(cell).to_bytes(8, "little", signed=True) if column.kind == TYPE_BIGINT else encoded_bytes(cell)
        for column, cell in zip(columns, cells, strict=True)
        if cell is not None
    ]
    return b"\x00" + bytes(nulls) + b"".join(values)


def result_payloads(
    columns: Sequence[Column], rows: Iterable[Sequence[Cell]], status: int, *, binary: bool
) -> Iterator[bytes]:
    """A whole result set: the count, the columns, an end, the rows, an end."""
    row_payload = binary_row if binary else text_row
    end = end_payload(status)
    yield encoded_integer(len(columns))
    yield from map(column_payload, columns)
    yield end
    for row in rows:
        yield row_payload(row, columns)
    yield end


class Fields:
    """Reads the fields of one packet, one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes."""
        end = self._at + count
        if end > len(self._data):
            raise MalformedPacketError
        taken = self._data[self._at : end]
        self._at = end
        return taken

    def integer(self, size: int) -> int:
        """The next integer of ``size`` bytes."""
        return int.from_bytes(self.take(size), "little")

    def until_zero(self) -> bytes:
        """The bytes before the next zero byte, or all if there is none."""
        end = self._data.find(b"\x00", self._at)
        if end < 0:
            return self.rest()
        taken = self._data[self._at : end]
        self._at = end + 1
        return taken

    def counted(self) -> bytes:
        """A length-encoded string of less than 16 MiB."""
        first = self.integer(1)
        widths = {0xFC: 2, 0xFD: 3}
        if first >= _ONE_BYTE and first not in widths:
            raise MalformedPacketError
        return self.take(self.integer(widths[first]) if first in widths else first)

    @property
    def left(self) -> int:
        """The number of remaining bytes."""
        return len(self._data) - self._at

    def rest(self) -> bytes:
        """The remaining bytes."""
        taken = self._data[self._at :]
        self._at = len(self._data)
        return taken
