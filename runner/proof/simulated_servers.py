"""The simulated servers of the proof: with a defect, which breaks a requirement, with variants, or in an environment.

Variants that change different components of the simulator can be combined: a server with all of them conforms, too.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from runner.language.model import Send, flat
from runner.language.suite import Suite
from runner.proof.forked_programs import ROOT

LONGEST = frozenset({"slow-statements", "slow-end", "slow-login", "slow-network"})
"""Variants whose runs take minutes and hardly any processor time: they start first, alone, beside the others."""

_LONG = frozenset({"two-nodes-by-user", "two-nodes-by-chance", "takes-the-nearest", "stops-the-statement-only"})
"""Servers whose runs take twenty seconds even with a few cases."""

_OF_TRANSACTIONS, _OF_REVOKE = "IMP-5", "IMP-9"

_NOT_PROVED = {
    "eight-users": "all cases are decided, with fewer at a time, which takes minutes; a test runs some cases",
    "eight-kills-per-second": "nearly all cases are decided, but wait for kills; a test runs some cases",
    "one-kill-at-a-time": "all cases are decided, but wait for kills, which takes minutes; a test runs some cases",
    "forty-logins-per-second": "all cases are decided, but wait for logins; a test runs some cases",
    "definitions-time-out": "on a busy machine a definition may time out each time that it is repeated",
    "another-client-kills": "on a busy machine it may kill a session twice at the same step; a test runs some cases",
    "closes-idle-sessions": "on a busy machine sessions are idle for longer than its timeout, which is inconclusive",
    "restarts-every-four-seconds": "on a busy machine a case takes so long that two restarts affect it in the same way",
    "cached-list": "all cases are decided, but take minutes: each step waits until the proxy reads a new list",
    "idle-connections-dropped": "a few cases are inconclusive, each after waits of 10 s; a test runs two of them",
    "list-of-both-nodes": "a process list with ids that the statement rejects deviates, whatever the reason",
}
"""Variants and environments without a proof, and the reason."""
_ONLY_WITH = {
    "without-for-update": "FOR UPDATE",
    "password-rules": "IDENTIFIED BY",
    "alter-system-of-public": "ALTER SYSTEM",
    "no-roles": "ROLE",
    "no-roles-and-no-list-of-them": "ROLE",
}
"""Environments that affect only cases with a statement that contains these words."""
_HIDES = {
    "mysql-error-numbers": {"engine"},  # translates the errors of other variants to numbers that no profile expects
    "own-kill-answered-4401": {"own_kill_gets_ok"},
    "behind-plain-proxy": {"ids", "process_list"},
    "behind-plain-proxy-with-like-ids": {"process_list"},
    "behind-plain-proxy-until-next-request": {"ids", "process_list", "ending"},
}
"""The components and settings whose change by another variant has no effect, or a wrong one, beside this one."""
_MOST_TOGETHER = 6
"""Variants in one run: more would take longer, and hide the reason of a failure."""
_LIST_LIMIT = 20.0  # seconds


@dataclass(frozen=True)
class SimulatedServer:
    """The simulator with a defect or a variant, or in an environment.

    Attributes:
        name: the name of the defect, variant or environment.
        text: its description.
        kind: ``defect``, ``variant`` or ``environment``: the name of the simulator's option.
        breaks: the requirement that a defect breaks, otherwise None.
        changes: the components and settings of the simulator that a variant changes.
    """

    name: str
    text: str
    kind: str
    breaks: str | None = None
    changes: frozenset[str] = frozenset()


def simulated_servers(suite: Suite) -> list[SimulatedServer]:
    """The servers that prove a suite: with a defect of one of its requirements, with a variant, in an environment."""
    known = {None, *suite.requirements}  # None: variants and environments break no requirement
    statements = "\n".join(
        step.statement.text.upper() for case in suite.cases for step in flat(case.steps) if isinstance(step, Send)
    )
    return [
        SimulatedServer(
            row["name"],
            row["text"],
            kind,
            row.get("breaks"),
            frozenset(row.get("changes", ())) | _HIDES.get(row["name"], set()),
        )
        for kind in ("defect", "variant", "environment")
        for row in json.loads(_simulator(f"--list-{kind}s", "--json"))
        if row["name"] not in _NOT_PROVED
        and row.get("breaks") in known
        and _ONLY_WITH.get(row["name"], "") in statements
    ]


def waits_long(server: SimulatedServer) -> bool:
    """Whether cases wait with this server: it is slow, locks stay, or a GRANT may have an effect later."""
    of_grants = server.breaks == _OF_REVOKE or "role" in server.name or server.name.endswith("take-effect-later")
    return server.name in {*LONGEST, *_LONG} or server.breaks == _OF_TRANSACTIONS or of_grants


def combined(wanted: Iterable[SimulatedServer]) -> list[tuple[SimulatedServer, ...]]:
    """The servers in groups, each for one run: variants that change different components together, others alone."""
    groups: list[list[SimulatedServer]] = []
    for server in wanted:
        fitting = (group for group in groups if _can_join(server, group))
        group = next(fitting, None)
        if group is None:
            groups.append([server])
        else:
            group.append(server)
    return [tuple(group) for group in groups]


def _can_join(server: SimulatedServer, group: list[SimulatedServer]) -> bool:
    members = [server, *group]
    return (
        len(members) <= _MOST_TOGETHER
        and all(member.kind == "variant" and member.name not in LONGEST for member in members)
        and all(server.changes.isdisjoint(member.changes) for member in group)
    )


@cache
def _simulator(*options: str) -> str:
    """The output of the simulator's command."""
    done = subprocess.run(
        [sys.executable, "-m", "runner.simulator", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=_LIST_LIMIT,
        check=True,
    )
    return done.stdout
