"""Conforming variants of session ids, and other types of the column ID."""

# ruff: noqa: ARG002, D102 - overrides of steps, which are documented in the base class

from __future__ import annotations

import random
import time

from runner.simulator.catalogue import variant
from runner.simulator.execute.process_list import ProcessList
from runner.simulator.sessions import SessionIds
from runner.simulator.users_and_roles import User
from runner.simulator.wire import TYPE_BIGINT, TYPE_DECIMAL, TYPE_TEXT

REUSE_SECONDS = 1.0
THIRTY_ONE_BITS = 31


@variant
class SmallIds(SessionIds):
    """Ids are 1, 2, 3 and so on."""

    def __init__(self) -> None:
        super().__init__()
        self.last = 0

    def allocate(self) -> int:
        self.last += 1
        return self.last


@variant
class SmallIdsReused(SessionIds):
    """A new session gets the lowest free number that was not in use within the last second."""

    reuse_after: float = REUSE_SECONDS

    def __init__(self) -> None:
        super().__init__()
        self.taken: set[int] = set()
        self.resting: dict[int, float] = {}

    def allocate(self) -> int:
        now = time.monotonic()
        self.resting = {number: until for number, until in self.resting.items() if until > now}
        number = 1
        while number in self.taken or number in self.resting:
            number += 1
        self.taken.add(number)
        return number

    def release(self, user: User | None, number: int) -> None:
        self.taken.discard(number)
        self.resting[number] = time.monotonic() + self.reuse_after


@variant
class ScatteredIds(SessionIds):
    """Ids are random numbers of 31 bits, as behind a proxy."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: set[int] = set()

    def allocate(self) -> int:
        number = 0
        while number in self.taken or not number:
            number = random.getrandbits(THIRTY_ONE_BITS)
        self.taken.add(number)
        return number


@variant
class FallingIds(SessionIds):
    """Every id is lower than the one before."""

    def __init__(self) -> None:
        super().__init__()
        self.last = 3_000_000_000

    def allocate(self) -> int:
        self.last -= 3
        return self.last


@variant
class ThreadIdDiffers(SessionIds):
    """The handshake contains another number than the session's id."""

    def __init__(self) -> None:
        super().__init__()
        self.greeted = 0

    def greeting_id(self, number: int) -> int:
        self.greeted += 1
        return self.greeted


@variant
class IdsAsDecimal(ProcessList):
    """The ids of the process list have the type decimal."""

    def id_type(self) -> int:
        return TYPE_DECIMAL


@variant
class IdsAsBigint(ProcessList):
    """The ids of the process list have the type bigint."""

    def id_type(self) -> int:
        return TYPE_BIGINT


@variant
class IdsAsText(ProcessList):
    """The ids of the process list have the type text."""

    def id_type(self) -> int:
        return TYPE_TEXT
