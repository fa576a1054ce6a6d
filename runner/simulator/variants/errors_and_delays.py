"""Conforming variants: error codes and messages, versions in the handshake, durations and losses of statements."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

import asyncio
import itertools
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

from runner.simulator import errors
from runner.simulator.catalogue import settings_variant, variant
from runner.simulator.connection import Connection
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.results import Result
from runner.simulator.handshake import Login
from runner.simulator.sessions import Session
from runner.simulator.settings import Settings
from runner.simulator.sql import statements as sql

STATEMENT_SECONDS = 0.2
QUERY_SECONDS = 10.0
LOGIN_SECONDS = 0.3

_LOST_LOGINS = 10
_UNKNOWN_ERROR = 1105

_MYSQL_NUMBERS = {900: 1064, 1031: 1227, 1092: 1317, 1920: 1396, 1918: 1396, 942: 1146, 955: 1050, 1: 1062}
_MYSQL_NUMBERS_OF_THE_KERNEL = {
    -4174: 1094,
    -5251: 1095,
    -5065: 1317,
    -5155: 1396,
    -6003: 1205,
    -5253: 1065,
    -4007: 1235,
}
_KERNEL_NUMBER = re.compile(r"internal error code, arguments: (-[0-9]+), ")


@settings_variant
def obe_prefix(settings: Settings) -> Settings:
    """Messages begin with OBE instead of ORA."""
    return replace(settings, error_prefix="OBE")


@variant
class MysqlErrorNumbers(Connection):
    """Errors have the codes of MySQL, and no prefix."""

    def _error_packet(self, error: errors.SqlError) -> bytes:
        kernel = _KERNEL_NUMBER.match(error.text)
        if kernel:
            code, text = _MYSQL_NUMBERS_OF_THE_KERNEL.get(int(kernel[1]), 1105), error.text[kernel.end() :]
        else:
            code, text = _MYSQL_NUMBERS.get(error.code, error.code), error.text
        return super()._error_packet(errors.SqlError(code, error.sqlstate, text, oracle=False))


@variant
class OneErrorCode(Connection):
    """All errors have the code 1105; their messages begin with Oracle's number."""

    def _error_packet(self, error: errors.SqlError) -> bytes:
        text = error.message(self._instance.settings.error_prefix)
        return super()._error_packet(errors.SqlError(_UNKNOWN_ERROR, errors.GENERAL, text, oracle=False))


@variant
class RichErrorMessages(Connection):
    """Messages end with the server's address, the time and a trace id, on a separate line."""

    def _error_packet(self, error: errors.SqlError) -> bytes:
        stamp = time.strftime("%Y-%m-%d %H:%M:%S.000000")
        text = f"{error.text}\n[127.0.0.1:2882] [{stamp}] [YB420BA64CF9-00062B7A3D2E1C5F-0-0]"
        return super()._error_packet(errors.SqlError(error.code, error.sqlstate, text, oracle=error.oracle))


@variant
class TerseSyntaxErrors(Engine):
    """Syntax errors have no position."""

    def parse(self, text: str) -> sql.Statement:
        try:
            return super().parse(text)
        except errors.SqlError as error:
            if error.code != errors.syntax_error("", 1).code:
                raise
            raise errors.SqlError(error.code, error.sqlstate, "invalid SQL statement") from None


@settings_variant
def version_with_a_letter_in_front(settings: Settings) -> Settings:
    """The handshake's version begins with a letter."""
    return replace(settings, version="v0.4.0-MatrixOne")


@settings_variant
def version_with_a_name_in_front(settings: Settings) -> Settings:
    """The handshake's version begins with the product's name."""
    return replace(settings, version="OceanBase_4.2.1.8")


@settings_variant
def version_without_a_number(settings: Settings) -> Settings:
    """The handshake's version has no number, and letters beyond ASCII."""
    return replace(settings, version="dëv.größte")


@settings_variant
def empty_version(settings: Settings) -> Settings:
    """The handshake's version is empty."""
    return replace(settings, version="")


@variant
class DoesNotKnowSetNames(Engine):
    """The first statement that clients send, SET NAMES, is unknown."""

    def parse(self, text: str) -> sql.Statement:
        if text.upper().startswith("SET NAMES"):
            raise errors.SqlError(1193, errors.GENERAL, "Unknown system variable 'NAMES'", oracle=False)
        return super().parse(text)


@variant
class SlowStatements(Engine):
    """Every statement is 200 ms slower."""

    async def execute(self, session: Session, text: str) -> Result:
        await session.wait(STATEMENT_SECONDS)
        return await super().execute(session, text)


@variant
class CutsStatements(Engine):
    """A statement is cancelled after 10 seconds, a PL/SQL block is not, as with ob_query_timeout."""

    async def execute(self, session: Session, text: str) -> Result:
        if isinstance(self.parse(text), sql.Block):
            return await super().execute(session, text)
        limit = asyncio.get_running_loop().call_later(QUERY_SECONDS, session.interrupt, errors.query_timeout())
        try:
            return await super().execute(session, text)
        finally:
            limit.cancel()


@variant
class SlowLogin(Connection):
    """Every login is 300 ms slower."""

    async def _log_in(self) -> Session:
        await asyncio.sleep(LOGIN_SECONDS)
        return await super()._log_in()


@variant
class AutocommitOff(Connection):
    """Sessions begin with autocommit switched off."""

    def _new_session(self, number: int, login: Login, token: bytes, scramble: bytes) -> Session:
        session = super()._new_session(number, login, token, scramble)
        session.autocommit = False
        return session


@variant
class TakesNoPreparedKill(Connection):
    """The statement cannot be prepared."""

    def _prepare(self, session: Session, text: str) -> None:
        if "KILL" in text.upper():
            self._send_error(errors.not_preparable())
        else:
            super()._prepare(session, text)


@variant
class EveryTenthConnectionIsLost(Connection):
    """Every tenth connection is closed before the handshake, as by a load balancer with a limit of new connections."""

    opened: ClassVar[Iterator[int]] = itertools.count(1)

    async def serve(self) -> None:
        if next(self.opened) % _LOST_LOGINS == 0:
            self._stream.close()
        else:
            await super().serve()
