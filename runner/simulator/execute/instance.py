"""One server's state, and what acts on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.simulator.execute.kill import PlainKill

if TYPE_CHECKING:
    from runner.simulator.parts import Parts
    from runner.simulator.settings import Settings


class Instance:
    """One server: its accounts, its tables, its sessions, and the parts that act on them, put together."""

    def __init__(self, settings: Settings, parts: Parts) -> None:
        self.settings = settings
        self.accounts = parts.accounts(settings.admin_password)
        self.tables = parts.tables()
        self.ids = parts.ids()
        self.registry = parts.registry()
        self.privileges = parts.privileges(self.accounts)
        self.ending = parts.ending(self.registry)
        self.process_list = parts.process_list(self.registry, self.privileges, settings)
        self.kill = parts.kill(self.registry, self.privileges, self.ending, settings)
        self.plain_kill = PlainKill(self.registry, self.ending)
        self.kill_grammar = parts.kill_grammar()
