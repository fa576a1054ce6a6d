"""The passwords that the suite creates for users on a server, and their removal from texts that are shown or saved."""

from __future__ import annotations

import re
import secrets

_PASSWORD = re.compile(r"\b(?:p[0-9a-f]{16}\b|Kc[0-9a-f]{16}#90_Qz)", re.IGNORECASE)


def new_password() -> str:
    """A password for tenants with rules: at least two capitals, small letters, digits and special characters.

    Its special characters mean nothing between quotes of either kind, in a DSN's file or in YAML.
    """
    return f"Kc{secrets.token_hex(8)}#90_Qz"


def new_plain_password() -> str:
    """A password that needs no quotes: a letter first, lower case (unquoted text may be folded), digits."""
    return "p" + secrets.token_hex(8)


def without_passwords(text: str) -> str:
    """A text in which every password that the suite has made is replaced: texts go to screens, records and reports."""
    return _PASSWORD.sub("<password>", text)
