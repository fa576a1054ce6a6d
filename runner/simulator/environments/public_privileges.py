"""A tenant in which every user has a privilege without a GRANT."""

# ruff: noqa: D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

from runner.simulator.accounts import ALTER_SYSTEM
from runner.simulator.catalogue import environment
from runner.simulator.privilege_checks import Privileges
from runner.simulator.sessions import Session


@environment
class AlterSystemOfPublic(Privileges):
    """ALTER SYSTEM is granted to PUBLIC: every user has it, and SESSION_PRIVS shows it."""

    def holds(self, session: Session, privilege: str) -> bool:
        return privilege == ALTER_SYSTEM or super().holds(session, privilege)
