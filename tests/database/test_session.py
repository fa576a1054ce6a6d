"""A session, and the administrator's, on a real server: the simulator in a process of its own."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Callable, Iterator

import pytest

from runner.database.administrator_session import TargetError
from runner.database.dsn import Dsn
from runner.database.outcome import Lost, NoReply, Ok, Rows, ServerError
from runner.database.profile import Profile, load_profile
from runner.database.session import Login, Session
from runner.database.target import Target
from runner.database.time_limits import Limits
from tests.support.eventually import PATIENCE, eventually
from tests.support.protocol_server import Peer, serving
from tests.support.simulator_process import SimulatorProcess

ORACLE_MODE = 1 << 27


@pytest.fixture(scope="module")
def dsn() -> Iterator[Dsn]:
    simulator = SimulatorProcess()
    yield Dsn.parse(simulator.dsn)
    simulator.stop()


@pytest.fixture
def session(dsn: Dsn) -> Iterator[Session]:
    session = Session(Login(dsn, dsn.user, dsn.password, ORACLE_MODE))
    assert session.open(PATIENCE) == Ok()
    yield session
    session.close()


@pytest.fixture(scope="module")
def profile() -> Profile:
    return load_profile("oceanbase-oracle")


@pytest.fixture
def target(dsn: Dsn, profile: Profile) -> Iterator[Target]:
    target = Target(dsn, profile, Limits(settle=5, statement=PATIENCE, connect=PATIENCE, cleanup=PATIENCE))
    yield target
    target.close()


def test_a_login_is_ok_and_the_session_idle(session: Session) -> None:
    assert not session.busy
    assert session.check_connection() is None
    assert session.handshake_id is not None
    assert session.local_address is not None
    assert session.local_address.startswith("127.0.0.1:")


def test_a_wrong_password_is_the_servers_error_and_leaves_no_session(dsn: Dsn) -> None:
    session = Session(Login(dsn, dsn.user, "wrong", ORACLE_MODE))
    outcome = session.open(PATIENCE)
    session.abandon()
    assert isinstance(outcome, ServerError)
    assert outcome.code
    assert "wrong" not in str(outcome)


ANSWERS = [
    ("SELECT 1 FROM DUAL", Rows(("1",), (("1",),))),
    ("SELECT NULL AS n FROM DUAL", Rows(("N",), ((None,),))),
    ("COMMIT", Ok()),
    ("COMMIT;", Ok()),
]


@pytest.mark.parametrize(("statement", "outcome"), ANSWERS)
def test_a_reply_is_a_value(session: Session, statement: str, outcome: Ok | Rows) -> None:
    assert session.execute(statement, PATIENCE) == outcome


def test_an_error_is_a_value_and_the_session_stays_usable(session: Session) -> None:
    outcome = session.execute("SELEC 1", PATIENCE)
    assert isinstance(outcome, ServerError)
    assert outcome.sqlstate
    assert outcome.message
    assert session.execute("COMMIT", PATIENCE) == Ok()
    assert session.check_connection() is None


def test_a_prepared_statement_has_the_same_kind_of_reply_as_a_plain_one(session: Session) -> None:
    assert session.execute("COMMIT", PATIENCE, prepared=True) == Ok()
    assert isinstance(session.execute("SELEC 1", PATIENCE, prepared=True), ServerError)
    assert isinstance(session.execute("ALTER SYSTEM KILL SESSION 'abc'", PATIENCE, prepared=True), ServerError)
    assert session.execute("COMMIT", PATIENCE) == Ok()


def test_a_reply_can_be_received_later_than_its_statement_is_sent(session: Session) -> None:
    session.send("BEGIN DBMS_LOCK.SLEEP(0.2); END;")
    assert session.busy
    assert session.result(0.001) == NoReply(0.001)
    assert session.busy
    assert eventually(lambda: session.has_reply)
    assert session.busy
    assert session.result(PATIENCE) == Ok()
    assert not session.busy
    assert not session.has_reply


def test_the_process_list_contains_the_id_of_the_session(session: Session, target: Target) -> None:
    own = [row for row in target.process_list(session).rows if row.get("host") == session.local_address]
    assert [row.user.upper() for row in own] == ["SYS"]
    assert own[0].id.isdigit()


def test_a_killed_session_detects_its_end_without_sending_a_statement(session: Session, target: Target) -> None:
    (own,) = [row for row in target.process_list(session).rows if row.get("host") == session.local_address]
    assert target.administer(f"ALTER SYSTEM KILL SESSION '{own.id}'") == Ok()
    assert eventually(session.check_connection)
    assert isinstance(session.execute("COMMIT", PATIENCE), Lost)


def test_the_running_statement_of_a_killed_session_fails(session: Session, target: Target) -> None:
    (own,) = [row for row in target.process_list(session).rows if row.get("host") == session.local_address]
    session.send("BEGIN DBMS_LOCK.SLEEP(3000); END;")
    assert target.administer(f"ALTER SYSTEM KILL SESSION '{own.id}'") == Ok()
    assert isinstance(session.result(PATIENCE), Lost | ServerError)
    assert eventually(session.check_connection)


def test_a_usable_target_passes_the_check(target: Target) -> None:
    target.check()
    assert not target.administrator.is_lost()


def test_the_administrators_session_is_replaced_after_it_was_killed(target: Target) -> None:
    control = target.administrator.session
    (own,) = [row for row in target.process_list().rows if row.get("host") == control.local_address]
    target.administer(f"ALTER SYSTEM KILL SESSION '{own.id}'")
    assert eventually(target.administrator.is_lost)
    assert target.administer("COMMIT") == Ok()
    assert target.administrator.session is not control


def test_the_administrators_session_is_replaced_after_a_timeout(dsn: Dsn, profile: Profile) -> None:
    target = Target(dsn, profile, Limits(statement=PATIENCE, connect=PATIENCE, cleanup=0.05))
    stuck = target.administrator.session
    assert target.administer("BEGIN DBMS_LOCK.SLEEP(3000); END;") == NoReply(0.05)
    assert target.administrator.session is not stuck
    target.close()


def test_an_administrator_with_a_wrong_password_is_named_without_the_password(dsn: Dsn, profile: Profile) -> None:
    wrong = dataclasses.replace(dsn, password="s3cretWord")  # noqa: S106 - of nobody
    target = Target(wrong, profile, Limits())
    with pytest.raises(TargetError, match=r"the administrator 'SYS@oracle' can't log in: error [0-9]+") as caught:
        target.check()
    assert "s3cretWord" not in str(caught.value)


def test_a_target_with_another_protocol_is_refused(profile: Profile) -> None:
    with serving(lambda peer: peer.socket.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")) as other:
        target = Target(other, profile, Limits())
        with pytest.raises(TargetError, match="can't log in"):
            target.check()


def refusing(code: int, sqlstate: bytes, message: bytes, offers: int = 0) -> Callable[[Peer], None]:
    """A server that refuses every login."""

    def behave(peer: Peer) -> None:
        peer.greet(offers=offers)
        peer.receive_login()
        peer.send(peer.after_login, b"\xff" + struct.pack("<H", code) + b"#" + sqlstate + message)

    return behave


def test_query_attributes_are_named_where_the_server_offers_the_bit_that_the_profile_sets(profile: Profile) -> None:
    """MySQL 8.0.23 and later misread what a client sends that sets the bit for another reason."""
    behave = refusing(1835, b"HY000", b"Malformed communication packet.", offers=ORACLE_MODE)
    with serving(behave) as dsn:
        with pytest.raises(TargetError, match=r"bit 27 for MySQL's query attributes.* --profile mysql"):
            Target(dsn, profile, Limits()).check()
        with pytest.raises(TargetError, match="check the DSN's user and password"):
            Target(dsn, load_profile("mysql"), Limits()).check()


@pytest.mark.parametrize("sqlstate", [b"HY000", b"08004"])
def test_the_error_of_a_server_that_requires_tls_names_the_options_for_tls(profile: Profile, sqlstate: bytes) -> None:
    with serving(refusing(3159, sqlstate, b"Connections using insecure transport are prohibited")) as dsn:
        target = Target(dsn, profile, Limits())
        with pytest.raises(TargetError, match=r"add \?ssl_ca=FILE, \?ssl_verify=ca or \?ssl_verify=none to the DSN"):
            target.check()


def test_a_profile_that_does_not_fit_the_target_is_named(dsn: Dsn, profile: Profile) -> None:
    other = dataclasses.replace(profile, sql={**profile.sql, "probe": ("SELECT nonsense FROM nowhere",)})
    target = Target(dsn, other, Limits())
    with pytest.raises(TargetError, match="check whether the profile 'oceanbase-oracle' fits"):
        target.check()
    target.close()


def test_a_word_has_the_first_spelling_that_the_server_accepts(dsn: Dsn, profile: Profile) -> None:
    sleep = "BEGIN DBMS_LOCK.SLEEP({seconds}); END;"
    words = {"sleep": ("PAUSE {seconds}", sleep, "COMMIT"), "begin": ("ANYTHING",)}
    target = Target(dsn, dataclasses.replace(profile, words=words), Limits())
    assert target.word("sleep", target.administrator.session) == sleep
    assert target.word("begin", target.administrator.session) == "ANYTHING"
    target.close()


def test_a_word_is_not_tried_with_a_sleep_of_zero_seconds(dsn: Dsn, profile: Profile) -> None:
    """DBMS_LOCK.SLEEP(0) is an error on OceanBase: the word would be spelled in a worse way, or in none."""
    target = Target(dsn, profile, Limits())
    assert isinstance(target.administrator.session.execute("BEGIN DBMS_LOCK.SLEEP(0); END;", PATIENCE), ServerError)
    assert target.word("sleep", target.administrator.session) == "BEGIN DBMS_LOCK.SLEEP({seconds}); END;"
    target.close()


@pytest.mark.parametrize("spellings", [("PAUSE", "WAIT"), ()], ids=["none is accepted", "none is known"])
def test_a_word_that_the_server_accepts_in_no_spelling_is_named(
    dsn: Dsn, profile: Profile, spellings: tuple[str, ...]
) -> None:
    target = Target(dsn, dataclasses.replace(profile, words={"sleep": spellings}), Limits())
    with pytest.raises(TargetError, match="doesn't support the word 'sleep'"):
        target.word("sleep", target.administrator.session)
    target.close()


# Ways to the server


@pytest.fixture(scope="module")
def over_ipv6() -> Iterator[Dsn]:
    simulator = SimulatorProcess("--host", "::1")
    yield Dsn.parse(simulator.dsn)
    simulator.stop()


USERS = ["SYS@oracle", "SYS%40oracle", "sys%40oracle", "%22SYS%22%40oracle"]


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("host", ["[::1]", "[::1%1]", "[::1%251]", "%3A%3A1", "%3A%3A1%251"])
def test_the_server_is_reached_over_ipv6_with_every_spelling_of_host_and_user(
    over_ipv6: Dsn, user: str, host: str
) -> None:
    dsn = Dsn.parse(f"oceanbase://{user}:{over_ipv6.password}@{host}:{over_ipv6.port}")
    session = Session(Login(dsn, dsn.user, dsn.password, ORACLE_MODE))
    assert session.open(PATIENCE) == Ok()
    shown = session.execute("SHOW PROCESSLIST", PATIENCE)
    assert isinstance(shown, Rows)
    assert shown.values[0][shown.columns.index("HOST")] == session.local_address
    session.close()


def test_a_statement_is_prepared_and_executed_later(session: Session) -> None:
    assert session.prepare("COMMIT", PATIENCE) == Ok()
    assert not session.busy
    assert isinstance(session.execute("SELECT 1 FROM DUAL", PATIENCE), Rows)
    session.send_prepared()
    assert session.result(PATIENCE) == Ok()


def test_an_invalid_statement_is_refused_when_it_is_prepared(session: Session) -> None:
    refused = session.prepare("COMIT", PATIENCE)
    assert isinstance(refused, ServerError)
    assert refused.code == 900
    assert session.execute("COMMIT", PATIENCE) == Ok()
