"""One client's life on the server: greeting, login, commands, end."""

from __future__ import annotations

import logging
import os
import struct
from typing import TYPE_CHECKING, ClassVar

from runner.simulator import errors
from runner.simulator.accounts import CREATE_SESSION
from runner.simulator.answering import Answering
from runner.simulator.channel import Channel, ConnectionLostError, OversizedPacketError
from runner.simulator.execute.transactions import enter_schema
from runner.simulator.handshake import (
    NATIVE_PASSWORD,
    Login,
    greeting,
    method_switch,
    read_change,
    read_login,
    user_and_tenant,
)
from runner.simulator.prepared import Prepared
from runner.simulator.sessions import Session
from runner.simulator.settings import TENANT
from runner.simulator.wire import (
    CLIENT_MULTI_STATEMENTS,
    CLIENT_ORACLE_MODE,
    Column,
    MalformedPacketError,
    column_payload,
    end_payload,
    to_text,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from runner.simulator.execute.engine import Engine
    from runner.simulator.execute.instance import Instance

QUIT = 0x01

PREPARED_LIMIT = 1_000
PREPARED_LENGTH = 64 * 1024

log = logging.getLogger("simulator")


class Connection(Answering):
    """Serves one client. The session's link: KILL closes the connection through it."""

    def __init__(self, instance: Instance, engine: Engine, channel: Channel) -> None:
        super().__init__(instance, engine, channel)
        self._session: Session | None = None
        self._number = 0
        self._capabilities = 0
        self._scramble = b""
        self._prepared: dict[int, Prepared] = {}
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
        # Text on the wire: no zero, seven bits.
        scramble = self._scramble = bytes(1 + byte % 127 for byte in os.urandom(20))
        self._channel.greet(greeting(self._version(), self._instance.ids.in_greeting(number), scramble))
        login = read_login(await self._channel.receive())
        session = self._session = self._admit(number, login, await self._token(login), scramble)
        self._capabilities = login.capabilities
        self._several = bool(login.capabilities & CLIENT_MULTI_STATEMENTS)
        self._instance.registry.add(session)
        self._channel.left = lambda: self._instance.ending.leave(session)
        self._channel.limit = self._instance.settings.packet_limit
        self._channel.take_your_time()
        self._send_ok(session, 0)
        return session

    async def _token(self, login: Login) -> bytes:
        """What proves the password; a client that offered another way of authentication is asked for it."""
        if login.method == NATIVE_PASSWORD:
            return login.token
        self._channel.send((method_switch(self._scramble),))
        return await self._channel.receive()

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
        handler = self._HANDLERS.get(command)
        if handler is None:
            self._refuse(errors.unknown_command())
        else:
            await handler(self, session, body)

    async def _query(self, session: Session, body: bytes) -> None:
        await self._run_all(session, to_text(body))

    async def _ping(self, session: Session, _: bytes) -> None:
        self._send_ok(session, 0)

    async def _kill(self, session: Session, body: bytes) -> None:
        await self._run(session, f"KILL {int.from_bytes(body[:4], 'little')}", binary=False)

    async def _statistics(self, _: Session, __: bytes) -> None:
        self._channel.send((b"Active threads not support",))  # the kernel's words

    async def _set_option(self, session: Session, body: bytes) -> None:
        """Several statements in a text: 0 allows them, 1 does not."""
        self._several = not int.from_bytes(body[:2], "little")
        self._channel.send((end_payload(self._status(session)),))

    async def _reset_connection(self, session: Session, _: bytes) -> None:
        self._reset(session)
        self._send_ok(session, 0)

    def _reset(self, session: Session) -> None:
        """Makes the session as it was after its login."""
        session.transaction.roll_back()
        session.savepoints.clear()
        session.in_block, session.autocommit, session.schema = False, True, session.user.name
        session.last_error = None
        self._prepared.clear()

    async def _change_user(self, session: Session, body: bytes) -> None:
        """Logs the client in anew on the same session; one that is refused is disconnected."""
        login = read_change(body, self._capabilities)
        admitted = self._admit(session.number, login, await self._token(login), self._scramble)
        session.user, session.roles = admitted.user, admitted.roles
        self._reset(session)
        session.schema = admitted.schema
        self._send_ok(session, 0)

    async def _init_db(self, session: Session, body: bytes) -> None:
        try:
            enter_schema(self._instance, session, to_text(body))
        except errors.SqlError as error:
            self._refuse(error)
        else:
            self._send_ok(session, 0)

    async def _prepare_statement(self, session: Session, body: bytes) -> None:
        self._prepare(session, to_text(body))

    def _prepare(self, session: Session, text: str) -> None:
        try:
            statement = Prepared.of(text)
            # Any text stands for the parameters here: what values they have is not known yet.
            self._engine.parse(statement.filled(["''"] * len(statement.places)) if statement.places else text)
            if len(self._prepared) >= PREPARED_LIMIT or len(text) > PREPARED_LENGTH:
                raise errors.too_many_prepared()
        except errors.SqlError as error:
            session.last_error = error
            self._refuse(error)
            return
        self._last_prepared += 1
        self._prepared[self._last_prepared] = statement
        # The columns are told when the statement is executed.
        count = len(statement.places)
        head = struct.pack("<BIHHBH", 0, self._last_prepared, 0, count, 0, 0)
        parameters = [column_payload(Column("?"))] * count
        self._channel.send((head, *parameters, *([end_payload(self._status(session))] if count else ())))

    async def _execute(self, session: Session, body: bytes) -> None:
        number = int.from_bytes(body[:4], "little")
        statement = self._prepared.get(number)
        if statement is None:
            self._refuse(errors.unknown_prepared(number))
            return
        try:
            text = statement.bound(body[4:])
        except MalformedPacketError:
            self._refuse(errors.bad_parameters())
        else:
            await self._run(session, text, binary=True)

    async def _close_statement(self, _: Session, body: bytes) -> None:
        self._prepared.pop(int.from_bytes(body[:4], "little"), None)  # has no answer

    _HANDLERS: ClassVar[dict[int, Callable[[Connection, Session, bytes], Awaitable[None]]]] = {
        0x02: _init_db,
        0x03: _query,
        0x09: _statistics,
        0x0C: _kill,
        0x0E: _ping,
        0x11: _change_user,
        0x16: _prepare_statement,
        0x17: _execute,
        0x19: _close_statement,
        0x1A: _ping,  # nothing of a statement is kept that could be reset
        0x1B: _set_option,
        0x1F: _reset_connection,
    }
    """What each of the protocol's commands does."""
