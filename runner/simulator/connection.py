"""One client's life on the server: greeting, login, commands, end."""

from __future__ import annotations

import itertools
import logging
import os
from typing import TYPE_CHECKING

from runner.simulator import errors
from runner.simulator.accounts import CREATE_SESSION
from runner.simulator.channel import Channel, ConnectionLostError, OversizedPacketError
from runner.simulator.execute.results import Done, Result, Rows
from runner.simulator.execute.transactions import enter_schema
from runner.simulator.handshake import NATIVE_PASSWORD, Login, greeting, method_switch, read_login, user_and_tenant
from runner.simulator.sessions import Session
from runner.simulator.settings import TENANT
from runner.simulator.wire import (
    CLIENT_ORACLE_MODE,
    STATUS_AUTOCOMMIT,
    STATUS_IN_TRANSACTION,
    MalformedPacketError,
    error_payload,
    ok_payload,
    result_payloads,
    to_bytes,
    to_text,
)

if TYPE_CHECKING:
    from runner.simulator.execute.engine import Engine
    from runner.simulator.execute.instance import Instance

QUIT = 0x01
INIT_DB = 0x02
QUERY = 0x03
PROCESS_KILL = 0x0C
PING = 0x0E
STMT_PREPARE = 0x16
STMT_EXECUTE = 0x17
STMT_CLOSE = 0x19
STMT_RESET = 0x1A

PART = 200  # rows of a large result that are made at a time
PREPARED_LIMIT = 1_000
PREPARED_LENGTH = 64 * 1024

log = logging.getLogger("simulator")


