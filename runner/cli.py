"""Runs the conformance suite on a database, and what goes before and after a run.

Each command is a module of ``runner/commands``.

Exit codes: 0, it is done and all is well; 1, what was looked for was found wrong; 4, bad usage.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from runner.commands import USAGE_ERROR
from runner.commands.targets import UnusableTargetError
from runner.language.problems import SourceError
from runner.reporting.record import RecordError

_SEEN_ENOUGH = 128 + 13  # SIGPIPE
_COMMANDS = ("doctor", "lint", "explain", "accounts", "sweep", "diff", "baseline", "report", "prove")


class _Parser(argparse.ArgumentParser):
    """A parser whose errors have the suite's exit code for bad usage."""

    def error(self, message: str) -> None:  # type: ignore[override]  # it never returns, as argparse's own
        self.print_usage(sys.stderr)
        self.exit(USAGE_ERROR, f"{self.prog}: {message}\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    try:
        code = _run(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
    except BrokenPipeError:
        # Who reads the output has seen enough, as `head` has: no traceback, and what shells say of such an end. To let
        # the signal do that would do for sockets, too: a client that leaves must not end the simulator.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _SEEN_ENOUGH
    return code


def _run(arguments: list[str]) -> int:
    if arguments[:1] == ["simulate"]:
        # The simulator is a program of its own: the suite meets it on the wire, never by import of its parts.
        from runner.simulator.command import main as simulate  # noqa: PLC0415 - costs nothing unless it is asked for

        return simulate(arguments[1:])
    if arguments[:1] == ["run"]:
        from runner.commands.run import main as run  # noqa: PLC0415 - likewise; the options are pytest's to read

        return run(arguments[1:])
    parser = _Parser(prog="kill-session-conformance", description=__doc__.splitlines()[0] if __doc__ else None)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("run", help="run the suite; takes pytest's options and its own (see run --help)")
    commands.add_parser("simulate", help="run the simulator until Ctrl-C and print its DSN (see simulate --help)")
    for name in _COMMANDS:
        command = importlib.import_module(f"runner.commands.{name}")
        command.add_arguments(commands.add_parser(name, help=command.HELP, description=command.__doc__))
    chosen = parser.parse_args(arguments)
    try:
        code: int = importlib.import_module(f"runner.commands.{chosen.command}").run(chosen)
    except (RecordError, SourceError, UnusableTargetError) as error:
        print(error, file=sys.stderr)
        return USAGE_ERROR
    return code
