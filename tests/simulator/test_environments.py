"""The environments: each has a name, accepts clients, and has foreign sessions."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pymysql
import pytest

from runner.simulator.catalogue import Environment
from runner.simulator.components import Components
from runner.simulator.environments import ENVIRONMENTS
from runner.simulator.variants import VARIANTS
from tests.support.eventually import eventually
from tests.support.proxy_environments import environment_names
from tests.support.simulator_clients import (
    Connection,
    Simulator,
    error_code,
    is_disconnected,
    is_usable,
    kill_statement,
    run,
    session_id,
    start_simulator,
    stop_simulator,
)
from tests.support.simulator_threads import ThreadedServer, threaded_server
from tests.support.suite_run import run_command

FOREIGN = "SHOP"


@contextmanager
def environment(name: str, report: list[str] | None = None) -> Iterator[Simulator]:
    """A simulator in an environment; its lines about killed foreign sessions are added to ``report``."""
    simulator = start_simulator("--environment", name)
    words: list[str] = [] if report is None else report
    try:
        yield simulator
    finally:
        simulator.stack.close()
        words += stop_simulator(simulator, 0 if report is None else 3).splitlines()
    assert report is not None or words == []


def own_id(connection: Connection) -> int:
    """The id of the server session in which a client's statement is executed."""
    return int(run(connection, "SELECT USERENV('SID') FROM DUAL")[0][0])


def kill_one_foreign_session(connection: Connection) -> None:
    """Kills a foreign session on one of two servers, so that their process lists differ."""
    run(connection, "START TRANSACTION")
    run(connection, kill_statement(sorted(ids(connection, FOREIGN))[15]))
    run(connection, "COMMIT")


def ids(connection: Connection, user: str) -> set[int]:
    """The ids of a user's sessions in the process list of a client."""
    return {int(row[0]) for row in run(connection, "SHOW PROCESSLIST") if row[1] == user}


def test_the_list_names_each_environment_once() -> None:
    lines = run_command("simulate", "--list-environments").out.splitlines()
    assert [tuple(line.split("  ")) for line in lines] == [(name, each.text) for name, each in ENVIRONMENTS.items()]
    rows = json.loads(run_command("simulate", "--list-environments", "--json").out)
    assert [row["name"] for row in rows] == list(ENVIRONMENTS)


@pytest.mark.parametrize("each", [ENVIRONMENTS[name] for name in environment_names()], ids=lambda each: each.name)
def test_an_environment_serves_and_has_foreign_sessions(each: Environment) -> None:
    assert each.text.endswith(".")
    with threaded_server(each.change_components(Components())) as server:
        user = server.new_user("U1")
        clients = [server.connect(user, "u1") for _ in range(4)]
        assert all(map(is_usable, clients))
        admin = server.connect()
        run(admin, "CREATE TABLE T (ID INT)")
        for client in (admin, server.connect()):
            run(client, "INSERT INTO T VALUES (1)")
        assert run(server.connect(), "SELECT COUNT(*) FROM T") == [(2,)]
        assert len(ids(admin, FOREIGN)) >= 30


@pytest.mark.parametrize("name", environment_names())
def test_a_foreign_session_that_is_killed_is_reported(name: str) -> None:
    report: list[str] = []
    with environment(name, report) as sim:
        admin = sim.connect()
        run(admin, "START TRANSACTION")  # so that splitters read and write on one server
        named = sorted(ids(admin, FOREIGN))[15]  # both servers have a session with this id
        run(admin, kill_statement(named))
    assert report == [f"simulator: foreign session {named} was killed"]


@pytest.mark.parametrize("variant", ["scattered-ids", "falling-ids", "foreign-traffic", "behind-plain-proxy"])
@pytest.mark.parametrize("name", ["two-nodes", "splitter", "shared-connections"])
def test_a_variant_in_an_environment(name: str, variant: str) -> None:
    different = VARIANTS[variant].change_components(ENVIRONMENTS[name].change_components(Components()))
    with threaded_server(different) as server:
        assert all(is_usable(server.connect()) for _ in range(4))


