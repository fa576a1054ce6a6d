"""The simulator's environments that put something between clients and server, where foreign sessions are."""

from __future__ import annotations

from runner.simulator.environments import ENVIRONMENTS
from runner.simulator.frontend import FrontEnd
from runner.simulator.parts import Parts


def routes() -> list[str]:
    """Their names: what else is an environment takes a part of the server away, and has the one front end."""
    return [name for name, each in ENVIRONMENTS.items() if each.parts(Parts()).front_end is not FrontEnd]
