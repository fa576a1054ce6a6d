"""Checks whether the server whose process list was read is the one that will run a session's statement.

Behind a load balancer, each connection may lead to another server. A proxy that splits reads from writes reads the
process list on one server and runs the statement on another, where the same id may belong to another client. Therefore
two process lists are compared: the administrator's, and one read on the connection that will send the statement.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from runner.database.administrator_session import TargetError
from runner.database.process_list import ProcessList, Row
from runner.execution.case_errors import InconclusiveError
from runner.execution.case_session import CaseSession, others_of_same_user
from runner.execution.case_sessions import CaseSessions
from runner.execution.session_ids import OwnProcessList, read_own_process_list

_LISTS = 2  # process lists to read on a connection that may lead to several servers


@dataclass(frozen=True)
class ProcessLists:
    """The process lists that were read immediately before a guarded statement.

    Attributes:
        administrators_list: the process list of the administrator's session.
        complete: whether it shows the sessions of all users.
        own: the process lists read on the connection that will send the statement; empty if that is closed or waits for
            a reply, or if the administrator's process list shows that connection.
    """

    administrators_list: ProcessList
    complete: bool
    own: tuple[OwnProcessList, ...] = ()

    @property
    def all(self) -> list[ProcessList]:
        """All process lists."""
        return [self.administrators_list, *(own.process_list for own in self.own)]


def sender_on_other_server(sender: CaseSession, lists: ProcessLists, sessions: CaseSessions) -> str | None:
    """Why another server than the one whose process list was read may run the sender's statement; None if none may.

    Raises:
        InconclusiveError: the sender's id is unknown.
    """
    if not lists.own:
        return None  # its connection is closed or busy, or the administrator's process list shows it
    if sender.id is None:
        # Reading the process list again doesn't help.
        raise InconclusiveError(f"not sent: the id of {sender.name}, the sender, is unknown: {sender.no_id_reason}")
    for own in lists.own:
        if own.marked_ids and sender.id not in own.marked_ids:
            return _stop(sender, own.marked_ids, sessions)
        process_list = lists.administrators_list if lists.complete or sender.account.administrator else own.process_list
        rows, own_rows = _rows_of(sender, process_list), _rows_of(sender, own.process_list)
        if not rows:
            return (
                f"the process list doesn't show {sender.name}, the sender of the statement (id {sender.id}, user "
                f"{sender.account.user}): it may be the list of another server, as behind a load balancer"
            )
        if (doubt := _differ(sender, rows, own_rows)) is not None:
            return doubt
    return None


def named_on_other_server(
    sender: CaseSession, lists: ProcessLists, sessions: CaseSessions, named: Collection[str]
) -> str | None:
    """The reason why a named session may be on another server: a process list lacks it, though it was not killed."""
    for session in (sessions.by_name[name] for name in sorted(named)):
        if (
            session is sender
            or session.id is None
            or session.name in sessions.history.named
            or not session.is_connected
        ):
            continue
        rows = _rows_of(session, lists.administrators_list)
        if not rows and (lists.complete or session.account.administrator):
            return f"the process list doesn't show {session.name} (id {session.id}, user {session.account.user})"
        for own in lists.own:
            own_rows = _rows_of(session, own.process_list)
            if not own_rows and (session.account is sender.account or sender.account.administrator):
                return (
                    f"the process list read by {sender.name} doesn't show {session.name} (id {session.id}, user "
                    f"{session.account.user}): they may be connected to different servers"
                )
            if (doubt := _differ(session, rows, own_rows)) is not None:
                return doubt
            if not rows and not own_rows and not (is_direct(sender, own.process_list) and is_direct(session, None)):
                return (
                    f"neither the administrator's nor {sender.name}'s process list shows {session.name}, and the "
                    "connections may lead to different servers: grant the administrator the right to see all sessions"
                )
    return None


def raise_if_moved(session: CaseSession, sessions: CaseSessions) -> None:
    """Checks whether the connection of a session leads to another session of the server, or to another server.

    A killed session without a row may still reply because a proxy has moved its connection. A proxy that sends
    statements to its servers in turn may have sent a statement to another server than the process lists before it.

    Raises:
        InconclusiveError: its id has changed; no further guarded statement is sent.
    """
    for _ in range(_LISTS):
        try:
            read = read_own_process_list(sessions.target, session.required_client)
        except TargetError:
            return
        others = {other.id for other in others_of_same_user(session, sessions.by_name.values())}
        now = (
            read.marked_ids
            or {row.id for row in read.process_list.of_user(session.account.user) if session.account.exclusive} - others
        )
        if now and session.id not in now:
            raise InconclusiveError(_stop(session, now, sessions))


def _stop(session: CaseSession, now: Collection[str], sessions: CaseSessions) -> str:
    sessions.target.stop_guarded_statements(
        f"the process list showed {session.name} with the id {session.id} and now shows the id "
        f"{', '.join(sorted(now))}: a proxy may share server sessions among connections, or read the list "
        "from another server. Use the address of one server, or of a proxy without connection sharing, in the DSN"
    )
    return sessions.target.stop_reason


def read_own_process_lists(
    sender: CaseSession, sessions: CaseSessions, administrators_list: ProcessList, *, complete: bool
) -> tuple[OwnProcessList, ...]:
    """Reads process lists on the connection of a sender that is connected and idle.

    None is read if the administrator's process list shows that connection, because reading one there would put
    another statement between a COMMIT or an error and the statement under test. Two are read if the connection may lead
    to several servers: a proxy that sends statements to its servers in turn returns the lists of two servers.

    Raises:
        TargetError: the session receives no process list.
    """
    if complete and is_direct(sender, administrators_list):
        return ()
    tied = sender.id is not None and sender.required_client.handshake_id_is(sender.id)
    return tuple(read_own_process_list(sessions.target, sender.required_client) for _ in range(1 if tied else _LISTS))


def other_server(reader: CaseSession, process_list: ProcessList, expected: Collection[CaseSession]) -> str | None:
    """The reason why a process list that lacks a row may be another server's; None if it can't be.

    Args:
        reader: the session that read the process list.
        process_list: the process list.
        expected: the sessions that it has to show.
    """
    missing = [session for session in expected if not _rows_of(session, process_list)]
    seen = None if reader in missing else process_list
    if not missing or (is_direct(reader, seen) and all(is_direct(session, None) for session in missing)):
        return None
    names = " and ".join(session.name for session in missing)
    return f"the process list read by {reader.name} doesn't show {names}: they may be connected to different servers"


def _rows_of(session: CaseSession, process_list: ProcessList) -> list[Row]:
    return [row for row in process_list.of_user(session.account.user) if row.id == session.id]


def _differ(session: CaseSession, rows: Collection[Row], others: Collection[Row]) -> str | None:
    """The reason why two process lists show different sessions under one id: their client addresses differ; or None."""
    hosts, other_hosts = {row.get("host") for row in rows}, {row.get("host") for row in others}
    if not hosts or not other_hosts or hosts & other_hosts:
        return None
    return (
        f"two process lists show different connections with the id {session.id} of {session.name}: they may come from "
        "two servers"
    )


def is_direct(session: CaseSession, process_list: ProcessList | None) -> bool:
    """Whether a connection leads directly to the server, by its thread id and, with a process list, its HOST."""
    client = session.client
    if client is None or session.id is None or not client.handshake_id_is(session.id):
        return False
    return process_list is None or any(
        row.get("host") == client.local_address for row in _rows_of(session, process_list)
    )
