"""The simulator's environments that put something between clients and server, where foreign sessions are."""

from __future__ import annotations

from runner.simulator.components import Components
from runner.simulator.environments import ENVIRONMENTS
from runner.simulator.listener import Router


def environment_names() -> list[str]:
    """Their names: in the other environments the server lacks something, and nobody else has sessions there.

    Without ``list-of-both-nodes``: a list whose ids the statement does not take deviates (PAR-2) in any case.
    """
    honest = Router.foreign_killed
    keepers = [
        name
        for name, each in ENVIRONMENTS.items()
        if each.change_components(Components()).router.foreign_killed is not honest
    ]
    return [name for name in keepers if name != "list-of-both-nodes"]
