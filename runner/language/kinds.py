"""Which kind of file somebody has written: told by the keys at its top, so that a broken file is told, too."""

from __future__ import annotations

import enum
import re
from pathlib import Path

from runner.language.yamlfile import known_keys


class Kind(enum.Enum):
    """The kinds of YAML files that people write, by their schemas; the first one is meant where nothing tells."""

    CASES = "case-format.schema.json"
    REGISTER = "register.schema.json"
    PROFILE = "profile.schema.json"
    KNOWN_DEVIATIONS = "known-deviations.schema.json"
    ACCOUNTS = "accounts.schema.json"

    @property
    def title(self) -> str:
        """What people call it."""
        return {"CASES": "case file"}.get(self.name, self.name.lower().replace("_", " "))


def kind_of(path: Path) -> Kind:
    """The kind that knows most of a file's keys; a file that can't be read is left to whoever reads it."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return Kind.CASES
    keys = set(re.findall(r"^([a-z_]+)[ \t]*:", text, re.MULTILINE))
    return max(Kind, key=lambda kind: len(keys & known_keys(kind.value)))