class Connection:
    """Serves one client. The session's link: KILL closes the connection through it."""

    def __init__(self, instance: Instance, engine: Engine, channel: Channel) -> None:
        self._instance = instance
        self._engine = engine
        self._channel = channel
        self._session: Session | None = None
        self._number = 0
        self._prepared: dict[int, str] = {}
        self._last_prepared = 0

    async def serve(self) -> None:
        """Serves the client until one of the two sides has had enough. Whatever happens stays in here."""
        try:
            session = await self._log_in()
            await self._obey(session)
        except (ConnectionLostError, errors.SessionEndedError):
            pass
        except OversizedPacketError:
            self._refuse(errors.packet_too_large())
        except MalformedPacketError:
            self._refuse(errors.bad_handshake())
        except errors.SqlError as error:
            self._refuse(error)
        except Exception as error:  # noqa: BLE001 - a mistake in here must not reach the other sessions
            log.error("connection closed after %s: %s", type(error).__name__, error)  # noqa: TRY400 - one line
        finally:
            self._channel.close()
            if self._session is not None:
                self._instance.ending.leave(self._session)
                self._instance.ids.give_back(self._session.user, self._session.number)
            elif self._number:
                self._instance.ids.give_back(None, self._number)

    def turn_away(self, error: errors.SqlError) -> None:
        """Refuses the client before it could say anything."""
        self._channel.greet(self._error(error))
        self._channel.close()

    def disconnect(self, last_word: errors.SqlError | None) -> None:
        """Closes the connection now; a statement in flight is answered with `last_word` first."""
        if last_word is not None:
            self._refuse(last_word)
        self._channel.close()

    async def _log_in(self) -> Session:
        number = self._number = self._instance.ids.new()
        scramble = bytes(1 + byte % 127 for byte in os.urandom(20))  # text on the wire: no zero, seven bits
        self._channel.greet(greeting(self._version(), self._instance.ids.in_greeting(number), scramble))
        login = read_login(await self._channel.receive())
        token = login.token
        if login.method != NATIVE_PASSWORD:
            self._channel.send((method_switch(scramble),))
            token = await self._channel.receive()
        session = self._session = self._admit(number, login, token, scramble)
        self._instance.registry.add(session)
        self._channel.left = lambda: self._instance.ending.leave(session)
        self._channel.limit = self._instance.settings.packet_limit
        self._channel.take_your_time()
        self._send_ok(session, 0)
        return session

    def _admit(self, number: int, login: Login, token: bytes, scramble: bytes) -> Session:
        instance = self._instance
        name, tenant = user_and_tenant(login.user)
        if self._tenant(tenant) != TENANT:
            raise errors.access_denied(name, with_password=bool(token))
        user = instance.accounts.authenticate(name, token, scramble)
        roles = instance.accounts.enabled_roles(user)
        number = instance.ids.of(user, number)
        session = Session(number, user, roles, self._channel.host(), user.name, self)
        if not instance.privileges.holds(session, CREATE_SESSION):
            raise errors.no_create_session(user.name)
        if not login.capabilities & CLIENT_ORACLE_MODE:
            raise errors.not_an_oracle_client()
        if login.schema is not None:
            name = login.schema if login.schema in instance.accounts.users else login.schema.upper()
            if name not in instance.accounts.users:
                raise errors.unknown_database(login.schema)
            session.schema = name
        return session

    def _version(self) -> str:
        """The version in the greeting."""
        return self._instance.settings.version

    def _tenant(self, named: str) -> str:
        """The tenant that a login names. On the server's own port all of it is a name: a cluster behind it is none."""
        return named

    async def _obey(self, session: Session) -> None:
        while True:
            packet = await self._channel.receive()
            command, body = packet[:1], packet[1:]
            if command == bytes((QUIT,)):
                return
            await self._command(session, command[0] if command else -1, body)
            if session.ended:
                return
            await self._channel.drain()

    async def _command(self, session: Session, command: int, body: bytes) -> None:
        if command == QUERY:
            await self._run(session, to_text(body), binary=False)
        elif command == PING:
            self._send_ok(session, 0)
        elif command == STMT_PREPARE:
            self._prepare(session, to_text(body))
        elif command == STMT_EXECUTE:
            number = int.from_bytes(body[:4], "little")
            if number in self._prepared:
                await self._run(session, self._prepared[number], binary=True)
            else:
                self._refuse(errors.unknown_prepared(number))
        elif command == STMT_CLOSE:
            self._prepared.pop(int.from_bytes(body[:4], "little"), None)  # has no answer
        elif command == STMT_RESET:
            self._send_ok(session, 0)
        elif command == INIT_DB:
            self._init_db(session, to_text(body))
        elif command == PROCESS_KILL:
            await self._run(session, f"KILL {int.from_bytes(body[:4], 'little')}", binary=False)
        else:
            self._refuse(errors.unknown_command())

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
        self._channel.send(result_payloads(result.columns, result.rows, _status(session), binary=binary))

    async def _answer(self, session: Session, text: str) -> Result:
        return await self._engine.execute(session, text)

    @property
    def _answers_own_kill(self) -> bool:
        """Whether a session that ends itself gets the statement's answer before its connection closes."""
        return self._instance.settings.own_kill_answers_ok

    async def _send_large(self, session: Session, result: Rows, *, binary: bool) -> None:
        """Sends a large result as fast as the client reads it; the statement runs until all is sent."""
        payloads = result_payloads(result.columns, result.rows, _status(session), binary=binary)
        while part := tuple(itertools.islice(payloads, PART)):
            self._channel.send_part(part)
            while self._channel.congested:
                await session.wait_for_client(self._channel.notify)
            if session.ended:
                raise errors.SessionEndedError
        session.finish()

    def _prepare(self, session: Session, text: str) -> None:
        try:
            self._engine.parse(text)
            if len(self._prepared) >= PREPARED_LIMIT or len(text) > PREPARED_LENGTH:
                raise errors.too_many_prepared()
        except errors.SqlError as error:
            session.last_error = error
            self._refuse(error)
            return
        self._last_prepared += 1
        self._prepared[self._last_prepared] = text
        # No parameters; the columns are told when the statement is executed.
        self._channel.send((b"\x00" + self._last_prepared.to_bytes(4, "little") + bytes(7),))

    def _init_db(self, session: Session, name: str) -> None:
        try:
            enter_schema(self._instance, session, name)
        except errors.SqlError as error:
            self._refuse(error)
        else:
            self._send_ok(session, 0)

    def _send_ok(self, session: Session, affected: int, warnings: int = 0) -> None:
        self._channel.send((ok_payload(affected, _status(session), warnings),))

    def _refuse(self, error: errors.SqlError) -> None:
        self._channel.send((self._error(error),))

    def _error(self, error: errors.SqlError) -> bytes:
        message = to_bytes(error.message(self._instance.settings.error_prefix))[: errors.MESSAGE_LIMIT]
        return error_payload(error.code, error.sqlstate, message)


def _status(session: Session) -> int:
    status = STATUS_AUTOCOMMIT if session.autocommit else 0
    return status | STATUS_IN_TRANSACTION if session.transaction.open or session.in_block else status
