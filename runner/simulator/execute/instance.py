"""One server's state, and what acts on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runner.simulator.process import Process

if TYPE_CHECKING:
    from runner.simulator.accounts import Accounts
    from runner.simulator.ending import SessionEnding
    from runner.simulator.execute.kill import KillSessionStatement, PlainKill
    from runner.simulator.execute.processlist import ProcessList
    from runner.simulator.privileges import Privileges
    from runner.simulator.sessions import Registry, SessionIds
    from runner.simulator.settings import Settings
    from runner.simulator.sql.kill import KillGrammar
    from runner.simulator.tables import Tables


@dataclass(frozen=True, slots=True)
class Instance:
    """One server: its accounts, its tables, its sessions, and what acts on them; `Parts.assemble` makes one."""

    settings: Settings
    accounts: Accounts
    tables: Tables
    ids: SessionIds
    registry: Registry
    privileges: Privileges
    ending: SessionEnding
    process_list: ProcessList
    kill: KillSessionStatement
    plain_kill: PlainKill
    kill_grammar: KillGrammar
    process: Process = field(default_factory=Process)
