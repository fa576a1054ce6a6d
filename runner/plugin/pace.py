"""The number of cases at a time: as many as the server accepts and this machine can serve, or one.

More than eight cases at a time are run only if they wait for the server, and if this process is fast enough, which is
measured by the length of short sleeps: with a fast server, more threads only compete for the interpreter.

- A login that is rejected because of too many connections halves the number; so does a reply to a statement under test
  that arrives after its limit: the server works off a queue.
- Cases are run one at a time if one in ten has lost a session for another reason than its own statement, or once the
  target was unusable. A single loss, as by a firewall, does not make the run longer.
"""

from __future__ import annotations

import time

_FEW = 8  # cases at a time for which every machine is fast enough
_SLEEP = 0.005  # seconds
_DELAY = 0.003  # seconds; a sleep is longer by more than this if threads wait for the interpreter or a processor
_WAITED = 0.5  # seconds more than expected: the case waited for the server
_MANY_LOSSES = 8  # cases that lost a session
_CASES_PER_LOSS = 10  # with more losses than one in so many cases, cases are run one at a time


class Pace:
    """The number of cases at a time of one process. The caller has a lock, except for ``can_rise``.

    Args:
        limit: the number at most.

    Attributes:
        current: the number now.
        connection_room: the number for which the server accepted connections, if it was less than the limit.
    """

    def __init__(self, limit: int) -> None:
        self.current = min(limit, _FEW)
        self.connection_room: int | None = None
        self._limit = limit
        self._attempts = self._losses = 0
        """The cases that ran beside other cases, and those that lost a session for a reason that is not known."""
        self._was_unusable = False

    def can_rise(self, seconds: float, expected: float) -> bool:
        """Whether a case has waited for the server, and this process is fast enough for more cases; sleeps briefly.

        Args:
            seconds: the duration of the case.
            expected: its duration without a wait for the server.
        """
        if self._limit <= _FEW or seconds <= expected + _WAITED:
            return False
        start = time.monotonic()
        time.sleep(_SLEEP)
        return time.monotonic() - start < _SLEEP + _DELAY

    def adjust(self, *, rise: bool) -> None:
        """Adjusts the number after the end of a case."""
        many_losses = self._losses >= max(_MANY_LOSSES, self._attempts / _CASES_PER_LOSS)
        most = 1 if self._was_unusable or many_losses else self._limit
        self.current = min(most, self.current + 1 if rise else max(_FEW, self.current - 1))

    def note_attempt(self, *, lost: bool, unusable: bool) -> None:
        """Notes whether a case beside others lost a session, and whether the target was unusable afterwards."""
        self._attempts += 1
        self._losses += lost
        self._was_unusable |= unusable

    def note_explained_loss(self) -> None:
        """Notes that a case has lost its session by its own statement, and not by another case."""
        self._losses -= 1

    def note_late_reply(self) -> None:
        """Notes that a reply to a statement under test was received after its limit."""
        if self._limit > 1:
            self._limit = max(1, min(self._limit, self.current) // 2)

    def note_full(self, in_flight: int) -> bool:
        """Notes that a login was rejected because of too many connections, with so many other cases in flight.

        Returns:
            Whether fewer cases are run at a time from now on, so that the case can be run again.
        """
        if self._limit == 1:
            return False
        self._limit = self.connection_room = max(1, min(self._limit, in_flight + 1) // 2)
        return True
