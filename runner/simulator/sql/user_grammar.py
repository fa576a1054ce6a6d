"""The grammar of users, roles, GRANT and REVOKE."""

from __future__ import annotations

from runner.simulator import errors
from runner.simulator.sql.statements import (
    AlterUser,
    CreateRole,
    CreateUser,
    DropRole,
    DropUser,
    Grant,
    GrantOn,
    Revoke,
    RevokeOn,
    Statement,
)
from runner.simulator.sql.tokens import NUMBER, QUOTED, WORD, Cursor
from runner.simulator.users_and_roles import OBJECT_PRIVILEGES, SYSTEM_PRIVILEGES


def create_user(cursor: Cursor) -> Statement:
    """Reads CREATE USER after its keywords."""
    return CreateUser(cursor.name(), _password(cursor))


def alter_user(cursor: Cursor) -> Statement:
    """Reads ALTER USER after its keywords."""
    return AlterUser(cursor.name(), _password(cursor))


def drop_user(cursor: Cursor) -> Statement:
    """Reads DROP USER after its keywords."""
    return DropUser(cursor.name(), cursor.accept("CASCADE"))


def create_role(cursor: Cursor) -> Statement:
    """Reads CREATE ROLE after its keywords."""
    name = cursor.name()
    cursor.accept("NOT", "IDENTIFIED")
    return CreateRole(name)


def drop_role(cursor: Cursor) -> Statement:
    """Reads DROP ROLE after its keywords."""
    return DropRole(cursor.name())


def grant(cursor: Cursor) -> Statement:
    """Reads GRANT after its keywords."""
    terms = _terms(cursor)
    if cursor.accept("ON"):
        table = cursor.qualified_name()
        cursor.expect("TO")
        return GrantOn(_on_object(terms), table, _names(cursor), cursor.accept("WITH", "GRANT", "OPTION"))
    privileges, roles = _sorted(terms)
    cursor.expect("TO")
    return Grant(privileges, roles, _names(cursor), cursor.accept("WITH", "ADMIN", "OPTION"))


def revoke(cursor: Cursor) -> Statement:
    """Reads REVOKE after its keywords."""
    terms = _terms(cursor)
    if cursor.accept("ON"):
        table = cursor.qualified_name()
        cursor.expect("FROM")
        return RevokeOn(_on_object(terms), table, _names(cursor))
    privileges, roles = _sorted(terms)
    cursor.expect("FROM")
    return Revoke(privileges, roles, _names(cursor))


def _password(cursor: Cursor) -> str:
    cursor.expect("IDENTIFIED", "BY")
    token = cursor.take(WORD, QUOTED, NUMBER)
    return token.value if token.kind == QUOTED else cursor.raw(token)


def _names(cursor: Cursor) -> tuple[str, ...]:
    found = [cursor.name()]
    while cursor.symbol(","):
        found.append(cursor.name())
    return tuple(found)


def _terms(cursor: Cursor) -> list[str]:
    """Reads the list of privileges and roles in GRANT or REVOKE."""
    found = [_term(cursor)]
    while cursor.symbol(","):
        found.append(_term(cursor))
    return found


def _term(cursor: Cursor) -> str:
    if cursor.now.kind == QUOTED:
        return cursor.next().value
    first = cursor.now
    words = [cursor.take(WORD).value]
    second = cursor.now
    while cursor.now.kind == WORD and cursor.now.value not in ("ON", "TO", "FROM"):
        words.append(cursor.next().value)
    term = " ".join(words)
    if len(words) > 1 and term not in SYSTEM_PRIVILEGES and term != "ALL PRIVILEGES":
        # Several words have to be a privilege; a single unknown word may be a role.
        known = any(privilege.startswith(f"{first.value} ") for privilege in SYSTEM_PRIVILEGES)
        cursor.fail_at(second if known else first)
    return term


def _sorted(terms: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Separates system privileges from roles."""
    privileges: list[str] = []
    roles: list[str] = []
    for term in terms:
        if term == "ALL PRIVILEGES":
            privileges += sorted(SYSTEM_PRIVILEGES)
        elif term in SYSTEM_PRIVILEGES:
            privileges.append(term)
        elif term in OBJECT_PRIVILEGES:
            raise errors.invalid_privilege()
        else:
            roles.append(term)
    return tuple(privileges), tuple(roles)


def _on_object(terms: list[str]) -> tuple[str, ...]:
    if terms in (["ALL"], ["ALL PRIVILEGES"]):
        return ("SELECT", "INSERT", "UPDATE", "DELETE")
    if not OBJECT_PRIVILEGES.issuperset(terms):
        raise errors.invalid_privilege()
    return tuple(terms)
