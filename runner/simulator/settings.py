"""The server's settings: address, options in which conforming servers differ, and limits."""

from __future__ import annotations

from dataclasses import dataclass, replace

VERSION = "5.7.25-OceanBase-simulator"
TENANT = "oracle"
"""The only tenant: clients log in as ``user@oracle``."""

STAND_ALONE_PASSWORD = "simulator"  # noqa: S105 - a server for tests on the local machine; printed in its DSN anyway


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a server.

    Attributes:
        host: the address to listen on.
        port: the port to listen on; 0 takes a free one.
        admin_password: the password of the administrator, SYS.
        version: the server's version in the greeting.
        error_prefix: the prefix of error numbers: ORA, or OBE as on newer servers.
        own_kill_gets_ok: whether a session that kills itself gets OK before its connection is closed, as in the
            specification's example.
        owner_check: whether users other than the administrator can kill only sessions of their own user.
        list_all_to_alter_system: whether a holder of ALTER SYSTEM sees the sessions of all users in the process list.
        lock_wait_seconds: the longest time that a statement waits for a row lock.
        login_seconds: the time limit of a login.
        login_packet_limit: the size in bytes of the largest packet before login.
        packet_limit: the size in bytes of the largest packet after login.
        session_limit: the largest number of connected clients.
    """

    host: str = "127.0.0.1"
    port: int = 0
    admin_password: str = STAND_ALONE_PASSWORD
    version: str = VERSION
    error_prefix: str = "ORA"
    own_kill_gets_ok: bool = True
    owner_check: bool = False
    list_all_to_alter_system: bool = True
    lock_wait_seconds: float = 10.0
    login_seconds: float = 10.0
    login_packet_limit: int = 64 * 1024
    packet_limit: int = 16 * 1024 * 1024
    session_limit: int = 10_000

    def like_oceanbase(self) -> Settings:
        """These settings, changed to what is known of real servers where they differ from the specification.

        A holder of ALTER SYSTEM other than the administrator can kill only sessions of its own user, and sees no others
        without SHOW PROCESS; a session that kills itself gets no OK.
        """
        return replace(self, own_kill_gets_ok=False, owner_check=True, list_all_to_alter_system=False)
