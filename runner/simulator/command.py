"""The command line: `python -m runner.simulator`, and what another command needs to offer the same."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import quote

from runner.simulator.accounts import ADMINISTRATOR
from runner.simulator.catalogue import unknown_name
from runner.simulator.defects import DEFECTS
from runner.simulator.environments import ENVIRONMENTS
from runner.simulator.parts import Parts
from runner.simulator.server import Server, raise_file_limit
from runner.simulator.settings import Settings
from runner.simulator.variants import VARIANTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import NoReturn

    from runner.simulator.catalogue import Defect, Environment, Variant
    from runner.simulator.entrance import Entrance


CANNOT_START = 4
FOREIGN_KILLED = 3
LARGEST_PORT = 0xFFFF
LONGEST_LIMIT = 10**9


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One sentence instead of the usage, and the exit code for a server that cannot start."""
        self.exit(CANNOT_START, f"{self.prog}: {message}\n")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the simulator's options to a parser."""
    defaults = Settings()
    add = parser.add_argument
    add("--port", type=_port, default=0, help="the port to listen on (default: a free one)")
    add(
        "--defect",
        dest="defects",
        action="append",
        default=[],
        type=_defect,
        metavar="NAME",
        help="start with this defect; may be given several times",
    )
    add(
        "--variant",
        dest="variants",
        action="append",
        default=[],
        type=_variant,
        metavar="NAME",
        help="start with this conforming variant; may be given several times",
    )
    add(
        "--environment",
        dest="environments",
        action="append",
        default=[],
        type=_environment,
        metavar="NAME",
        help="start in this environment, in which some cases can't be decided; exit code 3 if a session of another "
        "client was killed",
    )
    add(
        "--behind-proxy",
        dest="variants",
        action="append_const",
        const=VARIANTS["behind-proxy"],
        help="start behind ODP, OceanBase's proxy, with the settings that the suite needs; the same as --variant "
        "behind-proxy (ODP's default settings: --environment odp-with-default-settings)",
    )
    add(
        "--like-oceanbase",
        dest="variants",
        action="append_const",
        const=VARIANTS["like-oceanbase"],
        help="behave as real servers are known to behave, not as specified: a holder of ALTER SYSTEM other than the "
        "administrator can kill and see sessions of its own user only, and a session that kills itself gets no "
        "reply; the same as --variant like-oceanbase",
    )
    lists = parser.add_mutually_exclusive_group()
    for names, kind in (("defects", DEFECTS), ("variants", VARIANTS), ("environments", ENVIRONMENTS)):
        lists.add_argument(
            f"--list-{names}", dest="listed", action="store_const", const=kind, help=f"list the {names} and exit"
        )
    add("--json", action="store_true", help="print the list as JSON")
    add("--host", default=defaults.host, help="the address to listen on (%(default)s)")
    add("--admin-password", default=defaults.admin_password, help=f"the password of {ADMINISTRATOR} (%(default)s)")
    add(
        "--error-prefix",
        choices=("ORA", "OBE"),
        default=defaults.error_prefix,
        help="the prefix of error numbers (%(default)s)",
    )
    add(
        "--lock-wait",
        type=_seconds,
        default=defaults.lock_wait_seconds,
        metavar="SECONDS",
        help="the time that a statement waits for a row lock (%(default)s)",
    )
    add(
        "--login-limit",
        type=_seconds,
        default=defaults.login_seconds,
        metavar="SECONDS",
        help="the time that a client may take to log in (%(default)s)",
    )
    add("--until-stdin-closes", action="store_true", help="stop at the end of the standard input")


def settings_from(options: argparse.Namespace) -> Settings:
    """The settings that the options ask for."""
    settings = Settings(
        host=options.host,
        port=options.port,
        admin_password=options.admin_password,
        error_prefix=options.error_prefix,
        lock_wait_seconds=options.lock_wait,
        login_seconds=options.login_limit,
    )
    for variant in options.variants:
        settings = variant.settings(settings)
    return settings


