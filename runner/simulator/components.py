"""The components of a server: one class for each, which a defect, a variant or an environment can override.

The defaults conform to the specification. An override is a subclass that changes one step of a component:
``Components().with_overrides(OneRowAffected)`` are the components of a server with this defect.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from runner.simulator.connection import Connection
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.kill import KillSessionStatement, PlainKill
from runner.simulator.execute.process_list import ProcessList
from runner.simulator.execute.server_instance import Instance
from runner.simulator.listener import Listener, Router
from runner.simulator.session_privileges import Privileges
from runner.simulator.sessions import SessionEnding, SessionIds, SessionRegistry
from runner.simulator.settings import Settings
from runner.simulator.sql.parser import KillGrammar, PlainKillGrammar
from runner.simulator.tables import Tables
from runner.simulator.timers import BackgroundTask
from runner.simulator.users_and_roles import Accounts


@dataclass(frozen=True, slots=True)
class Components:
    """The class of each component that can be overridden."""

    accounts: type[Accounts] = Accounts
    connection: type[Connection] = Connection
    ending: type[SessionEnding] = SessionEnding
    engine: type[Engine] = Engine
    listener: type[Listener] = Listener
    router: type[Router] = Router
    ids: type[SessionIds] = SessionIds
    kill: type[KillSessionStatement] = KillSessionStatement
    kill_grammar: type[KillGrammar] = KillGrammar
    plain_kill: type[PlainKill] = PlainKill
    plain_kill_grammar: type[PlainKillGrammar] = PlainKillGrammar
    privileges: type[Privileges] = Privileges
    process_list: type[ProcessList] = ProcessList
    registry: type[SessionRegistry] = SessionRegistry
    background_task: type[BackgroundTask] = BackgroundTask
    tables: type[Tables] = Tables

    def assemble(self, settings: Settings) -> Instance:
        """Creates the components of one server."""
        accounts = self.accounts(settings.admin_password)
        registry = self.registry()
        privileges = self.privileges(accounts)
        ending = self.ending(registry)
        return Instance(
            settings=settings,
            accounts=accounts,
            tables=self.tables(),
            ids=self.ids(),
            registry=registry,
            privileges=privileges,
            ending=ending,
            process_list=self.process_list(registry, privileges, settings),
            kill=self.kill(registry, privileges, ending, settings),
            plain_kill=self.plain_kill(registry, ending),
            kill_grammar=self.kill_grammar(),
            plain_kill_grammar=self.plain_kill_grammar(),
        )

    def with_overrides(self, *overrides: type[Any]) -> Components:
        """The components with overrides, each a subclass of one component's default class.

        An override is combined with the class that is already there: it comes first in the order of inheritance.

        Raises:
            TypeError: a class is not a subclass of a component.
        """
        components = self
        for override in overrides:
            name = _component_of(override)
            present = getattr(components, name)
            if not issubclass(present, override):
                combined = type(override.__name__, (override, present), {"__doc__": override.__doc__})
                components = replace(components, **{name: combined})
        return components


def _component_of(override: type[Any]) -> str:
    """The name of the component that a class overrides."""
    for field in fields(Components):
        default: type[Any] = field.default  # type: ignore[assignment]  # each component has a default class
        if issubclass(override, default):
            return field.name
    raise TypeError(f"{override.__name__} is not a subclass of a component")
