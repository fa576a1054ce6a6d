"""Resolves the names of tables in statements."""

from __future__ import annotations

from runner.simulator.execute.server_state import Instance
from runner.simulator.sessions import Session
from runner.simulator.sql.statements import Name
from runner.simulator.tables import Table
from runner.simulator.users_and_roles import TableName


def full_name(session: Session, name: Name) -> TableName:
    """A name with its schema: by default the session's."""
    schema, table = name
    return (schema or session.schema, table)


def find_table(instance: Instance, session: Session, name: Name) -> Table:
    """The table that a statement names."""
    return instance.tables.find(full_name(session, name))
