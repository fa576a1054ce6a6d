"""ODP, OceanBase's proxy, in front of the server: its two modes, which number sessions in different ways.

Here it is a part of the server's program: a client's connection behaves as one through ODP does. The modes are named by
ODP's setting ``client_session_id_version``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runner.simulator import errors
from runner.simulator.connection import Connection
from runner.simulator.entrance import Entrance
from runner.simulator.execute.results import Rows, cell
from runner.simulator.sessions import Session, SessionIds
from runner.simulator.settings import TENANT
from runner.simulator.wire import TYPE_BIGINT, Column

if TYPE_CHECKING:
    from runner.simulator.execute.results import Result
    from runner.simulator.values import Value

CLUSTER = "simulator"
VERSION = "5.6.25"
"""What ODP's greeting says, whatever the server's version."""

_COMMENT = re.compile(r"/\*.*?\*/|--[^\n]*", re.DOTALL)
_LIST = re.compile(r"\s*show\s+(?:full\s+)?processlist\s*;?\s*", re.IGNORECASE)
_ODPS_NUMBER = 2 << 18
_COUNTED = (1 << 17) - 1
_THREAD = 7


class OdpsPort(Entrance):
    """Clients connect to ODP, which chooses the server by tenant and cluster."""

    def login(self, user: str) -> str:
        """With the cluster, which only ODP knows."""
        return f"{super().login(user)}#{CLUSTER}"


class ThroughOdp(Connection):
    """A client's connection through ODP, in either mode."""

    def _version(self) -> str:
        return VERSION

    def _tenant(self, named: str) -> str:
        """ODP takes the cluster off, and has a default one."""
        tenant, _, cluster = named.partition("#")
        if cluster not in ("", CLUSTER):
            raise errors.no_such_cluster()
        return tenant

    @property
    def _answers_own_kill(self) -> bool:
        """ODP closes the client's connection; the server's answer, an error 4401, stays with it."""
        return False

    def disconnect(self, last_word: errors.SqlError | None) -> None:
        """An idle client learns of it by its next request only: ODP's connection to the server is another one."""
        if last_word is not None:
            super().disconnect(last_word)

    async def _command(self, session: Session, command: int, body: bytes) -> None:
        if session.ended:
            raise errors.SessionEndedError
        await super()._command(session, command, body)


class ClientIds(SessionIds):
    """Version 2: ODP numbers its clients' sessions for all servers, with the two highest bits clear."""

    def __init__(self) -> None:
        super().__init__()
        self._count = 0

    def new(self) -> int:
        """ODP's own number, then a running one."""
        self._count = self._count % _COUNTED + 1
        return _ODPS_NUMBER | self._count


class NumbersOfOdp(SessionIds):
    """Version 1: the greeting has ODP's own number of a client; the server has an id that no client ever sees."""

    def __init__(self) -> None:
        super().__init__()
        self._count = 0
        self.shown: dict[int, int] = {}

    def in_greeting(self, number: int) -> int:
        """One more than the last client's."""
        self._count += 1
        self.shown[number] = self._count
        return self._count


class AnswersTheList(ThroughOdp):
    """Version 1: SHOW PROCESSLIST is answered by ODP, with its own numbers and columns; the rest by the server."""

    _COLUMNS = (
        Column("Id", TYPE_BIGINT),
        *(Column(label) for label in ("Tenant", "User", "Host", "db")),
        Column("trans_count", TYPE_BIGINT),
        Column("svr_session_count", TYPE_BIGINT),
        Column("state"),
        Column("tid", TYPE_BIGINT),
        Column("pid", TYPE_BIGINT),
    )

    async def _answer(self, session: Session, text: str) -> Result:
        asked = _COMMENT.sub(" ", text)
        return self._own_list(session) if _LIST.fullmatch(asked) else await super()._answer(session, text)

    def _own_list(self, asker: Session) -> Rows:
        """The clients of this ODP: all for the administrator, else those of the same user."""
        instance = self._instance
        seen = [each for each in instance.registry if asker.user.administrator or each.user is asker.user]
        return Rows(self._COLUMNS, tuple(tuple(map(cell, self._row(each))) for each in seen))

    def _row(self, session: Session) -> tuple[Value, ...]:
        ids = self._instance.ids
        shown = ids.shown[session.number] if isinstance(ids, NumbersOfOdp) else session.number
        state = "MCS_ACTIVE_READER"
        return (shown, TENANT, session.user.name, session.host, session.schema, 0, 1, state, _THREAD, _THREAD)
