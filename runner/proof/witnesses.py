"""Witnesses: for each defect a few cases that deviate with it, so that together every case deviates with some defect.

A proof with witnesses runs only these cases with a defect. It is faster than one with all cases of the requirement and
shows the same. The file of the witnesses is never trusted: defects and cases that it doesn't name, and defects whose
witnesses don't deviate, are run with all cases of the requirement.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from runner.language.problems import Place, SourceError
from runner.language.suite import Suite
from runner.proof.proof import Proof
from runner.proof.simulated_servers import SimulatedServer

Witnesses = Mapping[str, frozenset[str]]
"""The names of the cases to run, by the name of the defect."""


def read_witnesses(path: Path, suite: Suite, servers: Iterable[SimulatedServer]) -> Witnesses:
    """The cases to run with each defect that a file names.

    Cases without a line for a defect that exists are run with all defects of their requirement.

    Args:
        path: a file of ``write_witnesses``.
        suite: the cases.
        servers: all simulated servers.

    Raises:
        SourceError: the file can't be read, or a line is not a defect and a case.
    """
    defects = {server.name: server for server in servers if server.breaks}
    cases = {case.name for case in suite.cases}
    pairs = [(defect, case) for defect, case in _lines(path) if defect in defects and case in cases]
    witnesses: dict[str, set[str]] = defaultdict(set)
    for defect, case in pairs:
        witnesses[defect].add(case)
    named = {case for _, case in pairs}
    unnamed = [case for case in suite.cases if case.name not in named]
    for defect, names in witnesses.items():
        names.update(case.name for case in unnamed if case.requirement.id == defects[defect].breaks)
    return {defect: frozenset(names) for defect, names in witnesses.items()}


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    hint = "`prove --write-witnesses FILE` writes such a file"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise SourceError(Place(path), f"can't be read: {error.strerror}", "check the path") from error
    except UnicodeDecodeError as error:
        raise SourceError(Place(path), f"is not UTF-8 text (byte {error.start})", hint) from error
    for number, line in enumerate(lines, 1):
        defect, blank, case = line.partition(" ")
        if not (defect and blank and case):
            raise SourceError(
                Place(path, number), f"{line[:40]!r} is not a defect, a blank and the name of a case", hint
            )
        yield defect, case


def write_witnesses(path: Path, proofs: Sequence[Proof]) -> None:
    """Writes the witnesses that proofs with all cases show: one line for each, with the defect and the case.

    Each case is a witness once, with the defect that has the fewest so far, and each defect has at least one.

    Raises:
        OSError: the file can't be written.
    """
    defects = [proof for proof in proofs if proof.server.breaks]
    detected_by: dict[str, list[str]] = defaultdict(list)  # the defects by the case
    for proof in defects:
        for case in proof.deviating:
            detected_by[case].append(proof.server.name)
    chosen: dict[str, list[str]] = defaultdict(list)
    for case, names in sorted(detected_by.items(), key=lambda item: (len(item[1]), item[0])):
        chosen[min(names, key=lambda name: len(chosen[name]))].append(case)
    for proof in defects:
        own = sorted(proof.deviating_as_expected)
        if own and not proof.deviating_as_expected.intersection(chosen[proof.server.name]):
            chosen[proof.server.name].append(own[0])
    lines = sorted(f"{defect} {case}\n" for defect, cases in chosen.items() for case in cases)
    path.write_text("".join(lines), encoding="utf-8")
