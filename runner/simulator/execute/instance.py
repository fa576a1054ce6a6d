"""The state of a server: the instances of its components."""

from __future__ import annotations

from dataclasses import dataclass, field

from runner.simulator.accounts import Accounts
from runner.simulator.crash import CrashSwitch
from runner.simulator.execute.kill import KillSessionStatement, PlainKill
from runner.simulator.execute.process_list import ProcessList
from runner.simulator.privilege_checks import Privileges
from runner.simulator.session_ending import SessionEnding
from runner.simulator.sessions import SessionIds, SessionRegistry
from runner.simulator.settings import Settings
from runner.simulator.sql.kill_grammar import KillGrammar, PlainKillGrammar
from runner.simulator.tables import Tables


@dataclass(frozen=True, slots=True)
class Instance:
    """The instances of a server's components; ``Components.assemble`` creates them."""

    settings: Settings
    accounts: Accounts
    tables: Tables
    ids: SessionIds
    registry: SessionRegistry
    privileges: Privileges
    ending: SessionEnding
    process_list: ProcessList
    kill: KillSessionStatement
    plain_kill: PlainKill
    kill_grammar: KillGrammar
    plain_kill_grammar: PlainKillGrammar
    crash_switch: CrashSwitch = field(default_factory=CrashSwitch)
