"""ODP as it is installed: it answers SHOW PROCESSLIST itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.simulator.catalogue import undecidable
from runner.simulator.environments.cluster import HostOfTheProxy
from runner.simulator.odp import AnswersTheList, NumbersOfOdp, OdpsPort
from runner.simulator.parts import altered

if TYPE_CHECKING:
    from runner.simulator.parts import Parts


@undecidable
def odp_with_default_settings(parts: Parts) -> Parts:
    """Behind ODP with client_session_id_version=1: SHOW PROCESSLIST shows ODP's numbers, which no server knows."""
    return altered(parts, OdpsPort, AnswersTheList, NumbersOfOdp, HostOfTheProxy)
