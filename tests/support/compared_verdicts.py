"""Comparison of the verdicts of two records."""

from __future__ import annotations

from typing import Any


def not_sent_by_guard(row: dict[str, Any]) -> bool:
    """Whether the guard rejected an unusually written id, because it could be read as a session's id.

    That is chance where ids are small: '0001180' is 9 in octal up to its 8, and may be another worker's administrator.
    """
    return (row["requirement"], row["reason"].partition(", ")[2]) == ("OBS-1", "which is not a session of this case")


def differing(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """The cases of which two records have different verdicts, except those that the guard rejected in one of them."""
    rows = [{row["name"]: row for row in record["results"]} for record in (one, other)]
    names = list(dict.fromkeys([*rows[0], *rows[1]]))
    pairs = {name: [each[name] for each in rows if name in each] for name in names}
    return [
        name
        for name, pair in pairs.items()
        if (len(pair) == 1 or pair[0]["verdict"] != pair[1]["verdict"]) and not any(map(not_sent_by_guard, pair))
    ]
