"""Before a run: what is said of a target that can't be used, how far it went and what to do."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from runner.database.administrator_session import TargetError
from runner.database.dsn import Dsn
from runner.database.profile import load_profile
from runner.database.target import Target
from runner.database.time_limits import Limits
from tests.support.faulty_proxy import FAULTS, Fault, FaultyProxy
from tests.support.simulator_process import SimulatorProcess

LIMITS = Limits(connect=1, statement=1, settle=1, cleanup=1)
GUARD = 30.0  # seconds

SENTENCES = {
    "hangs in the handshake": "no handshake within 1 s; the port accepts connections, but sends no MySQL handshake",
    "hangs in mid-packet": "no handshake within 1 s",
    "hangs after OK": "SELECT 1 FROM DUAL: no reply within 1 s; the server may be overloaded or hang",
    "sends no more data": "no handshake within 1 s",
    "sends invalid data": "an unreadable reply .*; the reply is not MySQL protocol",
    "replies with invalid data": "SELECT 1 FROM DUAL: an unreadable reply",
    "has no connection left": "refused: error 1040 .*; the server accepts no more connections",
    "resets at each reply": "no (handshake|TCP connection) .*reset",
    "sends a byte a second": "no handshake within 1 s",
    "replies with endless rows": "SELECT 1 FROM DUAL: (an unreadable reply|no reply within 1 s)",
    "replies with a huge error": "SELECT 1: error 1064 .*; check whether the profile",
}


@pytest.fixture(scope="module")
def simulator() -> Iterator[Dsn]:
    simulator = SimulatorProcess()
    yield Dsn.parse(simulator.dsn)
    simulator.stop()


@pytest.mark.parametrize(("name", "sentence"), SENTENCES.items(), ids=list(SENTENCES))
def test_the_message_for_an_unusable_target_states_which_step_failed(simulator: Dsn, name: str, sentence: str) -> None:
    start = time.monotonic()
    with FaultyProxy(simulator, FAULTS[name], after=0).standing() as proxy:
        check(Dsn.parse(proxy.dsn), sentence)
    assert time.monotonic() - start < GUARD


def check(dsn: Dsn, sentence: str) -> None:
    # Only where the limit is what is tested it is short: a busy machine needs longer for any reply.
    limits = LIMITS if "1 s" in sentence else Limits()
    target = Target(dsn, load_profile("oceanbase-oracle"), limits)
    try:
        with pytest.raises(TargetError, match=sentence) as caught:
            target.check()
        assert len(str(caught.value)) < 1000
    finally:
        target.close()


def test_a_closed_port_is_reported_as_no_tcp_connection(simulator: Dsn) -> None:
    with FaultyProxy(simulator, Fault()).standing() as proxy:
        dsn = Dsn.parse(proxy.dsn)
    check(dsn, "no TCP connection .Connection refused.; check the address, and whether the server is running")


def test_a_wrong_password_is_reported_with_advice(simulator: Dsn) -> None:
    with FaultyProxy(simulator, Fault()).standing() as proxy:
        wrong = Dsn.parse(proxy.dsn.replace(simulator.password, "wrong"))
        check(wrong, "can't log in: error .*; check user, password and tenant in the DSN")
