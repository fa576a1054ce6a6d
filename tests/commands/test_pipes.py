"""``python -m runner`` when the reader of its output, or a client of its simulator, disconnects."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys

import pytest

from runner.reporting.record import suite_version
from tests.support.eventually import PATIENCE
from tests.support.paths import ROOT
from tests.support.suite_run import run_command


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


@pytest.mark.parametrize("stream", [1, 2])
def test_a_stream_that_is_closed_from_the_start_changes_no_exit_code(stream: int) -> None:
    command = f"exec {sys.executable} -m runner run --requirement SYN-1 -q {stream}>&-"
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_output_on_a_full_disk_is_exit_code_4_without_a_traceback() -> None:
    command = f"exec {sys.executable} -m runner explain PAR-3 > /dev/full"
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, "the output can't be written: " in done.stderr) == (4, True), done.stderr
    assert "Traceback" not in done.stderr


def test_the_version_is_printed() -> None:
    done = run_command("--version")
    assert (done.code, done.out) == (0, f"{suite_version()}\n")


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
