"""Waits for replies that come after their time limit, as from a server that executes statements one by one.

A server that kills one session at a time needs long for the statements of several cases in flight, and has to be done
with them before a case can be run alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from runner.database.session import Session
from runner.database.time_limits import SHORT_LIMIT, Poll

_LONGEST = 30.0  # seconds to wait for the replies
_QUEUE = 2  # statements without a reply at the same time: fewer are no queue


class LateReplies:
    """The sessions whose statement had no reply when their case ended; thread-safe.

    Attributes:
        any_received: whether a late reply was received.
    """

    def __init__(self) -> None:
        self._waiting: list[Session] = []
        self._overdue: list[Session] = []
        """Those of them whose statement was sent long ago: a case may also end for another reason, soon after it."""
        self._lock = threading.Lock()
        self._vain = False
        """Whether the last wait ended without a reply: then none is waited for, as on a server that hangs."""
        self.any_received = False

    def keep(self, session: Session) -> None:
        """Keeps the connection of a session, whose statement is in flight, open until its reply is received."""
        if self._vain:
            session.close()
            return
        with self._lock:
            self._waiting.append(session)
            if session.idle >= SHORT_LIMIT:
                self._overdue.append(session)

    def check(self) -> bool:
        """Whether a late reply has been received since the last check. Sends nothing, and doesn't wait."""
        with self._lock:
            over = [each for each in self._waiting if each.has_reply or each.check_connection() is not None]
            self._waiting = [each for each in self._waiting if each not in over]
            received = any(each.has_reply for each in over if each in self._overdue)
            self._overdue = [each for each in self._overdue if each not in over]
            for session in over:
                session.close()
        self.any_received |= received
        return received

    def wait(self, is_over: Callable[[], bool]) -> None:
        """Waits until no reply is outstanding, half a minute at most; then closes the connections.

        Args:
            is_over: whether the run ends now.
        """
        received = self.check()
        if self.any_received or len(self._waiting) >= _QUEUE:
            poll = Poll(_LONGEST)
            while self._waiting and not is_over() and poll.again():
                received |= self.check()
            self._vain = bool(self._waiting) and not received
        with self._lock:
            left, self._waiting, self._overdue = self._waiting, [], []
        for session in left:
            session.close()
