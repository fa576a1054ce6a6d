"""Proves the suite on the simulator, and prints the proofs as a matrix with a score.

With every defect, a case of the requirement that it breaks deviates. With every variant, the run succeeds and no case
is inconclusive. In every environment, some cases are inconclusive and none deviates.

A proof starts a simulator with one of these, and runs the suite against it. With a defect, the cases of the requirement
that it breaks are run, or only its witnesses (modules witnesses and witness_runs); with a few defects and with all
variants and environments, all cases. Variants that change different components share a run.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any

from runner.execution.applicability import SEND_WITHHELD
from runner.execution.case_result import CaseResult
from runner.language.model import Level
from runner.language.suite import Suite
from runner.proof.forked_programs import WITNESSES, ForkedProgram, ForkedSimulator, ForkedSuite
from runner.proof.proof import Proof
from runner.proof.simulated_servers import LONGEST, SimulatedServer, combined, waits_long
from runner.proof.witness_runs import WitnessRun
from runner.proof.witnesses import Witnesses

JOBS = 8 * (os.cpu_count() or 1)
"""The proofs at a time: each waits for most of its time, although it has a few cases in flight."""

_FOREIGN_KILLED = 3
"""A simulator's exit code if a session of another client was killed."""
_RUN_LIMIT = 600.0  # seconds
_SETTLE, _STATEMENT_LIMIT = 1.0, 2.0
"""Limits with a defect, in seconds: enough to detect that no session is killed, and that there is no reply."""
# Each plugin of pytest takes processor time at the start of a run. That of Hypothesis takes a second at its end.
_UNUSED_PLUGINS = (
    "cacheprovider",
    "debugging",
    "doctest",
    "faulthandler",
    "hypothesispytest",
    "junitxml",
    "legacypath",
    "logging",
    "monkeypatch",
    "pastebin",
    "recwarn",
    "setuponly",
    "setupplan",
    "stepwise",
    "threadexception",
    "tmpdir",
    "unittest",
    "unraisableexception",
    "warnings",
    "xdist",
    "xdist.looponfail",
)
_OPTIONS = [
    "--repeat-limit",
    "0.1",  # a proof needs no measurements: cases of level observe are run three times each
    "-q",
    "--tb=no",
    "-s",  # nothing is captured that a report would need
    "--assert=plain",  # no module has assertions to rewrite
    *(word for name in _UNUSED_PLUGINS for word in ("-p", f"no:{name}")),
]
_WITH_ALL_CASES = {
    "ends-everyone",
    "drops-the-refused",
    "takes-the-nearest",
    "unknown-id-ends-a-mate",
    "disconnects-who-lacks-the-privilege",
    "plain-kill-ends-everyone",
}
"""Defects that make also those cases fail in which no session is killed, or that only observe."""


_SHOULDS_NOT_MET = {"owner-check": "PUR-3", "like-oceanbase": "PUR-3"}
"""The requirements of level should that a conforming variant does not meet."""

_RESULT_OF_KIND = {"variant": "conforms     ", "environment": "undecidable  "}


