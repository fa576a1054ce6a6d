"""``prove``: runs the suite against the simulator's defects, variants and environments."""

from __future__ import annotations

import argparse
import difflib
import os
import sys

from runner.commands import USAGE_ERROR
from runner.commands.shared_options import add_cases_argument, suite_named
from runner.language.given_values import given_path
from runner.proof import proof_runs
from runner.proof.forked_programs import ROOT
from runner.proof.proof import Proof
from runner.proof.simulated_servers import simulated_servers
from runner.proof.witnesses import read_witnesses, write_witnesses

HELP = "run the suite against the simulator's defects, variants and environments; print the matrix"
_LISTS = "simulate --list-defects, --list-variants and --list-environments print the names"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("names", nargs="*", help="defects, variants and environments (default: all)")
    add_cases_argument(parser)
    parser.add_argument(
        "--alone",
        action="store_true",
        help="a run for each variant (default: variants that can be combined share a run)",
    )
    witnesses = parser.add_mutually_exclusive_group()
    witnesses.add_argument(
        "--witnesses", type=given_path, metavar="FILE", help="with each defect, run only its cases in FILE"
    )
    witnesses.add_argument(
        "--write-witnesses",
        type=given_path,
        metavar="FILE",
        help="run the whole proof, and write the cases that detect each defect to FILE",
    )
    parser.add_argument(
        "--jobs",
        type=int,
        default=proof_runs.JOBS,
        metavar="N",
        help="the number of parallel runs (default: %(default)s)",
    )


def run(options: argparse.Namespace) -> int:
    """Proves, and prints the matrix: 1 if a proof fails, or no defect makes a case fail."""
    names, jobs = options.names, max(1, options.jobs)
    suite = suite_named(options)
    known = {server.name: server for server in simulated_servers(suite)}
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else _LISTS
            print(f"unknown defect, variant or environment {name!r}: {hint}", file=sys.stderr)
            return USAGE_ERROR
    if options.write_witnesses and names:
        print("--write-witnesses needs the proofs of all defects: remove the names", file=sys.stderr)
        return USAGE_ERROR
    wanted = [server for server in known.values() if server.name in names or not names]
    witnesses = read_witnesses(options.witnesses, suite, known.values()) if options.witnesses else None
    written = options.write_witnesses and options.write_witnesses.absolute()
    if written:
        try:
            written.touch()  # now, not after the proofs, which take long
        except OSError as error:
            print(f"{written}: can't be written: {error.strerror}; check the path", file=sys.stderr)
            return USAGE_ERROR
    os.chdir(ROOT)  # from there, processes that are started find this package before any other of its name

    def report(proof: Proof) -> None:
        print(proof_runs.matrix_line(proof, suite), flush=True)

    proofs = proof_runs.prove_all(wanted, suite, jobs, report, alone=options.alone, witnesses=witnesses)
    if written:
        write_witnesses(written, proofs)
    failing = [proof for proof in proofs if not proof.holds(suite)]
    cases = [case.name for case in suite.cases]
    unproved = [] if names else proof_runs.cases_that_never_fail(proofs, cases)
    for case in unproved:
        print(f"no defect makes this case deviate: {case}")
    if names:
        print(f"{len(failing)} fail")
    else:
        print(proof_runs.matrix_score(proofs, suite, len(cases) - len(unproved), len(cases)))
    return 1 if failing or unproved else 0
