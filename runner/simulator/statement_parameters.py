"""Prepared statements: the positions of their parameters, and the values that a client sends for them."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from runner.simulator.sql.tokens import SYMBOL, tokens_of
from runner.simulator.wire import Fields, MalformedPacketError, to_text

_UNSIGNED = 0x8000
_NULL = 6
_TEXTS = frozenset({0, 15, 246, 249, 250, 251, 252, 253, 254})  # decimals are sent as text, too
_INTEGERS = {1: 1, 2: 2, 13: 2, 3: 4, 9: 4, 8: 8}
_FLOATS = {4: struct.Struct("<f"), 5: struct.Struct("<d")}


@dataclass(slots=True)
class PreparedStatement:
    """One prepared statement.

    Attributes:
        text: the statement's text.
        positions: the positions of the parameters (question marks) in the text.
        types: the parameters' types, as the client sent them last; later executions may omit them.
    """

    text: str
    positions: tuple[int, ...]
    types: tuple[int, ...] = ()

    @classmethod
    def parse(cls, text: str) -> PreparedStatement:
        """Finds the parameters in a statement's text."""
        marks = (token.start for token in tokens_of(text) if token.kind == SYMBOL and token.value == "?")
        return cls(text, tuple(marks))

    def with_literals(self, literals: list[str]) -> str:
        """The text with each parameter replaced by a literal."""
        pieces: list[str] = []
        last = 0
        for position, literal in zip(self.positions, literals, strict=True):
            pieces += (self.text[last:position], literal)
            last = position + 1
        return "".join((*pieces, self.text[last:]))

    def with_parameters(self, packet: bytes) -> str:
        """The text with the values of a COM_STMT_EXECUTE packet; ``packet`` begins after the statement's id.

        Raises:
            MalformedPacketError: the packet is malformed, or a value has an unsupported type.
        """
        if not self.positions:
            return self.text
        fields = Fields(packet)
        fields.take(1 + 4)
        nulls = fields.take((len(self.positions) + 7) // 8)
        if fields.integer(1):
            self.types = tuple(fields.integer(2) for _ in self.positions)
        if len(self.types) != len(self.positions):
            raise MalformedPacketError
        return self.with_literals(
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
