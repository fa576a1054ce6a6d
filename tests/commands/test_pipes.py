"""``python -m runner`` when the reader of its output, or a client of its simulator, disconnects."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys

import pytest

from tests.support.eventually import PATIENCE
from tests.support.paths import ROOT


@pytest.mark.parametrize("command", [["simulate", "--list-defects"], ["explain", "PAR-3"]], ids=lambda words: words[0])
def test_a_closed_output_is_exit_code_141_without_a_traceback(command: list[str]) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "runner", *command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(2 * PATIENCE) == 141, "what shells say of a reader that left"


def test_the_simulator_accepts_clients_after_sigpipe() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "runner", "simulate", "--port", "0"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline().rpartition(":")[2].strip("/\n"))
            process.send_signal(signal.SIGPIPE)  # what a write to a client that left raises
            with socket.create_connection(("127.0.0.1", port), timeout=2 * PATIENCE) as client:
                assert client.recv(4096)[4] == 10
        finally:
            process.terminate()
        assert process.wait(2 * PATIENCE) == 0
