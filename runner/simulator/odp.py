"""ODP, OceanBase's proxy, in front of the server, in its two modes with different session ids.

It runs inside the server: a client's connection behaves like one through ODP. The modes are the two values of
ODP's setting ``client_session_id_version``.
"""

from __future__ import annotations

import re

from runner.simulator import errors
from runner.simulator.connection import Connection
from runner.simulator.execute.results import Result, Rows, cell
from runner.simulator.listener import Listener
from runner.simulator.sessions import Session, SessionIds
from runner.simulator.settings import TENANT
from runner.simulator.values import Value
from runner.simulator.wire import TYPE_BIGINT, Column

CLUSTER = "simulator"
VERSION = "5.6.25"
"""The version in ODP's greeting, regardless of the server's version."""

_COMMENT = re.compile(r"/\*.*?\*/|--[^\n]*", re.DOTALL)
_LIST = re.compile(r"\s*show\s+(?:full\s+)?processlist\s*;?\s*", re.IGNORECASE)
_ODPS_NUMBER = 2 << 18
_COUNTED = (1 << 17) - 1
_THREAD = 7


class OdpListener(Listener):
    """Clients connect to ODP; the login names the cluster, too."""

    def login_name(self, user: str) -> str:
        """With tenant and cluster."""
        return f"{super().login_name(user)}#{CLUSTER}"


class OdpConnection(Connection):
    """A client's connection through ODP, in both modes."""

    def _version(self) -> str:
        return VERSION

    def _tenant(self, named: str) -> str:
        """ODP removes the cluster, which is optional."""
        tenant, _, cluster = named.partition("#")
        if cluster not in ("", CLUSTER):
            raise errors.no_such_cluster()
        return tenant

    @property
    def _own_kill_gets_reply(self) -> bool:
        """No: ODP closes the client's connection, and does not pass on the server's reply, error 4401."""
        return False

    def disconnect(self, error: errors.SqlError | None) -> None:
        """Nothing happens to an idle client before its next request: the server closes only its connection to ODP."""
        if error is not None:
            super().disconnect(error)

    async def _run_command(self, session: Session, command: int, body: bytes) -> None:
        if session.ended:
            raise errors.SessionEndedError
        await super()._run_command(session, command, body)


class OdpSessionIds(SessionIds):
    """Version 2: ODP creates the session ids for all servers, with the two highest bits 0."""

    def __init__(self) -> None:
        super().__init__()
        self._count = 0

    def allocate(self) -> int:
        """ODP's own number in the high bits, then a running number."""
        self._count = self._count % _COUNTED + 1
        return _ODPS_NUMBER | self._count


class OdpGreetingIds(SessionIds):
    """Version 1: the greeting contains ODP's number for the client; the server's id is not shown to clients."""

    def __init__(self) -> None:
        super().__init__()
        self._count = 0
        self.shown: dict[int, int] = {}

    def greeting_id(self, number: int) -> int:
        """The number of the previous client plus 1."""
        self._count += 1
        self.shown[number] = self._count
        return self._count


class OdpListConnection(OdpConnection):
    """Version 1: ODP replies to SHOW PROCESSLIST itself, with its own numbers and columns."""

    _COLUMNS = (
        Column("Id", TYPE_BIGINT),
        *(Column(label) for label in ("Tenant", "User", "Host", "db")),
        Column("trans_count", TYPE_BIGINT),
        Column("svr_session_count", TYPE_BIGINT),
        Column("state"),
        Column("tid", TYPE_BIGINT),
        Column("pid", TYPE_BIGINT),
    )

    async def _execute_text(self, session: Session, text: str) -> Result:
        asked = _COMMENT.sub(" ", text)
        return self._own_list(session) if _LIST.fullmatch(asked) else await super()._execute_text(session, text)

    def _own_list(self, viewer: Session) -> Rows:
        """The clients of this ODP: for the administrator all, for other users those of the same user."""
        instance = self._instance
        seen = [each for each in instance.registry if viewer.user.administrator or each.user is viewer.user]
        return Rows(self._COLUMNS, tuple(tuple(map(cell, self._row(each))) for each in seen))

    def _row(self, session: Session) -> tuple[Value, ...]:
        ids = self._instance.ids
        shown = ids.shown[session.number] if isinstance(ids, OdpGreetingIds) else session.number
        state = "MCS_ACTIVE_READER"
        return (shown, TENANT, session.user.name, session.host, session.schema, 0, 1, state, _THREAD, _THREAD)
