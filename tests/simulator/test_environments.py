"""Every environment has a name, serves, and keeps somebody else's sessions."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pymysql
import pytest
from routes import routes
from waiting import eventually

from runner.simulator.catalogue import Environment
from runner.simulator.environments import ENVIRONMENTS
from runner.simulator.parts import Parts
from runner.simulator.variants import VARIANTS

from .clients import Simulator, code, is_lost, kill, number, run, started, stopped, works
from .test_defects import listed
from .threads import Served, served

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .clients import Connection

FOREIGN = "SHOP"


@contextmanager
def environment(name: str, report: list[str] | None = None) -> Iterator[Simulator]:
    """A server in an environment; ``report`` takes what it writes of foreign sessions that were killed."""
    simulator = started("--environment", name)
    words: list[str] = [] if report is None else report
    try:
        yield simulator
    finally:
        simulator.stack.close()
        words += stopped(simulator, 0 if report is None else 3).splitlines()
    assert report is not None or words == []


def own_id(connection: Connection) -> int:
    """The id of the session in which a client's statement runs."""
    return int(run(connection, "SELECT USERENV('SID') FROM DUAL")[0][0])


def mark_one_server(connection: Connection) -> None:
    """Kills a foreign session on one of two servers: their lists differ from now on."""
    run(connection, "START TRANSACTION")
    run(connection, kill(sorted(ids(connection, FOREIGN))[15]))
    run(connection, "COMMIT")


def ids(connection: Connection, user: str) -> set[int]:
    """The ids of a user's sessions in the list that a client reads."""
    return {int(row[0]) for row in run(connection, "SHOW PROCESSLIST") if row[1] == user}


def test_the_list_names_each_environment_once() -> None:
    lines = listed("--list-environments").stdout.splitlines()
    assert [tuple(line.split("  ")) for line in lines] == [(name, each.text) for name, each in ENVIRONMENTS.items()]
    assert [row["name"] for row in json.loads(listed("--list-environments", "--json").stdout)] == list(ENVIRONMENTS)


@pytest.mark.parametrize("each", [ENVIRONMENTS[name] for name in routes()], ids=lambda each: each.name)
def test_an_environment_serves_and_has_foreign_sessions(each: Environment) -> None:
    assert each.text.endswith(".")
    with served(each.parts(Parts())) as server:
        user = server.new_user("U1")
        clients = [server.connect(user, "u1") for _ in range(4)]
        assert all(map(works, clients))
        admin = server.connect()
        run(admin, "CREATE TABLE T (ID INT)")
        for client in (admin, server.connect()):
            run(client, "INSERT INTO T VALUES (1)")
        assert run(server.connect(), "SELECT COUNT(*) FROM T") == [(2,)]
        assert len(ids(admin, FOREIGN)) >= 30


@pytest.mark.parametrize("name", routes())
def test_a_foreign_session_that_is_killed_is_reported(name: str) -> None:
    report: list[str] = []
    with environment(name, report) as sim:
        admin = sim.connect()
        run(admin, "START TRANSACTION")  # splitters read and write on one server now
        named = sorted(ids(admin, FOREIGN))[15]  # one of a kind that both servers have
        run(admin, kill(named))
    assert report == [f"simulator: foreign session {named} was killed"]


@pytest.mark.parametrize("variant", ["scattered-ids", "falling-ids", "foreign-traffic", "behind-plain-proxy"])
@pytest.mark.parametrize("name", ["two-nodes", "splitter", "shared-connections"])
def test_a_variant_in_an_environment(name: str, variant: str) -> None:
    different = VARIANTS[variant].parts(ENVIRONMENTS[name].parts(Parts()))
    with served(different) as server:
        assert all(works(server.connect()) for _ in range(4))


def test_two_nodes_give_the_same_ids_and_show_their_own_sessions() -> None:
    with environment("two-nodes-alone") as sim:
        clients = [sim.connect() for _ in range(4)]
        assert number(clients[0]) == number(clients[1])
        assert number(clients[2]) == number(clients[3]) == number(clients[0]) + 1
        assert [ids(client, "SYS") for client in clients] == [{number(clients[0]), number(clients[2])}] * 4


def test_a_kill_on_the_other_node_ends_who_has_the_id_there() -> None:
    with environment("two-nodes-alone") as sim:
        victim, killer, mate = sim.connect(), sim.connect(), sim.connect()
        assert number(killer) == number(victim)
        other = sim.connect()
        assert number(other) == number(mate)
        run(killer, kill(mate))
        assert is_lost(other)
        assert works(mate)


def test_a_balancer_that_greets_itself() -> None:
    with environment("two-nodes-with-own-greeting") as sim:
        clients = [sim.connect() for _ in range(3)]
        assert [number(client) for client in clients] == [1, 2, 3]
        assert not {1, 2, 3} & ids(clients[0], "SYS")


def test_a_balancer_that_prefers_one_node() -> None:
    with environment("two-nodes-mostly-the-first") as sim:
        clients = [sim.connect() for _ in range(5)]
        assert [len(ids(client, "SYS")) for client in clients] == [4, 4, 4, 4, 1]


