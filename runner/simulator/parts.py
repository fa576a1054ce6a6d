"""The classes that a server is made of.

The honest ones are the defaults. A variant or a defect is a subclass that overrides one step, put in the place of the
class that it inherits from: `replace(Parts(), kill=AnswersWithoutEnding)`.
"""

from __future__ import annotations

from dataclasses import dataclass

from runner.simulator.accounts import Accounts
from runner.simulator.connection import Connection
from runner.simulator.ending import SessionEnding
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.kill import KillSessionStatement
from runner.simulator.execute.processlist import ProcessList
from runner.simulator.privileges import Privileges
from runner.simulator.sessions import Registry, SessionIds
from runner.simulator.sql.kill import KillGrammar
from runner.simulator.tables import Tables


@dataclass(frozen=True, slots=True)
class Parts:
    """One class for each part of a server that can be exchanged."""

    accounts: type[Accounts] = Accounts
    connection: type[Connection] = Connection
    ending: type[SessionEnding] = SessionEnding
    engine: type[Engine] = Engine
    ids: type[SessionIds] = SessionIds
    kill: type[KillSessionStatement] = KillSessionStatement
    kill_grammar: type[KillGrammar] = KillGrammar
    privileges: type[Privileges] = Privileges
    process_list: type[ProcessList] = ProcessList
    registry: type[Registry] = Registry
    tables: type[Tables] = Tables
