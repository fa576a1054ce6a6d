"""The protocol of statements: receives those of one client, has the engine execute them, and sends the replies."""

from __future__ import annotations

import itertools
import logging
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from runner.simulator import errors
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.results import Done, Result, Rows
from runner.simulator.execute.server_instance import Instance
from runner.simulator.packet_stream import PacketStream
from runner.simulator.sessions import Session
from runner.simulator.sql.tokens import SYMBOL, tokens_of
from runner.simulator.wire import (
    STATUS_AUTOCOMMIT,
    STATUS_IN_TRANSACTION,
    STATUS_MORE_RESULTS,
    Fields,
    MalformedPacketError,
    error_payload,
    ok_payload,
    result_payloads,
    to_bytes,
    to_text,
)

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


PART = 200  # rows of a large result that are sent at a time

log = logging.getLogger("simulator")


class StatementHandler:
    """Executes the statements of one client and sends the replies; a connection inherits from it."""

    def __init__(self, instance: Instance, engine: Engine, stream: PacketStream) -> None:
        self._instance = instance
        self._engine = engine
        self._stream = stream
        self._multi_statements = False
        """Whether a text may contain multiple statements."""
        self._more_results = False
        """Whether the present reply is followed by another one to the same text."""

    async def _run_all(self, session: Session, text: str) -> None:
        """Executes the statements of a text one by one, until one fails, if multiple statements are switched on.

        All replies but the last one have the flag for more results.
        """
        self._more_results = False
        while self._multi_statements:
            first, rest = self._engine.split(text)
            self._more_results = bool(rest)
            if not self._more_results:
                break
            session.last_error = None
            await self._run(session, first, binary=False)
            if session.ended or session.last_error is not None:
                return
            text = rest
        self._more_results = False
        await self._run(session, text, binary=False)

    async def _run(self, session: Session, text: str, *, binary: bool) -> None:
        session.begin_statement(text, prepared=binary)
        error: errors.SqlError | None = None
        result: Result = Done()
        try:
            result = await self._execute_text(session, text)
        except errors.SqlError as refusal:
            error = refusal
        except errors.SessionEndedError:
            raise
        except Exception as mistake:  # noqa: BLE001 - the session stays usable
            log.error("%s while executing a statement: %s", type(mistake).__name__, mistake)  # noqa: TRY400 - one line
            error = errors.unexpected()
        if isinstance(result, Rows) and result.large:
            await self._send_large(session, result, binary=binary)
            return
        session.finish_statement()
        if session.ended and not self._own_kill_gets_reply:
            return
        if error is not None:
            session.last_error = error
            self._send_error(error)
            return
        if isinstance(result, Done):
            session.last_error = None
            self._send_ok(session, result.affected, result.warnings)
            return
        self._send_reply(result_payloads(result.columns, result.rows, self._status(session), binary=binary))

    async def _execute_text(self, session: Session, text: str) -> Result:
        return await self._engine.execute(session, text)

    @property
    def _own_kill_gets_reply(self) -> bool:
        """Whether a session that kills itself gets a reply before its connection is closed."""
        return self._instance.settings.own_kill_gets_ok

    async def _send_large(self, session: Session, result: Rows, *, binary: bool) -> None:
        """Sends a large result as fast as the client reads it; the statement is running until the last row is sent."""
        payloads = result_payloads(result.columns, result.rows, self._status(session), binary=binary)
        while part := tuple(itertools.islice(payloads, PART)):
            self._stream.send_partial(part)
            try:
                while self._stream.send_buffer_full:
                    await session.wait_for_client(self._stream.notify_when_writable)
            except errors.SqlError as interruption:
                session.finish_statement()
                session.last_error = interruption
                self._send_error(interruption)  # instead of the remaining rows
                return
            if session.ended or self._stream.closed:
                raise errors.SessionEndedError
        session.finish_statement()

    def _send_ok(self, session: Session, affected: int, warnings: int = 0) -> None:
        self._send_reply((ok_payload(affected, self._status(session), warnings),))

    def _send_reply(self, payloads: Iterable[bytes]) -> None:
        if self._more_results:
            self._stream.send_partial(tuple(payloads))  # the packet numbers continue in the next reply
        else:
            self._stream.send(payloads)

    def _status(self, session: Session) -> int:
        status = STATUS_AUTOCOMMIT if session.autocommit else 0
        status |= STATUS_IN_TRANSACTION if session.transaction.open or session.explicit_transaction else 0
        return status | (STATUS_MORE_RESULTS if self._more_results else 0)

    def _send_error(self, error: errors.SqlError) -> None:
        self._stream.send((self._error_packet(error),))

    def _error_packet(self, error: errors.SqlError) -> bytes:
        message = to_bytes(error.message(self._instance.settings.error_prefix))[: errors.MESSAGE_LIMIT]
        return error_payload(error.code, error.sqlstate, message)