def test_two_nodes_give_the_same_ids_and_show_their_own_sessions() -> None:
    with environment("two-nodes-alone") as sim:
        clients = [sim.connect() for _ in range(4)]
        assert session_id(clients[0]) == session_id(clients[1])
        assert session_id(clients[2]) == session_id(clients[3]) == session_id(clients[0]) + 1
        assert [ids(client, "SYS") for client in clients] == [{session_id(clients[0]), session_id(clients[2])}] * 4


def test_a_kill_on_the_other_node_ends_the_session_with_the_same_id() -> None:
    with environment("two-nodes-alone") as sim:
        victim, killer, mate = sim.connect(), sim.connect(), sim.connect()
        assert session_id(killer) == session_id(victim)
        other = sim.connect()
        assert session_id(other) == session_id(mate)
        run(killer, kill_statement(mate))
        assert is_disconnected(other)
        assert is_usable(mate)


def test_a_balancer_with_its_own_handshake() -> None:
    with environment("two-nodes-with-own-greeting") as sim:
        clients = [sim.connect() for _ in range(3)]
        assert [session_id(client) for client in clients] == [1, 2, 3]
        assert not {1, 2, 3} & ids(clients[0], "SYS")


def test_a_balancer_that_prefers_one_node() -> None:
    with environment("two-nodes-mostly-the-first") as sim:
        clients = [sim.connect() for _ in range(5)]
        assert [len(ids(client, "SYS")) for client in clients] == [4, 4, 4, 4, 1]


def test_distinct_ids() -> None:
    with environment("two-nodes-with-distinct-ids") as sim:
        first, second = sim.connect(), sim.connect()
        assert session_id(first) < 1_000_000 < session_id(second)
        assert error_code(second, kill_statement(first)) == 600


def test_a_splitter_reads_on_one_server_and_writes_on_the_other() -> None:
    with environment("splitter") as sim:
        client = sim.connect()
        (reads,) = ids(client, "SYS")
        run(client, "/* a comment */ START TRANSACTION")
        (writes,) = ids(client, "SYS")
        run(client, "COMMIT")
        assert ids(client, "SYS") == {reads}
        assert session_id(client) == 1
        assert 1 not in (reads, writes)
        run(client, "SET AUTOCOMMIT = 0")
        assert ids(client, "SYS") == {writes}


def test_a_splitter_without_transactions() -> None:
    with environment("splitter-without-transactions") as sim:
        client = sim.connect()
        before = ids(client, "SYS")
        run(client, "START TRANSACTION")
        assert ids(client, "SYS") == before


def test_a_client_of_a_splitter_loses_its_connection_with_one_of_its_sessions() -> None:
    with environment("splitter") as sim:
        killer, victim = sim.connect(), sim.connect_new()
        run(killer, "START TRANSACTION")
        (named,) = ids(killer, "U0")
        run(killer, kill_statement(named))
        assert is_disconnected(victim)
        run(killer, "COMMIT")
        assert eventually(lambda: not ids(killer, "U0"))


@pytest.mark.parametrize(("name", "reads"), [("reader", True), ("writer", False)])
def test_a_splitter_that_sends_the_handshake_of_one_server(name: str, reads: bool) -> None:
    with environment(f"splitter-greeting-of-the-{name}") as sim:
        client = sim.connect()
        if not reads:
            run(client, "START TRANSACTION")
        assert ids(client, "SYS") == {session_id(client)}


def test_idle_clients_share_a_session() -> None:
    with environment("shared-connections") as sim:
        first, second = sim.connect(), sim.connect()
        assert ids(first, "SYS") == ids(second, "SYS")
        before = ids(first, "SYS")
        run(first, "START TRANSACTION")
        run(second, "SELECT 1 FROM DUAL")
        assert len(ids(first, "SYS")) == 2
        run(first, "COMMIT")
        assert before < ids(first, "SYS")


def test_a_killed_shared_session_is_replaced_unless_a_client_uses_it() -> None:
    with environment("shared-connections") as sim:
        user = sim.new_user()
        first, second, killer = sim.connect_as(user), sim.connect_as(user), sim.connect()
        run(first, "SELECT 1 FROM DUAL")
        (idle,) = ids(killer, user)
        run(killer, kill_statement(idle))
        assert is_usable(first)
        run(second, "START TRANSACTION")
        (held,) = ids(killer, user)
        run(killer, kill_statement(held))
        assert is_disconnected(second)
        assert is_usable(first)


