"""The packets of the handshake: the greeting, the login, and COM_CHANGE_USER."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from runner.simulator.wire import (
    CHARSET_UTF8MB4,
    CLIENT_CONNECT_WITH_DB,
    CLIENT_MULTI_RESULTS,
    CLIENT_MULTI_STATEMENTS,
    CLIENT_PLUGIN_AUTH,
    CLIENT_PLUGIN_AUTH_LENENC,
    CLIENT_PROTOCOL_41,
    CLIENT_SECURE_CONNECTION,
    STATUS_AUTOCOMMIT,
    Fields,
    MalformedPacketError,
    to_text,
)

NATIVE_PASSWORD = b"mysql_native_password"

# Long passwords and flags, found rows, schema at login, protocol 4.1, transactions, multiple statements and results,
# authentication plugins.
# The bit of Oracle mode is not offered, although the server requires it from clients.
OFFERED = (
    1
    | 1 << 1
    | 1 << 2
    | CLIENT_CONNECT_WITH_DB
    | CLIENT_PROTOCOL_41
    | 1 << 13
    | CLIENT_SECURE_CONNECTION
    | CLIENT_MULTI_STATEMENTS
    | CLIENT_MULTI_RESULTS
    | CLIENT_PLUGIN_AUTH
    | 1 << 20
    | CLIENT_PLUGIN_AUTH_LENENC
)


@dataclass(frozen=True, slots=True)
class Login:
    """The contents of a client's login packet."""

    capabilities: int
    user: str
    token: bytes
    schema: str | None
    auth_plugin: bytes


def greeting(version: str, shown_id: int, scramble: bytes) -> bytes:
    """The server's first packet, with the thread id ``shown_id``."""
    return b"".join(
        (
            b"\x0a",
            version.encode("utf-8"),
            b"\x00",
            struct.pack("<I", shown_id & 0xFFFFFFFF),
            scramble[:8],
            b"\x00",
            struct.pack("<HBHHB", OFFERED & 0xFFFF, CHARSET_UTF8MB4, STATUS_AUTOCOMMIT, OFFERED >> 16, 21),
            bytes(10),
            scramble[8:],
            b"\x00",
            NATIVE_PASSWORD,
            b"\x00",
        )
    )


def auth_switch_request(scramble: bytes) -> bytes:
    """The packet that asks a client to switch to the plugin mysql_native_password."""
    return b"\xfe" + NATIVE_PASSWORD + b"\x00" + scramble + b"\x00"


def read_login(packet: bytes) -> Login:
    """Reads the client's reply to the greeting."""
    fields = Fields(packet)
    capabilities = fields.integer(4)
    if not capabilities & CLIENT_PROTOCOL_41:
        raise MalformedPacketError
    fields.take(4 + 1 + 23)
    user = to_text(fields.until_zero())
    if capabilities & CLIENT_PLUGIN_AUTH_LENENC:
        token = fields.counted()
    elif capabilities & CLIENT_SECURE_CONNECTION:
        token = fields.take(fields.integer(1))
    else:
        token = fields.until_zero()
    schema = to_text(fields.until_zero()) if capabilities & CLIENT_CONNECT_WITH_DB else ""
    method = fields.until_zero() if capabilities & CLIENT_PLUGIN_AUTH else NATIVE_PASSWORD
    return Login(capabilities, user, token, schema or None, method)


def read_change_user(packet: bytes, capabilities: int) -> Login:
    """Reads a COM_CHANGE_USER packet without its first byte, from a client with these capabilities."""
    fields = Fields(packet)
    user = to_text(fields.until_zero())
    token = fields.take(fields.integer(1)) if capabilities & CLIENT_SECURE_CONNECTION else fields.until_zero()
    schema = to_text(fields.until_zero())
    fields.take(min(2, fields.left))
    method = fields.until_zero() if capabilities & CLIENT_PLUGIN_AUTH and fields.left else NATIVE_PASSWORD
    return Login(capabilities, user, token, schema or None, method)


def user_and_tenant(login: str) -> tuple[str, str]:
    """Splits a login ``user@tenant`` into the user's name and the text after the first @.

    The name is converted to upper case, unless it is in double quotes. Without @ the tenant is empty.
    """
    if login.startswith('"') and (end := login.find('"', 1)) > 0:
        return login[1:end], login[end + 1 :].removeprefix("@")
    user, _, tenant = login.partition("@")
    return user.upper(), tenant
