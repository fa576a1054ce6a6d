"""The server's switches: where real servers lawfully differ, and the limits that keep it standing."""

from __future__ import annotations

from dataclasses import dataclass, replace

VERSION = "5.7.25-OceanBase-simulator"
TENANT = "oracle"
"""The one tenant that clients can log in to: ``user@oracle``."""

STAND_ALONE_PASSWORD = "simulator"  # noqa: S105 - a server for tests on the local machine; printed in its DSN anyway


@dataclass(frozen=True, slots=True)
class Settings:
    """One server's switches.

    Attributes:
        host: The address to listen on.
        port: The port to listen on; 0 takes a free one.
        admin_password: The password of the administrator, SYS.
        version: The server's version in the greeting.
        error_prefix: The three letters in front of an error's number: ORA, or OBE as newer servers have it.
        own_kill_answers_ok: Whether a session that kills itself gets OK before its connection is closed, as the page's
            example has it.
        owner_check: Whether a holder of ALTER SYSTEM that is no administrator reaches its own user's sessions only.
        list_all_to_alter_system: Whether a holder of ALTER SYSTEM sees every user's sessions in the list.
        lock_wait_seconds: How long a statement waits for a row that another transaction holds.
        login_seconds: How long a client may take to log in.
        login_packet_limit: The size of the largest packet before login.
        packet_limit: The size of the largest packet after login.
        session_limit: How many clients may be connected at once.
    """

    host: str = "127.0.0.1"
    port: int = 0
    admin_password: str = STAND_ALONE_PASSWORD
    version: str = VERSION
    error_prefix: str = "ORA"
    own_kill_answers_ok: bool = True
    owner_check: bool = False
    list_all_to_alter_system: bool = True
    lock_wait_seconds: float = 10.0
    login_seconds: float = 10.0
    login_packet_limit: int = 64 * 1024
    packet_limit: int = 16 * 1024 * 1024
    session_limit: int = 10_000

    def like_oceanbase(self) -> Settings:
        """These settings with what is known of real servers, where they don't do what the page says or shows.

        A holder of ALTER SYSTEM who is not the administrator reaches only sessions of its own user, and sees no others
        without SHOW PROCESS; who ends its own session gets no OK.
        """
        return replace(self, own_kill_answers_ok=False, owner_check=True, list_all_to_alter_system=False)