def prove(group: Sequence[SimulatedServer], suite: Suite, folder: Path, chosen: Collection[str] = ()) -> list[Proof]:
    """Runs the suite against a simulator with the servers' defect, variants or environment.

    If variants together don't conform, each is proved alone. If the proof fails with the chosen cases, or one of them
    does not detect the defect, all cases are run.

    Args:
        group: the servers of one run.
        suite: the cases.
        folder: for the record and the output of each run.
        chosen: the names of the cases to run; empty: all that apply to the server.
    """
    start = time.monotonic()
    try:
        simulator = ForkedSimulator(*(word for server in group for word in (f"--{server.kind}", server.name)))
    except RuntimeError as error:
        return [Proof(server, -1, (), 0.0, str(error)) for server in group]
    record, screen = folder / f"{group[0].name}.json", folder / f"{group[0].name}.txt"
    record.unlink(missing_ok=True)  # of a run with fewer cases or more servers, in case this one writes none
    try:
        code = _started(group[0], suite, chosen, simulator.dsn, record=record, screen=screen).exit_code(_RUN_LIMIT)
    finally:
        stopped = simulator.stop()
    proofs = [
        Proof(
            server,
            code=code,
            results=_read(record),
            seconds=round(time.monotonic() - start, 1),
            screen=screen.read_text(encoding="utf-8", errors="replace"),
            harmless=stopped != _FOREIGN_KILLED,
            together=len(group),
            not_met=frozenset(_SHOULDS_NOT_MET[server.name] for server in group if server.name in _SHOULDS_NOT_MET),
            partial=bool(chosen),
        )
        for server in group
    ]
    missed = group[0].breaks is not None and not proofs[0].deviating.issuperset(chosen)
    if chosen and (missed or not all(proof.holds(suite) for proof in proofs)):
        return prove(group, suite, folder)
    if len(group) == 1 or all(proof.holds(suite) for proof in proofs):
        return proofs
    return [proof for server in group for proof in prove([server], suite, folder)]


def _started(
    server: SimulatedServer, suite: Suite, chosen: Collection[str], dsn: str, *, record: Path, screen: Path
) -> ForkedProgram:
    """The run as a process: without pytest if it is one of witnesses."""
    nodes = _nodes(suite, chosen)
    if nodes and server.breaks is not None:
        run = WitnessRun(dsn, tuple(nodes), _SETTLE, _STATEMENT_LIMIT, _strict(server, suite), str(record))
        return ForkedProgram([WITNESSES, *run.arguments], {1: screen, 2: screen})
    options = [*(nodes or [*map(str, suite.folders), *_selection(server)]), *_OPTIONS, "--dsn", dsn, SEND_WITHHELD]
    return ForkedSuite(
        [*options, *_options(server, suite), *_in_flight(server, chosen), "--record", str(record)], screen
    )


def _nodes(suite: Suite, names: Collection[str]) -> list[str]:
    """The cases with these names as arguments of pytest."""
    return [f"{case.place.path}::{case.name}" for case in suite.cases if case.name in names]


def _selection(server: SimulatedServer) -> list[str]:
    return [] if _meets_all_cases(server) else ["--requirement", str(server.breaks)]


def _options(server: SimulatedServer, suite: Suite) -> list[str]:
    if server.kind == "environment":
        # --anyway: otherwise no run with ODP's own process list. 4 seconds: process lists lag no longer.
        return ["--anyway", "--settle", "4"]
    if not server.breaks:
        return []
    options = ["--settle", f"{_SETTLE:g}", "--statement-limit", f"{_STATEMENT_LIMIT:g}"]
    return [*options, "--strict"] if _strict(server, suite) else options


def _strict(server: SimulatedServer, suite: Suite) -> bool:
    """Whether the defect breaks a requirement of level should."""
    return server.breaks is not None and suite.requirements[server.breaks].level is Level.SHOULD


def _in_flight(server: SimulatedServer, chosen: Collection[str]) -> list[str]:
    """A few cases at a time if all are run: more proofs at a time are more efficient than more cases.

    As many as usual if the server is slow, which takes no processor time; one at a time if only witnesses or the cases
    of a requirement are run: most deviate, and would be run again alone.
    """
    if server.name in LONGEST:
        return []
    deviate = server.breaks and (chosen or not _meets_all_cases(server))
    return ["--in-flight", "1" if deviate else "4"]


def _read(record: Path) -> tuple[CaseResult, ...]:
    if not record.exists():
        return ()
    data: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
    return tuple(CaseResult.from_dict(row) for row in data["results"])


