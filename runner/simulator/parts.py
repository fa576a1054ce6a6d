"""The classes that a server is made of.

The honest ones are the defaults. A variant or a defect is a subclass that overrides one step, put in the place of the
class that it inherits from: `replace(Parts(), kill=AnswersWithoutEnding)`, or `altered(parts, AnswersWithoutEnding)`
where other pieces may already stand in that place.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from runner.simulator.accounts import Accounts
from runner.simulator.connection import Connection
from runner.simulator.ending import SessionEnding
from runner.simulator.entrance import Entrance
from runner.simulator.execute.engine import Engine
from runner.simulator.execute.instance import Instance
from runner.simulator.execute.kill import KillSessionStatement, PlainKill
from runner.simulator.execute.processlist import ProcessList
from runner.simulator.frontend import FrontEnd
from runner.simulator.privileges import Privileges
from runner.simulator.sessions import Registry, SessionIds
from runner.simulator.sql.kill import KillGrammar
from runner.simulator.surroundings import Surroundings
from runner.simulator.tables import Tables

if TYPE_CHECKING:
    from runner.simulator.settings import Settings


@dataclass(frozen=True, slots=True)
class Parts:
    """One class for each part of a server that can be exchanged."""

    accounts: type[Accounts] = Accounts
    connection: type[Connection] = Connection
    ending: type[SessionEnding] = SessionEnding
    engine: type[Engine] = Engine
    entrance: type[Entrance] = Entrance
    front_end: type[FrontEnd] = FrontEnd
    ids: type[SessionIds] = SessionIds
    kill: type[KillSessionStatement] = KillSessionStatement
    kill_grammar: type[KillGrammar] = KillGrammar
    privileges: type[Privileges] = Privileges
    process_list: type[ProcessList] = ProcessList
    registry: type[Registry] = Registry
    surroundings: type[Surroundings] = Surroundings
    tables: type[Tables] = Tables

    def assemble(self, settings: Settings) -> Instance:
        """One server's state, its parts put together."""
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
            plain_kill=PlainKill(registry, ending),
            kill_grammar=self.kill_grammar(),
        )


def altered(parts: Parts, *pieces: type[Any]) -> Parts:
    """The parts with pieces put in: each in front of the class that stands in its place, which it inherits from.

    Raises:
        TypeError: a piece inherits from no part.
    """
    for piece in pieces:
        place = _place(piece)
        present = getattr(parts, place)
        if not issubclass(present, piece):
            parts = replace(parts, **{place: type(piece.__name__, (piece, present), {"__doc__": piece.__doc__})})
    return parts


def _place(piece: type[Any]) -> str:
    for field in fields(Parts):
        part: type[Any] = field.default  # type: ignore[assignment]  # every part has a class as its default
        if issubclass(piece, part):
            return field.name
    raise TypeError(f"{piece.__name__} inherits from no part of a server")
