"""Other ids, and other ways to show them."""

# ruff: noqa: ARG002, D102 - overriding one step of many, each explained where the honest one stands

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from runner.simulator.catalogue import lawful
from runner.simulator.execute.processlist import ProcessList
from runner.simulator.sessions import SessionIds
from runner.simulator.wire import TYPE_BIGINT, TYPE_DECIMAL, TYPE_TEXT

if TYPE_CHECKING:
    from runner.simulator.accounts import User

REST_SECONDS = 1.0
THIRTY_ONE_BITS = 31


@lawful
class SmallIds(SessionIds):
    """Ids are 1, 2, 3 and so on."""

    def __init__(self) -> None:
        super().__init__()
        self.last = 0

    def new(self) -> int:
        self.last += 1
        return self.last


@lawful
class SmallIdsReused(SessionIds):
    """A new session gets the lowest free number that was not in use within the last second."""

    rest: float = REST_SECONDS

    def __init__(self) -> None:
        super().__init__()
        self.taken: set[int] = set()
        self.resting: dict[int, float] = {}

    def new(self) -> int:
        now = time.monotonic()
        self.resting = {number: until for number, until in self.resting.items() if until > now}
        number = 1
        while number in self.taken or number in self.resting:
            number += 1
        self.taken.add(number)
        return number

    def give_back(self, user: User | None, number: int) -> None:
        self.taken.discard(number)
        self.resting[number] = time.monotonic() + self.rest


@lawful
class ScatteredIds(SessionIds):
    """Ids are random numbers of 31 bits, as behind a proxy."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: set[int] = set()

    def new(self) -> int:
        number = 0
        while number in self.taken or not number:
            number = random.getrandbits(THIRTY_ONE_BITS)
        self.taken.add(number)
        return number


@lawful
class FallingIds(SessionIds):
    """Every id is lower than the one before."""

    def __init__(self) -> None:
        super().__init__()
        self.last = 3_000_000_000

    def new(self) -> int:
        self.last -= 3
        return self.last


@lawful
class ThreadIdDiffers(SessionIds):
    """The handshake contains another number than the session's id."""

    def __init__(self) -> None:
        super().__init__()
        self.greeted = 0

    def in_greeting(self, number: int) -> int:
        self.greeted += 1
        return self.greeted


@lawful
class IdsAsDecimal(ProcessList):
    """The ids of the process list have the type decimal."""

    def id_type(self) -> int:
        return TYPE_DECIMAL


@lawful
class IdsAsBigint(ProcessList):
    """The ids of the process list have the type bigint."""

    def id_type(self) -> int:
        return TYPE_BIGINT


@lawful
class IdsAsText(ProcessList):
    """The ids of the process list have the type text."""

    def id_type(self) -> int:
        return TYPE_TEXT
