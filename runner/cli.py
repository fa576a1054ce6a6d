"""The command line beside pytest's: simulate, lint, explain, prove.

Exit codes: 0, it is done and all is well; 1, lint found something; 4, bad usage.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from runner.language.load import case_files, load_cases, refuse_duplicates
from runner.language.model import Await, Case, Connect, Register, Reply, Say, Step, Wait
from runner.language.problems import SourceError, did_you_mean
from runner.language.register import REGISTER_NAME, read_register
from runner.proof import matrix, prove

USAGE_ERROR = 4
_CASES = Path("cases")


class _Parser(argparse.ArgumentParser):
    """A parser whose errors have the suite's exit code for bad usage."""

    def error(self, message: str) -> None:  # type: ignore[override]  # it never returns, as argparse's own
        self.print_usage(sys.stderr)
        self.exit(USAGE_ERROR, f"{self.prog}: {message}\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # a reader that has seen enough is no error
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["simulate"]:
        # The simulator is a program of its own: the suite meets it on the wire, never by import of its parts.
        from runner.simulator.command import main as simulate  # noqa: PLC0415 - costs nothing unless it is asked for

        return simulate(arguments[1:])
    parser = _Parser(prog="kill-session-conformance", description=__doc__.splitlines()[0] if __doc__ else None)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("simulate", help="serve the simulator until Ctrl-C and print its DSN (see simulate --help)")
    lint = commands.add_parser("lint", help="check case files and their register without running them")
    lint.add_argument("paths", nargs="*", type=Path, default=[_CASES], help="files or folders (default: cases)")
    explain = commands.add_parser(
        "explain", help="say what a requirement asks and which cases decide it, or show a case"
    )
    explain.add_argument("name", help="a requirement such as PAR-3, or a case's id")
    explain.add_argument(
        "--cases", type=Path, default=_CASES, metavar="FOLDER", help="where the cases are (default: cases)"
    )
    proof = commands.add_parser(
        "prove", help="run the suite against the simulator's defects and variants; print the matrix"
    )
    proof.add_argument("names", nargs="*", help="defects and variants (default: all)")
    proof.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="how many at a time (default: %(default)s)"
    )
    chosen = parser.parse_args(arguments)
    try:
        match chosen.command:
            case "lint":
                return _lint(chosen.paths)
            case "explain":
                return _explain(chosen.name, chosen.cases)
            case _:
                return _prove(chosen.names, max(1, chosen.jobs))
    except SourceError as error:
        print(error, file=sys.stderr)
        return USAGE_ERROR


def _lint(paths: Sequence[Path]) -> int:
    problems: list[SourceError] = []
    cases: list[Case] = []
    files: list[Path] = []
    for path in paths:
        found = case_files(path) if path.is_dir() else [path]
        if not found or not path.exists():
            print(f"{path}: no case files here", file=sys.stderr)
            return USAGE_ERROR
        files += found
    for path in files:
        try:
            cases += load_cases(path)
        except SourceError as error:
            problems.append(error)
    try:
        refuse_duplicates(cases)
    except SourceError as error:
        problems.append(error)
    for problem in problems:
        print(problem)
    print(f"{len(files)} files, {len(cases)} cases, {len(problems)} problems")
    return 1 if problems else 0


def _prove(names: Sequence[str], jobs: int) -> int:
    known = {claim.name: claim for claim in prove.claims()}
    for name in names:
        if name not in known:
            print(f"no defect and no variant is called {name!r}: {did_you_mean(name, known)}", file=sys.stderr)
            return USAGE_ERROR
    register = read_register(prove.ROOT / _CASES / REGISTER_NAME)
    wanted = [claim for claim in known.values() if claim.name in names or not names]
    proofs = prove.prove_all(wanted, register, jobs, lambda proof: print(matrix.line(proof, register), flush=True))
    failing = [proof for proof in proofs if not proof.holds(register)]
    cases = [case.name for path in case_files(prove.ROOT / _CASES) for case in load_cases(path)]
    immortal = [] if names else matrix.unkilled(proofs, cases)
    for case in immortal:
        print(f"no defect makes this case deviate: {case}")
    print(
        matrix.score(proofs, register, len(cases) - len(immortal), len(cases)) if not names else f"{len(failing)} fail"
    )
    return 1 if failing or immortal else 0


def _explain(name: str, folder: Path) -> int:
    register = read_register(folder / REGISTER_NAME)
    cases = [case for path in case_files(folder) for case in load_cases(path)]
    shown = [case for case in cases if name in {case.id, case.name}]
    if name in register.requirements:
        _explain_requirement(name, register, cases)
    elif shown:
        for case in shown:
            _explain_case(case)
    else:
        known = [*register.requirements, *{case.id for case in cases}]
        print(f"no requirement and no case is called {name!r}: {did_you_mean(name, known)[:300]}", file=sys.stderr)
        return USAGE_ERROR
    return 0


def _explain_requirement(name: str, register: Register, cases: Sequence[Case]) -> None:
    requirement = register.requirements[name]
    print(f"{requirement.id} ({requirement.level.value}): {requirement.says}")
    for case in cases:
        if case.requirement.id == name:
            print(f"  {case.place.shown_path}::{case.name}\n      {case.title}")
    print(f"run them: pytest cases --requirement {name}")


def _explain_case(case: Case) -> None:
    print(f"{case.name}  {case.place}\n  {case.requirement.id} ({case.requirement.level.value}): {case.title}")
    if case.note:
        print(f"  {case.note}")
    for spec in case.sessions:
        user = f"of {spec.same_user_as}'s user" if spec.same_user_as else "of a user of its own"
        granted = f", granted {', '.join(spec.grants)}" if spec.grants else ""
        print(f"  session {spec.name} {user}{granted}{'' if spec.connect else ', connects later'}")
    for number, step in enumerate(case.steps, 1):
        print(f"  {number}. {_described(step)}")
    if case.outcomes:
        for outcome in case.outcomes:
            print(f"  known outcome: {outcome.name}")
    else:
        print(f"  ends: {', '.join(sorted(case.ends)) or 'nothing'}; every other session goes on")


def _described(step: Step) -> str:
    match step:
        case Say():
            return f"{step.session}> {step.statement.text}" + (" (reply: later)" if step.later else _reply(step.reply))
        case Await():
            return f"the answer to {step.session}" + _reply(step.reply)
        case Connect():
            return f"{step.session} logs in" + _reply(step.reply)
        case Wait():
            return f"wait until {step.session} is {step.state}"


def _reply(reply: Reply) -> str:
    return f"  -- {' or '.join(map(str, reply))}" if reply else ""
