"""PyMySQL's connection on our own stream: statements and replies in separate calls, prepared statements, TLS."""

from __future__ import annotations

import ssl
import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import pymysql
from pymysql._auth import scramble_native_password
from pymysql.charset import charset_by_name
from pymysql.connections import MySQLResult
from pymysql.constants import CLIENT, COMMAND, CR
from pymysql.protocol import FieldDescriptorPacket, OKPacketWrapper

from runner.database.dsn import Dsn, DsnError
from runner.database.outcome import LoginAborted, Lost, NoReply, Ok, Outcome, Rows, ServerError, Unreadable
from runner.database.stream import Stream, TooLargeError
from runner.database.tls import tls_context, tls_trouble
from runner.database.unrelated_errors import is_unknown_setting

_RESET_CONNECTION = 0x1F  # not among PyMySQL's commands
_STATEMENT_ID = struct.Struct("<xI")
_CLEAR_TEXT_PLUGINS = {b"mysql_clear_password", b"dialog"}
_PACKAGES = {
    "cryptography": "pip install 'PyMySQL[rsa]', or use TLS (ssl_ca=FILE in the DSN), which doesn't need it",
    "pynacl": "pip install 'PyMySQL[ed25519]'",
}
_NULL = 0xFB  # in place of the length of a value
_WIDTHS = {0xFC: 2, 0xFD: 3, 0xFE: 8}
"""The bytes of a value's length after a first byte that is none."""
_LONGEST_MESSAGE = 65536  # characters that are kept of an error's text


class BinaryRowsError(Exception):
    """The reply to a prepared statement has rows, which no case needs."""


class LoginError(Exception):
    """The client aborts a login; the message has the reason and the fix."""


