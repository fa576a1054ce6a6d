"""Prepared statements: where their parameters stand, and the values that a client sends for them."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from runner.simulator.sql.tokens import SYMBOL, tokens_of
from runner.simulator.wire import Fields, MalformedPacketError, to_text

_UNSIGNED = 0x8000
_NULL = 6
_TEXTS = frozenset({0, 15, 246, 249, 250, 251, 252, 253, 254})  # decimals too are sent as text
_INTEGERS = {1: 1, 2: 2, 13: 2, 3: 4, 9: 4, 8: 8}
_FLOATS = {4: struct.Struct("<f"), 5: struct.Struct("<d")}


@dataclass(slots=True)
class Prepared:
    """One prepared statement.

    Attributes:
        text: as it was prepared.
        places: where in it its parameters, question marks, stand.
        types: what the client said of the parameters' types when it executed the statement last.
    """

    text: str
    places: tuple[int, ...]
    types: tuple[int, ...] = ()

    @classmethod
    def of(cls, text: str) -> Prepared:
        """A statement with the parameters in it."""
        marks = (token.start for token in tokens_of(text) if token.kind == SYMBOL and token.value == "?")
        return cls(text, tuple(marks))

    def filled(self, literals: list[str]) -> str:
        """The text with a literal in the place of each parameter."""
        pieces: list[str] = []
        last = 0
        for place, literal in zip(self.places, literals, strict=True):
            pieces += (self.text[last:place], literal)
            last = place + 1
        return "".join((*pieces, self.text[last:]))

    def bound(self, packet: bytes) -> str:
        """The text with the values of an EXECUTE packet, which begins behind the statement's number.

        Raises:
            MalformedPacketError: the packet makes no sense, or has a value of a type that nothing here has.
        """
        if not self.places:
            return self.text
        fields = Fields(packet)
        fields.take(1 + 4)
        nulls = fields.take((len(self.places) + 7) // 8)
        if fields.integer(1):
            self.types = tuple(fields.integer(2) for _ in self.places)
        if len(self.types) != len(self.places):
            raise MalformedPacketError
        return self.filled(
            [
                "NULL" if nulls[number // 8] >> number % 8 & 1 else _literal(kind, fields)
                for number, kind in enumerate(self.types)
            ]
        )


def _literal(typed: int, fields: Fields) -> str:
    kind = typed & 0xFF
    if kind == _NULL:
        return "NULL"
    if kind in _TEXTS:
        return "'" + to_text(fields.counted()).replace("'", "''") + "'"
    if kind in _INTEGERS:
        data = fields.take(_INTEGERS[kind])
        return f"({int.from_bytes(data, 'little', signed=not typed & _UNSIGNED)})"
    if kind in _FLOATS:
        (value,) = _FLOATS[kind].unpack(fields.take(_FLOATS[kind].size))
        return f"({int(value) if value.is_integer() else value})"
    raise MalformedPacketError
