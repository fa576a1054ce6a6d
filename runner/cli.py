"""Runs the conformance suite on a database, examines databases, checks cases, and compares and publishes results.

Each command is a module of ``runner/commands``; only ``simulate`` is the simulator's own.

Exit codes: 0, success; 1, the command found a failure; 4, bad usage; 130, interrupted; 141, the output was closed.
``run`` has pytest's.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

from runner.commands import USAGE_ERROR
from runner.commands.shared_options import UnusableTargetError
from runner.language.problems import SourceError
from runner.reporting.record import RecordError, suite_version

_OUTPUT_CLOSED = 128 + 13  # SIGPIPE
_INTERRUPTED = 128 + 2  # SIGINT
_COMMANDS = ("doctor", "lint", "explain", "new-case", "accounts", "sweep", "diff", "baseline", "report", "prove")


class _Parser(argparse.ArgumentParser):
    """A parser whose errors have the suite's exit code for usage errors."""

    def error(self, message: str) -> None:  # type: ignore[override]  # it never returns, as argparse's own
        self.print_usage(sys.stderr)
        self.exit(USAGE_ERROR, f"{self.prog}: {message}\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    _open_standard_streams()
    try:
        code = _run(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of the output has closed it, as `head` does: no traceback, and the exit code of shells for this.
        # The signal itself can't be enabled for this: it would also end the simulator if a client disconnects.
        _drop_output()
        return _OUTPUT_CLOSED
    except OSError as error:  # the output can't be written: a traceback's exit code 1 would be a finding
        _drop_output()
        print(f"the output can't be written: {error}", file=sys.stderr)
        return USAGE_ERROR
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return _INTERRUPTED
    return code


def _drop_output() -> None:
    """Lets Python end although what it still has for the standard output can't be written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _open_standard_streams() -> None:
    """Connects standard streams that are closed (``>&-``) to nothing: otherwise a socket would get their number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))


def _run(arguments: list[str]) -> int:
    if arguments[:1] == ["simulate"]:
        # The simulator is a separate program; no other module of the suite imports it.
        from runner.simulator.command import main as simulate  # noqa: PLC0415 - only if it is used

        return simulate(arguments[1:])
    if arguments[:1] == ["run"]:
        from runner.commands.run import main as run  # noqa: PLC0415 - likewise; the options are pytest's to read

        return run(arguments[1:])
    parser = _Parser(prog="kill-session-conformance", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--version", action="version", version=suite_version())
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("run", help="run the suite; takes pytest's options and its own (see run --help)")
    commands.add_parser("simulate", help="run the simulator until Ctrl-C and print its DSN (see simulate --help)")
    for name in _COMMANDS:
        command = _module(name)
        text = f"{command.HELP[:1].upper()}{command.HELP[1:]}."
        command.add_arguments(commands.add_parser(name, help=command.HELP, description=text))
    chosen = parser.parse_args(arguments)
    try:
        code: int = _module(chosen.command).run(chosen)
    except (RecordError, SourceError, UnusableTargetError) as error:
        print(error, file=sys.stderr)
        return USAGE_ERROR
    return code


def _module(command: str) -> Any:
    """A command's module, with ``HELP``, ``add_arguments`` and ``run``."""
    return importlib.import_module(f"runner.commands.{command.replace('-', '_')}")
