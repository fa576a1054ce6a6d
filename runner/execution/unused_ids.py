"""Finds numbers that are no session's id, for statements about an unknown session."""

from __future__ import annotations

from collections.abc import Mapping

from runner.database.process_list import ProcessList
from runner.execution.case_sessions import CaseSession

_DISTANCE = 1000
_HIDDEN = range(0b11 << 30, 1 << 32)
"""The ids that OceanBase gives to connections from a proxy; its process list shows the ids of the clients instead."""
_HIDDEN_BIT = 1 << 30
"""Without this bit, a hidden id is a number that the process list would show if it were an id."""


def unused_id(start: int, process_list: ProcessList, own: Mapping[str, CaseSession]) -> int:
    """The first number from ``start`` on that is not near the id of a session: new sessions usually have the next ids.

    Ids that OceanBase's process list hides are replaced by unused numbers of the same size.
    """
    taken = {row.number for row in process_list.rows if row.number is not None}
    taken |= {int(session.id) for session in own.values() if session.id is not None}
    if start == 0 and 0 not in taken:
        return 0  # no login ever gets this id, even if the next ids are used
    # An id without such a bit is that of a proxy's client: the id of the proxy's connection is hidden.
    hides = any(row.number is not None and row.number < _HIDDEN.start >> 1 for row in process_list.rows)
    number = start
    while True:
        if hides and number in _HIDDEN:
            number -= _HIDDEN_BIT
        near = [other for other in taken if abs(number - other) < _DISTANCE]
        if not near:
            return number
        number = max(near) + _DISTANCE
