"""The kinds of YAML files, detected by their top-level keys, so that a broken file is detected, too."""

from __future__ import annotations

import enum
import re
from pathlib import Path

from runner.language.schemas import known_keys


class Kind(enum.Enum):
    """The kinds of YAML files that users write, with their schemas; the first one is the default."""

    CASES = "case-format.schema.json"
    REGISTER = "register.schema.json"
    PROFILE = "profile.schema.json"
    KNOWN_DEVIATIONS = "known-deviations.schema.json"
    ACCOUNTS = "accounts.schema.json"

    @property
    def title(self) -> str:
        """The name of the kind in messages."""
        return {"CASES": "case file"}.get(self.name, self.name.lower().replace("_", " "))


def file_kind_of(path: Path) -> Kind:
    """The kind whose schema has most of the file's keys; the default for a file that can't be read."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return Kind.CASES
    keys = set(re.findall(r"^([a-z_]+)[ \t]*:", text, re.MULTILINE))
    return max(Kind, key=lambda kind: len(keys & known_keys(kind.value)))