class Connection(pymysql.Connection):
    """A connection that sends the minimum at a login, and reads the server's version as text.

    Attributes:
        version: the server's version in the handshake; None before the handshake.
        first_statement: the statement that is sent after the login; empty before.
        second_half: the bytes that ``send_half`` has not sent.
    """

    # What PyMySQL's connection has and its types leave out.
    _execute_command: Callable[[int, str | bytes], None]
    _write_bytes: Callable[[bytes], None]
    _read_packet: Any
    _result: Any
    _sock: Any
    _rfile: Any
    _next_seq_id: int
    _prepared: int
    server_version: str
    server_capabilities: int
    salt: bytes

    def __init__(self, dsn: Dsn, user: str, password: str, client_flag: int, schema: str = "") -> None:
        settings: dict[str, Any] = {
            "user": user,
            "password": password.encode(),  # PyMySQL's own encoding of it is Latin-1
            "host": dsn.host.partition("%")[0] or "localhost",  # the name in the certificate: a zone is this machine's
            "client_flag": client_flag,
            "ssl_disabled": True,  # PyMySQL would otherwise prepare a TLS context for every connect: 25 ms
            "conv": {},
            "use_unicode": False,  # others' statements in the list may be in any encoding
            "autocommit": None,
            "defer_connect": True,
            "database": schema or None,
        }
        super().__init__(**settings)
        self.version: str | None = None
        self.first_statement = ""
        self.second_half = b""
        self._secure = dsn.unix_socket is not None
        self.ssl = dsn.tls is not None
        if dsn.tls is not None:
            self.client_flag |= CLIENT.SSL
            self.ctx = _Upgrade(tls_context(dsn.tls))

    def set_character_set(self, charset: str, collation: str | None = None) -> None:
        """Sends SET NAMES. A server that does not know it has the character set from the handshake.

        Any other error is a reply to the login, such as that the session was interrupted.
        """
        self.first_statement = f"SET NAMES {charset}"
        try:
            super().set_character_set(charset, collation)
        except pymysql.MySQLError as error:
            sqlstate = getattr(error, "sqlstate", None)
            if sqlstate is None or not is_unknown_setting(ServerError(error.args[0], sqlstate, str(error.args[-1]))):
                raise

    def _get_server_information(self) -> None:
        super()._get_server_information()  # type: ignore[misc]  # the types leave it out
        self.version = self.server_version
        # PyMySQL takes the text up to the first dot for a number, to know whether the server is older than MySQL 5;
        # none that speaks this protocol is, and many call their versions otherwise.
        self.server_version = "5.0"

    def _request_authentication(self) -> None:
        if self.ssl and not self.server_capabilities & CLIENT.SSL:  # PyMySQL 1.1 would go on in plain text
            raise LoginError(
                "the DSN requires TLS and the server offers none; enable TLS on the server, or remove the ssl options "
                "from the DSN to send everything in plain text"
            )
        try:
            super()._request_authentication()  # type: ignore[misc]  # as above
        except (ssl.SSLError, ConnectionError) as error:  # while TLS is agreed on
            raise LoginError(tls_trouble(error)) from None
        except pymysql.MySQLError as error:
            cause = error.__context__
            if self.ssl and isinstance(cause, ssl.SSLError | ConnectionError):
                # In TLS 1.3 the server checks the certificate only now, and may close before its alert is read.
                raise LoginError(tls_trouble(cause)) from None
            raise
        except RuntimeError as error:  # PyMySQL's error if a package is missing
            package = next((name for name in _PACKAGES if name in str(error)), None)
            if package is None:
                raise
            raise LoginError(
                f"this user's password can't be sent without the Python package {package}: {_PACKAGES[package]}"
            ) from None

    def _process_auth(self, plugin_name: bytes, *rest: Any) -> Any:
        if plugin_name in _CLEAR_TEXT_PLUGINS and not self._secure:
            raise LoginError(
                f"the server wants the password in clear text ({plugin_name.decode()}), and the connection is not "
                "encrypted; use TLS (ssl_ca=FILE in the DSN)"
            )
        return super()._process_auth(plugin_name, *rest)  # type: ignore[misc]  # as above

    def _read_query_result(self, **_unbuffered: bool) -> None:
        self._result = None
        result = _TextResult(self)
        result.read()
        self._result = result

    # PyMySQL's cursor sends a statement and reads its reply in one call; here these are two.

    def send_statement(self, statement: str) -> Outcome:
        """Sends a statement; ``read_reply`` reads the reply."""
        self._execute_command(COMMAND.COM_QUERY, statement)
        return Ok()

    def send_half(self, statement: str) -> Outcome:
        """Sends the first half of a statement's packet; ``second_half`` is the rest."""
        payload = bytes([COMMAND.COM_QUERY]) + statement.encode()
        middle = len(payload) // 2
        self._write_bytes(struct.pack("<I", len(payload)) + payload[:middle])
        self.second_half, self._next_seq_id = payload[middle:], 1
        return Ok()

    def read_reply(self) -> Outcome:
        """Reads the reply to the statement; the last one, if a server sends several results."""
        self._read_query_result()
        earlier = 0
        while self._result.has_next:
            self._read_query_result()
            earlier += 1
        result = self._result
        if result.description is None:
            return Ok(result.affected_rows, result.warning_count, earlier)
        return Rows(result.description, result.rows)

    # Nor does it offer prepared statements.

    def prepare(self, statement: str) -> Outcome:
        """Prepares a statement for ``execute``: sends COM_STMT_PREPARE and reads the reply."""
        self._execute_command(COMMAND.COM_STMT_PREPARE, statement)
        head = self._read_packet().get_all_data()
        (self._prepared,) = _STATEMENT_ID.unpack_from(head)
        columns, parameters = struct.unpack_from("<HH", head, 5)
        for count in (parameters, columns):
            for _ in range(count + 1 if count else 0):  # definitions, then an EOF packet
                self._read_packet()
        return Ok()

    def execute(self) -> Outcome:
        """Sends COM_STMT_EXECUTE for the statement that was prepared last; ``read_prepared_reply`` reads the reply."""
        self._execute_command(COMMAND.COM_STMT_EXECUTE, struct.pack("<IBI", self._prepared, 0, 1))
        return Ok()

    def prepare_and_execute(self, statement: str) -> Outcome:
        """Prepares a statement and sends its execution; ``read_prepared_reply`` reads the reply."""
        self.prepare(statement)
        return self.execute()

    def read_prepared_reply(self) -> Outcome:
        """Reads the reply to an executed prepared statement; the last one, if a server sends several results.

        Raises:
            BinaryRowsError: the reply has rows.
        """
        earlier = 0
        while True:
            packet = self._read_packet()
            if not packet.is_ok_packet():
                raise BinaryRowsError("rows of a prepared statement")
            ok = OKPacketWrapper(packet)
            if not ok.has_next:
                return Ok(ok.affected_rows, ok.warning_count, earlier)
            earlier += 1

    def reset_session(self) -> Outcome:
        """Sends COM_RESET_CONNECTION and reads the reply."""
        self._execute_command(_RESET_CONNECTION, b"")
        self._read_packet()
        return Ok()

    def change_user(self, user: str, password: str) -> Outcome:
        """Sends COM_CHANGE_USER, and the password in the way that the server requests."""
        self.user, self.password = user.encode(), password.encode()
        charset: Any = charset_by_name(self.charset)
        token = scramble_native_password(self.password, self.salt)
        parts = (self.user, b"\0", bytes([len(token)]), token, b"\0", struct.pack("<H", charset.id))
        attributes = b"\0" if self.server_capabilities & CLIENT.CONNECT_ATTRS else b""
        self._execute_command(COMMAND.COM_CHANGE_USER, b"".join((*parts, b"mysql_native_password\0", attributes)))
        packet = self._read_packet()
        if packet.is_auth_switch_request():
            packet.read_uint8()
            self._process_auth(packet.read_string(), packet)
        return Ok()

    @property
    def next_packet_number(self) -> int:
        """The sequence number of the next packet, for ``resume_reading``."""
        return self._next_seq_id

    def resume_reading(self, stream: Stream, packet_number: int) -> None:
        """Continues at the packet ``packet_number`` on the same stream, after PyMySQL has given it up."""
        self._sock = self._rfile = stream
        self._next_seq_id = packet_number


