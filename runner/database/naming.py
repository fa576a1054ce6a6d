"""Names for what the suite creates on a server: recognisable, dated, and never the same twice."""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

PREFIX = "KSC_"
"""Every user, role and table of the suite starts with it, on every server and in every version."""

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_SECONDS = 6  # base-36 digits that hold a Unix time until 2038


@dataclass(frozen=True)
class Names:
    """Makes names ``KSC_<time><random>_<number>``: the time lets a later run tell how old a leftover is.

    The random part (36^5) keeps workers and runs that start in the same second apart. Names stay within 30 bytes, the
    shortest limit among the servers in view.
    """

    run: str = field(
        default_factory=lambda: (
            _base36(int(time.time())).rjust(_SECONDS, "0") + _base36(secrets.randbelow(36**5)).rjust(5, "0")
        )
    )
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1), repr=False)

    @property
    def prefix(self) -> str:
        """What all names of this run start with."""
        return f"{PREFIX}{self.run}_"

    def new(self) -> str:
        """The next name."""
        return f"{self.prefix}{next(self._numbers)}"


def born(name: str) -> int | None:
    """The Unix time at which the run began that made a name, or None if the suite didn't make it."""
    stamp = name.upper().removeprefix(PREFIX)[:_SECONDS]
    if not name.upper().startswith(PREFIX) or len(stamp) < _SECONDS or any(char not in _DIGITS for char in stamp):
        return None
    return int(stamp, 36)


def new_password() -> str:
    """A password that needs no quotes: a letter first, lower case (unquoted text may be folded), digits."""
    return "p" + secrets.token_hex(8)


def _base36(number: int) -> str:
    text = ""
    while number:
        number, digit = divmod(number, 36)
        text = _DIGITS[digit] + text
    return text or "0"
