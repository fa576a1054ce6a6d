"""Users and roles: passwords, granted privileges, granted roles."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field

from runner.simulator import errors

ADMINISTRATOR = "SYS"

ALTER_SYSTEM = "ALTER SYSTEM"
CREATE_SESSION = "CREATE SESSION"
SHOW_PROCESS = "SHOW PROCESS"

SYSTEM_PRIVILEGES = frozenset(
    f"{verb} {thing}".strip()
    for verb, things in {
        "CREATE": "SESSION,TABLE,USER,ROLE,VIEW,PROCEDURE,SEQUENCE,SYNONYM,PUBLIC SYNONYM,TRIGGER,TYPE,PROFILE,"
        "TABLESPACE,DATABASE LINK,ANY TABLE,ANY INDEX,ANY VIEW,ANY PROCEDURE,ANY SEQUENCE,ANY SYNONYM,ANY TRIGGER,"
        "ANY TYPE",
        "ALTER": "SYSTEM,SESSION,USER,DATABASE,PROFILE,TABLESPACE,ANY TABLE,ANY INDEX,ANY PROCEDURE,ANY ROLE,"
        "ANY SEQUENCE,ANY TRIGGER,ANY TYPE",
        "DROP": "USER,PROFILE,TABLESPACE,PUBLIC SYNONYM,ANY TABLE,ANY INDEX,ANY VIEW,ANY PROCEDURE,ANY ROLE,"
        "ANY SEQUENCE,ANY SYNONYM,ANY TRIGGER,ANY TYPE",
        "SELECT": "ANY TABLE,ANY DICTIONARY,ANY SEQUENCE",
        "INSERT": "ANY TABLE",
        "UPDATE": "ANY TABLE",
        "DELETE": "ANY TABLE",
        "LOCK": "ANY TABLE",
        "COMMENT": "ANY TABLE",
        "FLASHBACK": "ANY TABLE",
        "EXECUTE": "ANY PROCEDURE,ANY TYPE",
        "GRANT": "ANY PRIVILEGE,ANY ROLE,ANY OBJECT PRIVILEGE",
        "SHOW": "PROCESS",
        "PURGE": "DBA_RECYCLEBIN",
        "AUDIT": "ANY,SYSTEM",
        "UNDER": "ANY TYPE",
        "SYSDBA": "",
        "SYSOPER": "",
        "SYSBACKUP": "",
    }.items()
    for thing in things.split(",")
)

OBJECT_PRIVILEGES = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "ALTER", "INDEX", "REFERENCES", "EXECUTE"})

TableName = tuple[str, str]


@dataclass(slots=True, eq=False)
class Grantee:
    """A user or a role with its direct grants; a value is True if the grantee may grant it to others."""

    name: str
    system: dict[str, bool] = field(default_factory=dict)
    roles: dict[str, bool] = field(default_factory=dict)
    objects: dict[tuple[TableName, str], bool] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class User(Grantee):
    """A user. A dropped user and a later one with the same name are different users."""

    number: int = 0
    password_hash: bytes = b""
    administrator: bool = False

    def lock(self) -> None:
        """Refuses all further logins of the user, with any password."""
        self.password_hash = b""


def password_hash_of(password: str) -> bytes:
    """The hash of a password, as the server stores it."""
    return _sha1(_sha1(password.encode("utf-8", "surrogateescape")))


def is_token_of(token: bytes, password_hash: bytes, scramble: bytes) -> bool:
    """Whether ``token``, which the client sent, was computed from the password. The password itself is never sent."""
    mask = _sha1(scramble + password_hash)
    key = bytes(a ^ b for a, b in zip(token, mask, strict=False))
    return hmac.compare_digest(_sha1(key), password_hash) and len(token) == len(mask)


class Accounts:
    """The users and roles of a server."""

    def __init__(self, admin_password: str) -> None:
        self.users: dict[str, User] = {}
        self.roles: dict[str, Grantee] = {
            "CONNECT": Grantee("CONNECT", {CREATE_SESSION: False}),
            "RESOURCE": Grantee(
                "RESOURCE",
                dict.fromkeys((f"CREATE {kind}" for kind in "TABLE PROCEDURE SEQUENCE TRIGGER TYPE".split()), False),  # noqa: SIM905 - one word each
            ),
            "DBA": Grantee("DBA", dict.fromkeys(SYSTEM_PRIVILEGES, True)),
            "PUBLIC": Grantee("PUBLIC"),
        }
        self._number = 200_000
        self._no_password = password_hash_of("\x00")
        self.create_user(ADMINISTRATOR, admin_password).administrator = True

    def create_user(self, name: str, password: str) -> User:
        """Creates a user without privileges."""
        if name in self.users or name in self.roles:
            raise errors.name_taken()
        self._number += 1
        user = self.users[name] = User(name, number=self._number, password_hash=password_hash_of(password))
        return user

    def check_password(self, password: str) -> None:
        """Raises an error if the tenant's password rules reject the password. By default there are no rules."""

    def drop_user(self, name: str) -> None:
        """Drops a user. Its sessions stay, without privileges."""
        user = self.users.pop(name)
        user.system.clear()
        user.roles.clear()
        user.objects.clear()

    def create_role(self, name: str) -> None:
        """Creates a role without privileges."""
        if name in self.users or name in self.roles:
            raise errors.role_name_taken(name)
        self.roles[name] = Grantee(name)

    def drop_role(self, name: str) -> None:
        """Drops a role, and revokes it from all users and roles."""
        if self.roles.pop(name, None) is None:
            raise errors.no_such_role(name)
        for grantee in (*self.users.values(), *self.roles.values()):
            grantee.roles.pop(name, None)

    def revoke_all_on(self, table: TableName) -> None:
        """Revokes all privileges on a table."""
        for grantee in (*self.users.values(), *self.roles.values()):
            for key in [key for key in grantee.objects if key[0] == table]:
                del grantee.objects[key]

    def grantee(self, name: str) -> Grantee:
        """The user or role with this name."""
        found = self.users.get(name) or self.roles.get(name)
        if found is None:
            raise errors.no_such_grantee(name)
        return found

    def authenticate(self, name: str, token: bytes, scramble: bytes) -> User:
        """Checks a login and returns its user. An unknown user takes as much time as a wrong password."""
        user = self.users.get(name)
        right = is_token_of(token, user.password_hash if user else self._no_password, scramble)
        if user is None or not right:
            raise errors.access_denied(name, with_password=bool(token))
        return user

    def enabled_roles(self, user: User) -> frozenset[str]:
        """All roles of a user, granted directly or through another role."""
        found: set[str] = {"PUBLIC"}
        to_visit = ["PUBLIC", *user.roles]
        while to_visit:
            name = to_visit.pop()
            found.add(name)
            role = self.roles.get(name)
            to_visit += [inner for inner in (role.roles if role else ()) if inner not in found]
        return frozenset(found)


def _sha1(data: bytes) -> bytes:
    return hashlib.sha1(data, usedforsecurity=False).digest()  # required by the protocol