def test_distinct_ids() -> None:
    with environment("two-nodes-with-distinct-ids") as sim:
        first, second = sim.connect(), sim.connect()
        assert number(first) < 1_000_000 < number(second)
        assert code(second, kill(first)) == 600


def test_a_splitter_reads_on_one_server_and_writes_on_the_other() -> None:
    with environment("splitter") as sim:
        client = sim.connect()
        (reads,) = ids(client, "SYS")
        run(client, "/* a comment */ START TRANSACTION")
        (writes,) = ids(client, "SYS")
        run(client, "COMMIT")
        assert ids(client, "SYS") == {reads}
        assert number(client) == 1
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
        run(killer, kill(named))
        assert is_lost(victim)
        run(killer, "COMMIT")
        assert eventually(lambda: not ids(killer, "U0"))


@pytest.mark.parametrize(("name", "reads"), [("reader", True), ("writer", False)])
def test_a_splitter_that_greets_as_one_of_its_servers(name: str, reads: bool) -> None:
    with environment(f"splitter-greeting-of-the-{name}") as sim:
        client = sim.connect()
        if not reads:
            run(client, "START TRANSACTION")
        assert ids(client, "SYS") == {number(client)}


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


def test_a_shared_session_that_is_killed_is_replaced_unless_a_client_has_it() -> None:
    with environment("shared-connections") as sim:
        user = sim.new_user()
        first, second, killer = sim.connect_as(user), sim.connect_as(user), sim.connect()
        run(first, "SELECT 1 FROM DUAL")
        (idle,) = ids(killer, user)
        run(killer, kill(idle))
        assert works(first)
        run(second, "START TRANSACTION")
        (held,) = ids(killer, user)
        run(killer, kill(held))
        assert is_lost(second)
        assert works(first)


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
        mark_one_server(first)
        run(first, "START TRANSACTION")
        run(second, "START TRANSACTION")
        run(first, "COMMIT")
        run(second, "COMMIT")
        assert ids(first, FOREIGN) != ids(first, FOREIGN)


def test_statements_go_to_two_servers_in_turn() -> None:
    with environment("statements-in-turn", []) as sim:
        client = sim.connect()
        mark_one_server(client)
        first, second, again = (ids(client, FOREIGN) for _ in range(3))
        assert first == again != second
        run(client, "START TRANSACTION")
        assert ids(client, "SYS") == ids(client, "SYS")


def test_a_client_that_is_moved_has_another_id() -> None:
    with environment("moving-sessions") as sim:
        client = sim.connect()
        assert ids(client, "SYS") == {number(client)}
        assert eventually(lambda: number(client) not in ids(client, "SYS"))
        run(client, "START TRANSACTION")
        kept = ids(client, "SYS")
        assert all(ids(client, "SYS") == kept for _ in range(5))


def test_a_list_that_is_cached() -> None:
    with environment("cached-list") as sim:
        admin, client = sim.connect(), sim.connect()
        run(client, "SELECT 1 FROM DUAL")
        before = ids(admin, "SYS")
        late = sim.connect()
        assert number(late) not in before
        assert eventually(lambda: number(late) in ids(admin, "SYS"))


def test_lists_of_two_nodes() -> None:
    with environment("list-of-both-nodes") as sim:
        clients = [sim.connect() for _ in range(4)]
        shown = [int(row[0]) for row in run(clients[0], "SHOW PROCESSLIST") if row[1] == "SYS"]
        assert sorted(shown) == sorted(map(number, clients))
    with environment("list-of-the-first-node") as sim:
        first, second = sim.connect(), sim.connect()
        assert ids(second, "SYS") == {number(first)}


def test_users_get_one_of_two_servers_each() -> None:
    with environment("two-nodes-by-user") as sim:
        admin = sim.connect()
        users = [sim.new_user("SHOW PROCESS") for _ in range(6)]
        beside = [bool(ids(sim.connect_as(user), "SYS")) for user in users]
        assert set(beside) == {True, False}
        assert [bool(ids(sim.connect_as(user), "SYS")) for user in users] == beside
        assert works(admin)


def test_a_server_that_crashes_keeps_its_port_its_users_and_what_was_committed() -> None:
    with served(ENVIRONMENTS["crashes-at-the-first-kill"].parts(Parts())) as server:
        user = server.new_user("U1")
        admin, changing = server.connect(), server.connect()
        run(admin, "CREATE TABLE T (ID INT)")
        run(admin, "INSERT INTO T VALUES (1)")
        run(changing, "START TRANSACTION")
        run(changing, "INSERT INTO T VALUES (2)")
        with pytest.raises(pymysql.OperationalError, match="Lost connection"):
            run(admin, kill(changing))
        assert is_lost(changing)
        assert eventually(lambda: reconnected(server, user))
        assert run(server.connect(), "SELECT ID FROM T") == [(1,)]


def reconnected(server: Served, user: str) -> bool:
    """Whether a user can log in."""
    try:
        return works(server.connect(user, "u1"))
    except pymysql.OperationalError:
        return False