def prove_all(
    wanted: Sequence[SimulatedServer],
    suite: Suite,
    jobs: int,
    report: Callable[[Proof], None] = lambda _: None,
    *,
    alone: bool = False,
    witnesses: Witnesses | None = None,
    every: int = 1,
) -> list[Proof]:
    """Proves servers, ``jobs`` at a time; those whose runs take longest start first.

    Args:
        wanted: the servers.
        suite: the cases.
        jobs: the number of proofs at a time.
        report: called with each proof when it is finished.
        alone: whether each variant has a run of its own.
        witnesses: the cases to run with a defect; other defects are proved with all cases of their requirement.
        every: with the variants and in the environments, one case in so many is run, in each run other ones.
    """
    groups = [(server,) for server in wanted] if alone else combined(wanted)
    proofs = []
    with tempfile.TemporaryDirectory(prefix="ksc-proof-") as folder:
        groups.sort(key=lambda group: (group[0].name not in LONGEST, not _meets_all_cases(group[0])))
        runs = [(group, _chosen(group[0], index, suite, witnesses or {}, every)) for index, group in enumerate(groups)]
        if every > 1:
            # With a defect a run mostly waits, with a variant it mostly computes: by their names they are mixed.
            runs.sort(key=lambda run: (not any(map(waits_long, run[0])), bool(run[1]), run[0][0].name))
        with ThreadPoolExecutor(jobs) as pool:
            proved = pool.map(lambda run: prove(run[0], suite, Path(folder), run[1]), runs)
            for proof in chain.from_iterable(proved):
                report(proof)
                proofs.append(proof)
    return sorted(proofs, key=lambda proof: wanted.index(proof.server))


def _chosen(server: SimulatedServer, number: int, suite: Suite, witnesses: Witnesses, every: int) -> Collection[str]:
    """The names of the cases to run, in the run with this number; empty: all."""
    if server.breaks:
        return witnesses.get(server.name, ())
    return [case.name for case in suite.cases[number % every :: every]] if every > 1 else ()


def _meets_all_cases(server: SimulatedServer) -> bool:
    return server.breaks is None or server.name in _WITH_ALL_CASES


def cases_that_never_fail(proofs: Iterable[Proof], cases: Iterable[str]) -> list[str]:
    """The cases that deviate with no defect: it is not shown that they can fail."""
    shown_to_fail = frozenset[str]().union(*(proof.deviating for proof in proofs if proof.server.breaks))
    return [case for case in cases if case not in shown_to_fail]


def matrix_score(proofs: Sequence[Proof], suite: Suite, shown_to_fail: int, cases: int) -> str:
    """The score of all proofs in a sentence."""
    parts = []
    for level in (Level.MUST, Level.SHOULD):
        of_level = [
            proof for proof in proofs if proof.server.breaks and suite.requirements[proof.server.breaks].level is level
        ]
        caught = sum(proof.holds(suite) for proof in of_level)
        parts.append(f"{caught} of {len(of_level)} {level.value} defects detected")
    for kind, what in (
        ("variant", "conforming variants with false positives"),
        ("environment", "environments with false positives"),
    ):
        of_kind = [proof for proof in proofs if proof.server.kind == kind]
        parts.append(f"{sum(not proof.holds(suite) for proof in of_kind)} of {len(of_kind)} {what}")
    return "; ".join([*parts, f"{shown_to_fail} of {cases} cases shown to fail"])


def matrix_line(proof: Proof, suite: Suite) -> str:
    """A proof as a row of the matrix."""
    verdict = "holds " if proof.holds(suite) else "FAILS "
    what = f"breaks {proof.server.breaks:<6}" if proof.server.breaks else _RESULT_OF_KIND[proof.server.kind]
    own = sum(result.requirement == proof.server.breaks for result in proof.results)
    score = f"{len(proof.deviating_as_expected)}/{own} cases"
    if not proof.server.breaks:
        score = f"{len(proof.deviating | proof.undecided)} wrong"
    if proof.server.kind == "environment":
        score = f"{len(proof.deviating)} wrong" if proof.harmless else "harmed"
    together = f", {proof.together} together" if proof.together > 1 else ""
    return f"{verdict} {proof.server.name:<44} {what} {score:<12} exit {proof.code}  {proof.seconds:5.1f} s{together}"