def test_a_client_keeps_its_session_for_a_while() -> None:
    with environment("shared-connections-after-a-while") as sim:
        first, second = sim.connect(), sim.connect()

        def takes_it_over() -> bool:
            held = own_id(first)
            time.sleep(0.6)
            return own_id(second) == held

        assert eventually(takes_it_over)


def test_shared_sessions_of_two_nodes() -> None:
    with environment("shared-connections-of-two-nodes", []) as sim:
        first, second = sim.connect(), sim.connect()
        kill_one_foreign_session(first)
        run(first, "START TRANSACTION")
        run(second, "START TRANSACTION")
        run(first, "COMMIT")
        run(second, "COMMIT")
        assert ids(first, FOREIGN) != ids(first, FOREIGN)


def test_statements_are_sent_to_two_servers_in_turn() -> None:
    with environment("statements-in-turn", []) as sim:
        client = sim.connect()
        kill_one_foreign_session(client)
        first, second, again = (ids(client, FOREIGN) for _ in range(3))
        assert first == again != second
        run(client, "START TRANSACTION")
        assert ids(client, "SYS") == ids(client, "SYS")


def test_a_client_that_is_moved_has_another_id() -> None:
    with environment("moving-sessions") as sim:
        client = sim.connect()
        assert ids(client, "SYS") == {session_id(client)}
        assert eventually(lambda: session_id(client) not in ids(client, "SYS"))
        run(client, "START TRANSACTION")
        kept = ids(client, "SYS")
        assert all(ids(client, "SYS") == kept for _ in range(5))


def test_a_cached_process_list() -> None:
    with environment("cached-list") as sim:
        admin, client = sim.connect(), sim.connect()
        run(client, "SELECT 1 FROM DUAL")
        before = ids(admin, "SYS")
        late = sim.connect()
        assert session_id(late) not in before
        assert eventually(lambda: session_id(late) in ids(admin, "SYS"))


def test_process_lists_of_two_nodes() -> None:
    with environment("list-of-both-nodes") as sim:
        clients = [sim.connect() for _ in range(4)]
        shown = [int(row[0]) for row in run(clients[0], "SHOW PROCESSLIST") if row[1] == "SYS"]
        assert sorted(shown) == sorted(map(session_id, clients))
    with environment("list-of-the-first-node") as sim:
        first, second = sim.connect(), sim.connect()
        assert ids(second, "SYS") == {session_id(first)}


def test_each_user_is_connected_to_one_of_two_servers() -> None:
    with environment("two-nodes-by-user") as sim:
        admin = sim.connect()
        users = [sim.new_user("SHOW PROCESS") for _ in range(6)]
        beside = [bool(ids(sim.connect_as(user), "SYS")) for user in users]
        assert set(beside) == {True, False}
        assert [bool(ids(sim.connect_as(user), "SYS")) for user in users] == beside
        assert is_usable(admin)


def test_a_server_keeps_its_port_users_and_committed_data_after_a_crash() -> None:
    with threaded_server(ENVIRONMENTS["crashes-at-the-first-kill"].change_components(Components())) as server:
        user = server.new_user("U1")
        admin, changing = server.connect(), server.connect()
        run(admin, "CREATE TABLE T (ID INT)")
        run(admin, "INSERT INTO T VALUES (1)")
        run(changing, "START TRANSACTION")
        run(changing, "INSERT INTO T VALUES (2)")
        with pytest.raises(pymysql.OperationalError, match="Lost connection"):
            run(admin, kill_statement(changing))
        assert is_disconnected(changing)
        assert eventually(lambda: reconnected(server, user))
        assert run(server.connect(), "SELECT ID FROM T") == [(1,)]


def reconnected(server: ThreadedServer, user: str) -> bool:
    """Whether a user can log in again."""
    try:
        return is_usable(server.connect(user, "u1"))
    except pymysql.OperationalError:
        return False
