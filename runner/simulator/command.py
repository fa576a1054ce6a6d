"""The command line of the simulator, for `python -m runner.simulator` and `kill-session-conformance simulate`."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, NoReturn
from urllib.parse import quote

from runner.simulator.catalogue import Defect, Environment, Variant, unknown_name
from runner.simulator.components import Components
from runner.simulator.defects import DEFECTS
from runner.simulator.environments import ENVIRONMENTS
from runner.simulator.listener import Listener
from runner.simulator.server import Server, raise_file_limit
from runner.simulator.settings import Settings
from runner.simulator.users_and_roles import ADMINISTRATOR
from runner.simulator.variants import VARIANTS

CANNOT_START = 4
FOREIGN_KILLED = 3
LARGEST_PORT = 0xFFFF
LONGEST_LIMIT = 10**9


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Exits with a message of one line, without the usage, and exit code 4."""
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
    add("--host", type=_host, default=defaults.host, help="the address to listen on (default: %(default)s)")
    add(
        "--admin-password",
        default=defaults.admin_password,
        help=f"the password of {ADMINISTRATOR} (default: %(default)s)",
    )
    add(
        "--error-prefix",
        choices=("ORA", "OBE"),
        default=defaults.error_prefix,
        help="the prefix of error numbers (default: %(default)s)",
    )
    add(
        "--lock-wait",
        type=_seconds,
        default=defaults.lock_wait_seconds,
        metavar="SECONDS",
        help="the time that a statement waits for a row lock (default: %(default)s)",
    )
    add(
        "--login-limit",
        type=_seconds,
        default=defaults.login_seconds,
        metavar="SECONDS",
        help="the time that a client may take to log in (default: %(default)s)",
    )
    add("--until-stdin-closes", action="store_true", help="stop at the end of the standard input")


def settings_from(options: argparse.Namespace) -> Settings:
    """The settings that the options select."""
    settings = Settings(
        host=options.host,
        port=options.port,
        admin_password=options.admin_password,
        error_prefix=options.error_prefix,
        lock_wait_seconds=options.lock_wait,
        login_seconds=options.login_limit,
    )
    for variant in options.variants:
        settings = variant.change_settings(settings)
    return settings


def components_from(options: argparse.Namespace) -> Components:
    """The components that the options select: defects override variants, and variants override environments."""
    components = Components()
    for entry in (*options.environments, *options.variants, *options.defects):
        components = entry.change_components(components)
    return components


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    parser = _Parser(
        prog="kill-session-conformance simulate", description="Runs the simulator until Ctrl-C, and prints its DSN."
    )
    add_arguments(parser)
    options = parser.parse_args(argv)
    if options.listed is not None:
        _list(options.listed.values(), as_json=options.json)
        return 0
    return run(
        settings_from(options), until_stdin_closes=options.until_stdin_closes, components=components_from(options)
    )


def run(
    settings: Settings,
    *,
    until_stdin_closes: bool = False,
    components: Components | None = None,
) -> int:
    """Runs a server until SIGINT, SIGTERM, or the end of the standard input if ``until_stdin_closes``.

    Returns:
        The exit code: 4 if the server cannot listen, 3 if a foreign session of an environment was killed, else 0.
    """
    logging.basicConfig(format="simulator: %(message)s", stream=sys.stderr)
    with suppress(OSError, ValueError):  # then the present limit stays
        raise_file_limit()
    try:
        server = Server(settings, components or Components())
    except OSError as error:
        reason = (error.strerror or str(error)).partition(" (while")[0]  # asyncio's suffix repeats the address
        sys.stderr.write(f"simulator: cannot listen on {settings.host} port {settings.port}: {reason}.\n")
        return CANNOT_START
    with suppress(KeyboardInterrupt):  # if the event loop doesn't support signal handlers
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
    await server.serve(stop, lambda: _announce(settings, server.listener))


def _announce(settings: Settings, listener: Listener) -> None:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    user, secret = (quote(part, safe="") for part in (listener.login_name(ADMINISTRATOR), settings.admin_password))
    sys.stdout.write(f"oceanbase://{user}:{secret}@{host}:{listener.port}/\n")
    sys.stdout.flush()


def _read_to_the_end(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Stops the server at the end of the standard input, which is also closed if the parent process is killed.

    Runs in a thread, because not every kind of standard input can be polled. It reads the descriptor itself: the lock
    of ``sys.stdin`` would be held at exit.
    """
    with suppress(OSError):
        while os.read(0, 4096):
            pass
    with suppress(RuntimeError):  # the event loop is closed already
        loop.call_soon_threadsafe(stop.set)


def _list(entries: Iterable[Defect | Environment | Variant], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps([_described(entry) for entry in entries], indent=1))
        return
    for entry in entries:
        words = (entry.name, entry.breaks, entry.text) if isinstance(entry, Defect) else (entry.name, entry.text)
        print("  ".join(words))


def _described(entry: Defect | Environment | Variant) -> dict[str, Any]:
    row: dict[str, Any] = {"name": entry.name, "text": entry.text}
    if isinstance(entry, Defect):
        row["breaks"] = entry.breaks
    if isinstance(entry, Variant):
        row["changes"] = entry.changes
    return row


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


def _host(text: str) -> str:
    if not text.strip():  # asyncio would listen on all addresses
        raise argparse.ArgumentTypeError("the address is empty.")
    return text


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < LONGEST_LIMIT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds.")
    return seconds
