"""Names for what the suite creates on a server: recognisable, dated, and never the same twice."""

from __future__ import annotations

import itertools
import re
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

PREFIX = "KSC_"
"""Every user, role and table of the suite starts with it, on every server and in every version."""

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_SECONDS = 6  # base-36 digits that hold a Unix time until 2038
_MAKER = 5
_SHAPE = re.compile(rf"{PREFIX}([0-9A-Z]{{{_SECONDS}}})([0-9A-Z]{{{_MAKER}}})_[0-9]+")
_FIRST = 1_735_689_600  # 2025-01-01: the suite is not older, so an earlier time is some other word


def new_maker() -> str:
    """A random mark (of 36^5) that keeps workers and runs apart that make names in the same second."""
    return _base36(secrets.randbelow(36**_MAKER)).rjust(_MAKER, "0")


@dataclass(frozen=True)
class Names:
    """Makes names ``KSC_<time><maker>_<number>``, where the time is now, not when the run began.

    What a name stands for is removed with its case, or serves later ones for ten minutes. So its age alone tells a
    leftover from what a run that takes hours is using. No name begins with another one: numbers have the same length,
    or the time differs. Names stay within 30 bytes, the shortest limit among the servers in view.
    """

    maker: str = field(default_factory=new_maker)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1), repr=False)

    def new(self) -> str:
        """The next name."""
        now = _base36(int(time.time())).rjust(_SECONDS, "0")
        return f"{PREFIX}{now}{self.maker}_{next(self._numbers):04}"

    def extended(self, name: str) -> str:
        """A name that begins with one of ours; as many digits behind it as no number has by itself."""
        return f"{name}{next(self._numbers):05}"


def born(name: str) -> int | None:
    """The Unix time at which a name was made, or None if the suite didn't make it."""
    parts = _parts(name)
    return None if parts is None else int(parts[1], 36)


def maker_of(name: str) -> str | None:
    """The mark of who made a name, or None if the suite didn't make it."""
    parts = _parts(name)
    return None if parts is None else parts[2]


def _parts(name: str) -> re.Match[str] | None:
    # Servers fold names to one letter case, this one or the other; mixed ones are somebody's own.
    match = _SHAPE.fullmatch(name.upper() if name.islower() else name)
    return match if match is not None and int(match[1], 36) >= _FIRST else None


def new_password() -> str:
    """A password for tenants with rules: two capitals, small letters, digits and special characters at least.

    Its special characters mean nothing between quotes of either kind, in a DSN's file or in YAML.
    """
    return f"Kc{secrets.token_hex(8)}#90_Qz"


def new_plain_password() -> str:
    """A password that needs no quotes: a letter first, lower case (unquoted text may be folded), digits."""
    return "p" + secrets.token_hex(8)


_PASSWORD = re.compile(r"\b(?:p[0-9a-f]{16}\b|Kc[0-9a-f]{16}#90_Qz)", re.IGNORECASE)


def without_passwords(text: str) -> str:
    """A text in which every password that the suite has made is replaced: texts go to screens, records and reports."""
    return _PASSWORD.sub("<password>", text)


def _base36(number: int) -> str:
    text = ""
    while number:
        number, digit = divmod(number, 36)
        text = _DIGITS[digit] + text
    return text or "0"
