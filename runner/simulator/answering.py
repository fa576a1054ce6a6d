"""Runs the statements of one client, and sends the answers."""

from __future__ import annotations

import itertools
import logging
from typing import TYPE_CHECKING

from runner.simulator import errors
from runner.simulator.execute.results import Done, Result, Rows
from runner.simulator.wire import (
    STATUS_AUTOCOMMIT,
    STATUS_IN_TRANSACTION,
    STATUS_MORE_RESULTS,
    error_payload,
    ok_payload,
    result_payloads,
    to_bytes,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runner.simulator.channel import Channel
    from runner.simulator.execute.engine import Engine
    from runner.simulator.execute.instance import Instance
    from runner.simulator.sessions import Session

PART = 200  # rows of a large result that are made at a time

log = logging.getLogger("simulator")


class Answering:
    """One client's statements and their answers."""

    def __init__(self, instance: Instance, engine: Engine, channel: Channel) -> None:
        self._instance = instance
        self._engine = engine
        self._channel = channel
        self._several = False
        """Whether a text may have several statements."""
        self._more = False
        """Whether the answer that is sent is followed by another one to the same text."""

    async def _run_all(self, session: Session, text: str) -> None:
        """Runs the statements in a text one after the other, up to the first that is refused, if there may be several.

        The answers of all but the last one say that more is to come.
        """
        self._more = False
        while self._several:
            first, rest = self._engine.split(text)
            self._more = bool(rest)
            if not self._more:
                break
            session.last_error = None
            await self._run(session, first, binary=False)
            if session.ended or session.last_error is not None:
                return
            text = rest
        self._more = False
        await self._run(session, text, binary=False)

    async def _run(self, session: Session, text: str, *, binary: bool) -> None:
        session.begin(text, prepared=binary)
        error: errors.SqlError | None = None
        result: Result = Done()
        try:
            result = await self._answer(session, text)
        except errors.SqlError as refusal:
            error = refusal
        except errors.SessionEndedError:
            raise
        except Exception as mistake:  # noqa: BLE001 - the session goes on
            log.error("%s while executing a statement: %s", type(mistake).__name__, mistake)  # noqa: TRY400 - one line
            error = errors.unexpected()
        if isinstance(result, Rows) and result.large:
            await self._send_large(session, result, binary=binary)
            return
        session.finish()
        if session.ended and not self._answers_own_kill:
            return
        if error is not None:
            session.last_error = error
            self._refuse(error)
            return
        if isinstance(result, Done):
            session.last_error = None
            self._send_ok(session, result.affected, result.warnings)
            return
        self._send_answer(result_payloads(result.columns, result.rows, self._status(session), binary=binary))

    async def _answer(self, session: Session, text: str) -> Result:
        return await self._engine.execute(session, text)

    @property
    def _answers_own_kill(self) -> bool:
        """Whether a session that ends itself gets the statement's answer before its connection closes."""
        return self._instance.settings.own_kill_answers_ok

    async def _send_large(self, session: Session, result: Rows, *, binary: bool) -> None:
        """Sends a large result as fast as the client reads it; the statement runs until all is sent."""
        payloads = result_payloads(result.columns, result.rows, self._status(session), binary=binary)
        while part := tuple(itertools.islice(payloads, PART)):
            self._channel.send_part(part)
            while self._channel.congested:
                await session.wait_for_client(self._channel.notify)
            if session.ended:
                raise errors.SessionEndedError
        session.finish()

    def _send_ok(self, session: Session, affected: int, warnings: int = 0) -> None:
        self._send_answer((ok_payload(affected, self._status(session), warnings),))

    def _send_answer(self, payloads: Iterable[bytes]) -> None:
        if self._more:
            self._channel.send_part(tuple(payloads))  # the next answer's packets are numbered on
        else:
            self._channel.send(payloads)

    def _status(self, session: Session) -> int:
        status = STATUS_AUTOCOMMIT if session.autocommit else 0
        status |= STATUS_IN_TRANSACTION if session.transaction.open or session.in_block else 0
        return status | (STATUS_MORE_RESULTS if self._more else 0)

    def _refuse(self, error: errors.SqlError) -> None:
        self._channel.send((self._error(error),))

    def _error(self, error: errors.SqlError) -> bytes:
        message = to_bytes(error.message(self._instance.settings.error_prefix))[: errors.MESSAGE_LIMIT]
        return error_payload(error.code, error.sqlstate, message)
