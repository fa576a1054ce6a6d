"""``prove``: runs the suite against the simulator's defects, variants and environments."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from runner.commands import USAGE_ERROR
from runner.language.casefolders import FOLDER_NAME, REGISTER_NAME, own_cases
from runner.language.load import case_files, load_cases
from runner.language.problems import Place, SourceError, did_you_mean
from runner.language.register import read_register
from runner.proof import forks, matrix, prove

HELP = "run the suite against the simulator's defects, variants and environments; print the matrix"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("names", nargs="*", help="defects, variants and environments (default: all)")
    parser.add_argument(
        "--jobs", type=int, default=prove.JOBS, metavar="N", help="the number of parallel runs (default: %(default)s)"
    )


def run(options: argparse.Namespace) -> int:
    """Proves, and prints the matrix: 1 if a proof fails, or nothing makes a case fail."""
    names, jobs = options.names, max(1, options.jobs)
    folder = own_cases()
    if folder is None:
        raise SourceError(Place(Path(FOLDER_NAME)), "no cases found", "the suite's own are missing: install it again")
    known = {claim.name: claim for claim in prove.claims()}
    for name in names:
        if name not in known:
            print(f"unknown defect, variant or environment {name!r}: {did_you_mean(name, known)}", file=sys.stderr)
            return USAGE_ERROR
    os.chdir(forks.ROOT)  # from there, processes that are started find this package before any other of its name
    register = read_register(folder / REGISTER_NAME)
    wanted = [claim for claim in known.values() if claim.name in names or not names]
    proofs = prove.prove_all(wanted, register, jobs, lambda proof: print(matrix.line(proof, register), flush=True))
    failing = [proof for proof in proofs if not proof.holds(register)]
    cases = [case.name for path in case_files(folder) for case in load_cases(path)]
    immortal = [] if names else matrix.unkilled(proofs, cases)
    for case in immortal:
        print(f"no defect makes this case deviate: {case}")
    print(
        matrix.score(proofs, register, len(cases) - len(immortal), len(cases)) if not names else f"{len(failing)} fail"
    )
    return 1 if failing or immortal else 0
