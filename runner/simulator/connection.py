"""The connection of one client: greeting, login, commands, close."""

from __future__ import annotations

import logging
import os
import struct
from collections.abc import Awaitable, Callable
from typing import ClassVar

from runner.simulator import errors
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.server_instance import Instance
from runner.simulator.execute.transactions import enter_schema
from runner.simulator.handshake import (
    NATIVE_PASSWORD,
    Login,
    auth_switch_request,
    greeting,
    read_change_user,
    read_login,
    user_and_tenant,
)
from runner.simulator.packet_stream import ConnectionLostError, OversizedPacketError, PacketStream
from runner.simulator.sessions import Session
from runner.simulator.settings import TENANT
from runner.simulator.statement_protocol import PreparedStatement, StatementHandler
from runner.simulator.users_and_roles import CREATE_SESSION
from runner.simulator.wire import (
    CLIENT_MULTI_STATEMENTS,
    CLIENT_ORACLE_MODE,
    Column,
    MalformedPacketError,
    column_payload,
    end_payload,
    to_text,
)

QUIT = 0x01

PREPARED_LIMIT = 1_000
PREPARED_LENGTH = 64 * 1024

log = logging.getLogger("simulator")


class Connection(StatementHandler):
    """Serves one client. KILL calls ``disconnect`` to close the connection."""

    def __init__(self, instance: Instance, engine: Engine, stream: PacketStream) -> None:
        super().__init__(instance, engine, stream)
        self._session: Session | None = None
        self._number = 0
        self._capabilities = 0
        self._scramble = b""
        self._prepared: dict[int, PreparedStatement] = {}
        self._last_prepared = 0

    @property
    def has_prepared(self) -> bool:
        """Whether the client has prepared statements."""
        return bool(self._prepared)

    async def serve(self) -> None:
        """Serves the client until the connection is closed. Raises no errors."""
        try:
            session = await self._log_in()
            await self._run_commands(session)
        except (ConnectionLostError, errors.SessionEndedError):
            pass
        except OversizedPacketError:
            self._send_error(errors.packet_too_large())
        except MalformedPacketError:
            self._send_error(errors.bad_handshake())
        except errors.SqlError as error:
            self._send_error(error)
        except Exception as error:  # noqa: BLE001 - a bug must not affect other sessions
            log.error("connection closed after %s: %s", type(error).__name__, error)  # noqa: TRY400 - one line
        finally:
            self._stream.close()
            if self._session is not None:
                self._instance.ending.client_disconnected(self._session)
                self._instance.ids.release(self._session.user, self._session.number)
            elif self._number:
                self._instance.ids.release(None, self._number)

    def reject(self, error: errors.SqlError) -> None:
        """Sends an error instead of the greeting, and closes the connection."""
        self._stream.send_greeting(self._error_packet(error))
        self._stream.close()

    def disconnect(self, error: errors.SqlError | None) -> None:
        """Closes the connection now; sends ``error`` first, if there is one."""
        if error is not None:
            self._send_error(error)
        self._stream.close()

    async def _log_in(self) -> Session:
        number = self._number = self._instance.ids.allocate()
        # ASCII characters without zero, as the protocol requires.
        scramble = self._scramble = bytes(1 + byte % 127 for byte in os.urandom(20))
        self._stream.send_greeting(greeting(self._version(), self._instance.ids.greeting_id(number), scramble))
        login = read_login(await self._stream.receive())
        session = self._session = self._new_session(number, login, await self._password_token(login), scramble)
        self._capabilities = login.capabilities
        self._multi_statements = bool(login.capabilities & CLIENT_MULTI_STATEMENTS)
        self._instance.registry.add(session)
        self._stream.on_disconnect = lambda: self._instance.ending.client_disconnected(session)
        self._stream.limit = self._instance.settings.packet_limit
        self._stream.cancel_timeout()
        self._send_ok(session, 0)
        return session

    async def _password_token(self, login: Login) -> bytes:
        """The client's password token; a client that uses another authentication plugin is asked to switch."""
        if login.auth_plugin == NATIVE_PASSWORD:
            return login.token
        self._stream.send((auth_switch_request(self._scramble),))
        return await self._stream.receive()

    def _new_session(self, number: int, login: Login, token: bytes, scramble: bytes) -> Session:
        instance = self._instance
        name, tenant = user_and_tenant(login.user)
        if self._tenant(tenant) != TENANT:
            raise errors.access_denied(name, with_password=bool(token))
        user = instance.accounts.authenticate(name, token, scramble)
        roles = instance.accounts.enabled_roles(user)
        number = instance.ids.id_for(user, number)
        session = Session(number, user, roles, self._stream.host(), user.name, self)
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
        """The server's version in the greeting."""
        return self._instance.settings.version

    def _tenant(self, named: str) -> str:
        """The tenant of a login. Without ODP, a suffix ``#cluster`` is a part of the tenant's name."""
        return named

    @property
    def has_part_of_a_packet(self) -> bool:
        """Whether the client has sent a part of its next packet."""
        return self._stream.has_unread_data

    async def _run_commands(self, session: Session) -> None:
        while True:
            packet = await self._stream.receive()
            command, body = packet[:1], packet[1:]
            if command == bytes((QUIT,)):
                return
            await self._run_command(session, command[0] if command else -1, body)
            if session.ended:
                return
            await self._stream.drain()

    async def _run_command(self, session: Session, command: int, body: bytes) -> None:
        handler = self._HANDLERS.get(command)
        if handler is None:
            self._send_error(errors.unknown_command())
        else:
            await handler(self, session, body)

    async def _query(self, session: Session, body: bytes) -> None:
        await self._run_all(session, to_text(body))

    async def _ping(self, session: Session, _: bytes) -> None:
        self._send_ok(session, 0)

    async def _process_kill(self, session: Session, body: bytes) -> None:
        await self._run(session, f"KILL {int.from_bytes(body[:4], 'little')}", binary=False)

    async def _statistics(self, _: Session, __: bytes) -> None:
        self._stream.send((b"Active threads not support",))  # as OceanBase replies

    async def _set_option(self, session: Session, body: bytes) -> None:
        """COM_SET_OPTION: 0 switches multiple statements in one text on, 1 off."""
        self._multi_statements = not int.from_bytes(body[:2], "little")
        self._stream.send((end_payload(self._status(session)),))

    async def _reset_connection(self, session: Session, _: bytes) -> None:
        self._reset(session)
        self._send_ok(session, 0)

    def _reset(self, session: Session) -> None:
        """Resets the session to its state after login."""
        session.transaction.roll_back()
        session.savepoints.clear()
        session.explicit_transaction, session.autocommit, session.schema = False, True, session.user.name
        session.last_error = None
        self._prepared.clear()

    async def _change_user(self, session: Session, body: bytes) -> None:
        """COM_CHANGE_USER: logs another user in on the same session. A refused login closes the connection."""
        login = read_change_user(body, self._capabilities)
        admitted = self._new_session(session.number, login, await self._password_token(login), self._scramble)
        self._set_user(session, admitted)
        self._reset(session)
        session.schema = admitted.schema
        self._send_ok(session, 0)

    def _set_user(self, session: Session, admitted: Session) -> None:
        """Gives a session the user and the roles of the login that was accepted for it."""
        session.user, session.roles = admitted.user, admitted.roles

    async def _init_db(self, session: Session, body: bytes) -> None:
        try:
            enter_schema(self._instance, session, to_text(body))
        except errors.SqlError as error:
            self._send_error(error)
        else:
            self._send_ok(session, 0)

    async def _prepare_statement(self, session: Session, body: bytes) -> None:
        self._prepare(session, to_text(body))

    def _prepare(self, session: Session, text: str) -> None:
        try:
            statement = PreparedStatement.parse(text)
            # The values of the parameters are not known yet: a text is a valid value for each.
            self._engine.parse(
                statement.with_literals(["''"] * len(statement.positions)) if statement.positions else text
            )
            if len(self._prepared) >= PREPARED_LIMIT or len(text) > PREPARED_LENGTH:
                raise errors.too_many_prepared()
        except errors.SqlError as error:
            session.last_error = error
            self._send_error(error)
            return
        self._last_prepared += 1
        self._prepared[self._last_prepared] = statement
        # The columns are sent when the statement is executed.
        count = len(statement.positions)
        head = struct.pack("<BIHHBH", 0, self._last_prepared, 0, count, 0, 0)
        parameters = [column_payload(Column("?"))] * count
        self._stream.send((head, *parameters, *([end_payload(self._status(session))] if count else ())))

    async def _execute(self, session: Session, body: bytes) -> None:
        number = int.from_bytes(body[:4], "little")
        statement = self._prepared.get(number)
        if statement is None:
            self._send_error(errors.unknown_prepared(number))
            return
        try:
            text = statement.with_parameters(body[4:])
        except MalformedPacketError:
            self._send_error(errors.bad_parameters())
        else:
            await self._run(session, text, binary=True)

    async def _close_statement(self, _: Session, body: bytes) -> None:
        self._prepared.pop(int.from_bytes(body[:4], "little"), None)  # the protocol has no reply to it

    _HANDLERS: ClassVar[dict[int, Callable[[Connection, Session, bytes], Awaitable[None]]]] = {
        0x02: _init_db,
        0x03: _query,
        0x09: _statistics,
        0x0C: _process_kill,
        0x0E: _ping,
        0x11: _change_user,
        0x16: _prepare_statement,
        0x17: _execute,
        0x19: _close_statement,
        0x1A: _ping,  # COM_STMT_RESET: there is no state to reset
        0x1B: _set_option,
        0x1F: _reset_connection,
    }
    """The method for each command of the protocol."""
