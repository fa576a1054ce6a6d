"""Counts the rows of a result set in the bytes of a reply, of which the end may be missing."""

from __future__ import annotations

from dataclasses import dataclass, field

_HEADER = 4  # bytes: length and sequence number of a packet
_MOST_COLUMNS = 250  # a larger number has more than one byte
_END = 0xFE
_LONGEST_END = 8  # bytes: a longer packet with this first byte is a row
_ERROR = 0xFF


@dataclass
class RowCounter:
    """Counts the complete rows of the last result set in a reply, which it gets piece by piece.

    Attributes:
        rows: the number of rows so far.
    """

    rows: int = 0
    _rest: bytearray = field(default_factory=bytearray)
    """The beginning of the next packet."""
    _definitions: int | None = None
    """The packets before the first row; None before a result set."""

    def add(self, data: bytes | bytearray) -> None:
        """Counts the rows in the next piece of the reply."""
        self._rest += data
        at = 0
        while len(self._rest) >= at + _HEADER:
            start = at + _HEADER
            end = start + int.from_bytes(self._rest[at : at + 3], "little")
            if len(self._rest) < end:
                break
            self._add_packet(self._rest[start] if end > start else 0, end - start)
            at = end
        del self._rest[:at]

    def _add_packet(self, first: int, length: int) -> None:
        if self._definitions is None:
            if 0 < first <= _MOST_COLUMNS:
                self._definitions, self.rows = first + 1, 0  # the columns, and the end of their list
        elif self._definitions:
            self._definitions -= 1
        elif first == _END and length <= _LONGEST_END:
            self._definitions = None
        elif first != _ERROR:
            self.rows += 1
