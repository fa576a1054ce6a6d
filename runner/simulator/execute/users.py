"""Executes statements about users and roles, GRANT and REVOKE."""

from __future__ import annotations

from runner.simulator import errors
from runner.simulator.execute.dictionary import find_view, full_view_name
from runner.simulator.execute.results import Done, Result
from runner.simulator.execute.server_instance import Instance
from runner.simulator.execute.table_changes import find_table
from runner.simulator.sessions import Session
from runner.simulator.sql.statements import (
    AlterUser,
    CreateRole,
    CreateUser,
    DropRole,
    DropUser,
    Grant,
    GrantOn,
    Name,
    Revoke,
    RevokeOn,
)
from runner.simulator.users_and_roles import ADMINISTRATOR, TableName, password_hash_of


async def create_user(instance: Instance, session: Session, statement: CreateUser) -> Result:
    """CREATE USER."""
    instance.privileges.require(session, "CREATE USER")
    instance.accounts.check_password(statement.password)
    instance.accounts.create_user(statement.name, statement.password)
    return Done()


async def alter_user(instance: Instance, session: Session, statement: AlterUser) -> Result:
    """ALTER USER: changes a password; users may change their own."""
    if statement.name != session.user.name:
        instance.privileges.require(session, "ALTER USER")
    user = instance.accounts.users.get(statement.name)
    if user is None:
        raise errors.no_such_user(statement.name)
    if user.administrator and not session.user.administrator:
        raise errors.no_privilege()
    instance.accounts.check_password(statement.password)
    user.password_hash = password_hash_of(statement.password)
    return Done()


async def drop_user(instance: Instance, session: Session, statement: DropUser) -> Result:
    """DROP USER, with its tables. Its sessions stay: a session ends by KILL, or by its client."""
    instance.privileges.require(session, "DROP USER")
    name = statement.name
    if not statement.cascade:
        raise errors.drop_needs_cascade()
    if name in instance.accounts.roles:
        raise errors.no_such_user(name)
    if name not in instance.accounts.users:
        raise errors.user_operation_failed("DROP USER", name)
    if name == ADMINISTRATOR:
        raise errors.no_privilege()
    instance.accounts.drop_user(name)
    instance.tables.drop_schema(name)
    return Done()


async def create_role(instance: Instance, session: Session, statement: CreateRole) -> Result:
    """CREATE ROLE; the creator may grant it."""
    instance.privileges.require(session, "CREATE ROLE")
    instance.accounts.create_role(statement.name)
    session.user.roles[statement.name] = True
    return Done()


async def drop_role(instance: Instance, session: Session, statement: DropRole) -> Result:
    """DROP ROLE."""
    instance.privileges.require(session, "DROP ANY ROLE")
    instance.accounts.drop_role(statement.name)
    return Done()


async def grant(instance: Instance, session: Session, statement: Grant) -> Result:
    """GRANT of system privileges and roles, all or none."""
    _check(instance, session, statement.privileges, statement.roles)
    grantees = [instance.accounts.grantee(name) for name in statement.grantees]
    for grantee in grantees:
        for privilege in statement.privileges:
            grantee.system[privilege] = statement.grantable or grantee.system.get(privilege, False)
        for role in statement.roles:
            grantee.roles[role] = statement.grantable or grantee.roles.get(role, False)
    return Done()


async def revoke(instance: Instance, session: Session, statement: Revoke) -> Result:
    """REVOKE of system privileges and roles, all or none."""
    _check(instance, session, statement.privileges, statement.roles)
    grantees = [instance.accounts.grantee(name) for name in statement.grantees]
    for grantee in grantees:
        if not grantee.system.keys() >= set(statement.privileges):
            raise errors.not_granted(grantee.name)
        for role in statement.roles:
            if role not in grantee.roles:
                raise errors.role_not_granted(role, grantee.name)
    for grantee in grantees:
        for privilege in statement.privileges:
            grantee.system.pop(privilege, None)
        for role in statement.roles:
            grantee.roles.pop(role, None)
    return Done()


async def grant_on(instance: Instance, session: Session, statement: GrantOn) -> Result:
    """GRANT on a table or a view."""
    named = _find_object(instance, session, statement.table)
    for privilege in statement.privileges:
        if not instance.privileges.may_grant_on(session, named, privilege):
            raise errors.no_privilege()
    for grantee in [instance.accounts.grantee(name) for name in statement.grantees]:
        for privilege in statement.privileges:
            key = (named, privilege)
            grantee.objects[key] = statement.grantable or grantee.objects.get(key, False)
    return Done()


async def revoke_on(instance: Instance, session: Session, statement: RevokeOn) -> Result:
    """REVOKE on a table or a view."""
    named = _find_object(instance, session, statement.table)
    keys = [(named, privilege) for privilege in statement.privileges]
    for _, privilege in keys:
        if not instance.privileges.may_grant_on(session, named, privilege):
            raise errors.no_privilege()
    grantees = [instance.accounts.grantee(name) for name in statement.grantees]
    for grantee in grantees:
        if grantee.objects.keys().isdisjoint(keys):
            raise errors.object_not_granted()
    for grantee in grantees:
        for key in keys:
            grantee.objects.pop(key, None)
    return Done()


def _find_object(instance: Instance, session: Session, name: Name) -> TableName:
    """The full name of the table or view that a statement names."""
    if find_view(instance, session, name) is not None:
        return full_view_name(name)
    return find_table(instance, session, name).name


def _check(instance: Instance, session: Session, privileges: tuple[str, ...], roles: tuple[str, ...]) -> None:
    for role in roles:
        if role not in instance.accounts.roles:
            raise errors.no_such_role(role)
    allowed = all(instance.privileges.may_grant(session, privilege) for privilege in privileges) and all(
        instance.privileges.may_grant_role(session, role) for role in roles
    )
    if not allowed:
        raise errors.no_privilege()