def parts_from(options: argparse.Namespace) -> Parts:
    """The parts that the options ask for: defects stand in front of variants, those in front of environments."""
    parts = Parts()
    for piece in (*options.environments, *options.variants, *options.defects):
        parts = piece.parts(parts)
    return parts


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a server as the command line says."""
    parser = _Parser(prog="simulator", description=__doc__)
    add_arguments(parser)
    options = parser.parse_args(argv)
    if options.listed is not None:
        _list(options.listed.values(), as_json=options.json)
        return 0
    return run(settings_from(options), until_stdin_closes=options.until_stdin_closes, parts=parts_from(options))


def run(
    settings: Settings,
    *,
    until_stdin_closes: bool = False,
    parts: Parts | None = None,
) -> int:
    """Runs a server until it is told to stop.

    Returns:
        The exit code: 3 if a session was killed that an environment keeps and that no client opened.
    """
    logging.basicConfig(format="simulator: %(message)s", stream=sys.stderr)
    with suppress(OSError, ValueError):  # then it is as many clients as it is
        raise_file_limit()
    try:
        server = Server(settings, parts or Parts())
    except OSError as error:
        reason = (error.strerror or str(error)).partition(" (while")[0]  # what the library adds repeats the address
        sys.stderr.write(f"simulator: cannot listen on {settings.host} port {settings.port}: {reason}.\n")
        return CANNOT_START
    with suppress(KeyboardInterrupt):  # where the loop cannot handle signals
        asyncio.run(_serve(server, settings, until_stdin_closes=until_stdin_closes))
    return FOREIGN_KILLED if server.foreign_killed else 0


async def _serve(server: Server, settings: Settings, *, until_stdin_closes: bool) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):
            loop.add_signal_handler(number, stop.set)
    if until_stdin_closes:
        threading.Thread(target=_read_to_the_end, args=(loop, stop), daemon=True).start()
    await server.serve(stop, lambda: _announce(settings, server.entrance))


def _announce(settings: Settings, entrance: Entrance) -> None:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    user, secret = (quote(part, safe="") for part in (entrance.login(ADMINISTRATOR), settings.admin_password))
    sys.stdout.write(f"oceanbase://{user}:{secret}@{host}:{entrance.port}/\n")
    sys.stdout.flush()


def _read_to_the_end(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Stops the server when the standard input ends: also a parent that is killed closes it.

    A thread, since the standard input may be of any kind; not through sys.stdin, whose lock it would hold at exit.
    """
    with suppress(OSError):
        while os.read(0, 4096):
            pass
    with suppress(RuntimeError):  # the loop has ended already
        loop.call_soon_threadsafe(stop.set)


def _list(entries: Iterable[Defect | Environment | Variant], *, as_json: bool) -> None:
    rows = [{"name": entry.name, "breaks": getattr(entry, "breaks", None), "text": entry.text} for entry in entries]
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    for row in rows:
        print("  ".join(str(value) for value in row.values() if value is not None))


def _defect(name: str) -> Defect:
    if name not in DEFECTS:
        raise argparse.ArgumentTypeError(unknown_name("defect", name, DEFECTS))
    return DEFECTS[name]


def _variant(name: str) -> Variant:
    if name not in VARIANTS:
        raise argparse.ArgumentTypeError(unknown_name("variant", name, VARIANTS))
    return VARIANTS[name]


def _environment(name: str) -> Environment:
    if name not in ENVIRONMENTS:
        raise argparse.ArgumentTypeError(unknown_name("environment", name, ENVIRONMENTS))
    return ENVIRONMENTS[name]


def _port(text: str) -> int:
    if not text.isdecimal() or int(text[:6]) > LARGEST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port, which is a number up to {LARGEST_PORT}.")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < LONGEST_LIMIT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds.")
    return seconds