class _TextResult(MySQLResult):
    """A result whose rows are text in any encoding: PyMySQL's own reading of them took a third of a run's time.

    The description of a column is its name.
    """

    field_count: int
    connection: Any

    def _get_descriptions(self) -> None:
        self.description = tuple(
            _column_name(self.connection._read_packet().get_all_data())  # noqa: SLF001 - as PyMySQL's own method does
            for _ in range(self.field_count)
        )
        if not self.connection._read_packet().is_eof_packet():  # noqa: SLF001
            raise ValueError("no end after the columns")

    def _read_row_from_packet(self, packet: Any) -> tuple[str | None, ...]:
        data: bytes = packet.get_all_data()
        values: list[str | None] = []
        at, end = 0, len(data)
        while at < end:
            size = data[at]
            at += 1
            if size == _NULL:
                values.append(None)
                continue
            if size > _NULL:
                width = _WIDTHS[size]
                size = int.from_bytes(data[at : at + width], "little")
                at += width
            if at + size > end:
                raise ValueError("a value ends after its row")
            values.append(data[at : at + size].decode("utf-8", "replace"))
            at += size
        return tuple(values)


@lru_cache(maxsize=256)
def _column_name(definition: bytes) -> str:
    """The name in the definition of a column; most replies of a run are process lists, with the same columns."""
    packet: Any = FieldDescriptorPacket(definition, "utf-8")
    return str(packet.name)


class _Upgrade:
    """Used by PyMySQL as its SSL context: the stream stays the same object."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context

    def wrap_socket(self, stream: Stream, server_hostname: str) -> Stream:
        stream.start_tls(self._context, server_hostname)
        return stream


def outcome_of_call(  # noqa: PLR0911 - a way out for each way in which it can end
    work: Callable[[], Outcome], limit: float
) -> Outcome:
    """Runs a call; its exception becomes an Outcome. ``limit``: the time limit in seconds that the call itself has."""
    try:
        return work()
    except pymysql.MySQLError as error:
        if isinstance(error.__context__ or getattr(error, "original_exception", None), TimeoutError):
            return NoReply(limit)
        return _from_pymysql(error)
    except TimeoutError:
        return NoReply(limit)
    except (LoginError, DsnError) as error:
        return LoginAborted(str(error))
    except OSError as error:
        return Lost(error.strerror or str(error))
    except Exception as error:  # noqa: BLE001 - PyMySQL's parser raises many types for an invalid packet
        return Unreadable(str(error) if isinstance(error, TooLargeError | BinaryRowsError) else type(error).__name__)


def _from_pymysql(error: pymysql.MySQLError) -> Outcome:
    cause: BaseException | None = error.__context__ or getattr(error, "original_exception", None)
    if isinstance(cause, ConnectionResetError | BrokenPipeError | ssl.SSLError):
        return Lost("reset")
    code = error.args[0] if error.args else None
    sqlstate = getattr(error, "sqlstate", None)
    if isinstance(error, pymysql.InternalError) and not isinstance(code, int):
        return Unreadable("packets out of order")
    if code == CR.CR_SERVER_LOST and sqlstate is None:
        return Lost("closed")
    client_side = isinstance(error, pymysql.InterfaceError) or code in {2003, 2006, 2013, 2014}
    if not isinstance(code, int) or (client_side and sqlstate is None):
        return Lost(str(error.args[-1]) if error.args and error.args[-1] else "closed")
    text = str(error.args[1])[:_LONGEST_MESSAGE] if len(error.args) > 1 else ""
    return ServerError(code & 0xFFFF, sqlstate or "", text)
