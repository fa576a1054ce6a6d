"""Users and roles: their passwords, what they may do, and what was granted to them."""

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
    """A user or a role, and what was granted to it directly; each with whether it may grant it on."""

    name: str
    system: dict[str, bool] = field(default_factory=dict)
    roles: dict[str, bool] = field(default_factory=dict)
    objects: dict[tuple[TableName, str], bool] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class User(Grantee):
    """A user. Two users of one name, one after the other, are two users."""

    number: int = 0
    secret: bytes = b""
    administrator: bool = False


def secret_of(password: str) -> bytes:
    """What is stored of a password."""
    return _sha1(_sha1(password.encode("utf-8", "surrogateescape")))


def proves_password(token: bytes, secret: bytes, scramble: bytes) -> bool:
    """Whether a client that sent `token` knows the password, which itself never crosses the wire."""
    mask = _sha1(scramble + secret)
    key = bytes(a ^ b for a, b in zip(token, mask, strict=False))
    return hmac.compare_digest(_sha1(key), secret) and len(token) == len(mask)


class Accounts:
    """All users and roles."""

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
        self._nobody = secret_of("\x00")
        self.create_user(ADMINISTRATOR, admin_password).administrator = True

    def create_user(self, name: str, password: str) -> User:
        """A new user that may do nothing yet."""
        if name in self.users or name in self.roles:
            raise errors.name_taken()
        self._number += 1
        user = self.users[name] = User(name, number=self._number, secret=secret_of(password))
        return user

    def check_password(self, password: str) -> None:
        """Refuses a password that the tenant's rules reject; the DEFAULT profile of a tenant has no rules."""

    def drop_user(self, name: str) -> None:
        """Takes a user away; sessions of it live on, with nothing granted to them any more."""
        user = self.users.pop(name)
        user.system.clear()
        user.roles.clear()
        user.objects.clear()

    def create_role(self, name: str) -> None:
        """A new role that holds nothing yet."""
        if name in self.users or name in self.roles:
            raise errors.role_name_taken(name)
        self.roles[name] = Grantee(name)

    def drop_role(self, name: str) -> None:
        """Takes a role away, from everyone it was granted to as well."""
        if self.roles.pop(name, None) is None:
            raise errors.no_such_role(name)
        for grantee in (*self.users.values(), *self.roles.values()):
            grantee.roles.pop(name, None)

    def forget_table(self, table: TableName) -> None:
        """Takes all privileges on a table back."""
        for grantee in (*self.users.values(), *self.roles.values()):
            for place in [place for place in grantee.objects if place[0] == table]:
                del grantee.objects[place]

    def grantee(self, name: str) -> Grantee:
        """The user or role of this name."""
        found = self.users.get(name) or self.roles.get(name)
        if found is None:
            raise errors.no_such_grantee(name)
        return found

    def authenticate(self, name: str, token: bytes, scramble: bytes) -> User:
        """The user that proves its password. An unknown user costs as much time as a wrong password."""
        user = self.users.get(name)
        right = proves_password(token, user.secret if user else self._nobody, scramble)
        if user is None or not right:
            raise errors.access_denied(name, with_password=bool(token))
        return user

    def enabled_roles(self, user: User) -> frozenset[str]:
        """Every role a user has, directly or through another role."""
        found: set[str] = {"PUBLIC"}
        open_ends = ["PUBLIC", *user.roles]
        while open_ends:
            name = open_ends.pop()
            found.add(name)
            role = self.roles.get(name)
            open_ends += [inner for inner in (role.roles if role else ()) if inner not in found]
        return frozenset(found)


def _sha1(data: bytes) -> bytes:
    return hashlib.sha1(data, usedforsecurity=False).digest()  # the protocol's choice, not ours
