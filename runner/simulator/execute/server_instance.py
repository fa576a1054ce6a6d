"""The state of a server: the instances of its components, and the switch with which one of them crashes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from runner.simulator.execute.kill import KillSessionStatement, PlainKill
from runner.simulator.execute.process_list import ProcessList
from runner.simulator.session_privileges import Privileges
from runner.simulator.sessions import SessionEnding, SessionIds, SessionRegistry
from runner.simulator.settings import Settings
from runner.simulator.sql.parser import KillGrammar, PlainKillGrammar
from runner.simulator.tables import Tables
from runner.simulator.users_and_roles import Accounts


class CrashSwitch:
    """Lets a component crash the whole server; the server sets ``on_crash``."""

    def __init__(self) -> None:
        self.on_crash: Callable[[float], None] | None = None

    def crash(self, seconds: float) -> None:
        """Closes all connections; clients can connect again after ``seconds``. Committed data stays."""
        if self.on_crash is not None:
            self.on_crash(seconds)


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
