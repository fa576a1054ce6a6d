"""The policy (``--fail-on``): which changes between two runs fail the build."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from runner.gating.difference import Change, ChangeKind, Difference
from runner.language.message_text import did_you_mean
from runner.language.model import Level

DEFAULT_POLICY = "regressed:should,inconclusive:must"
"""A must or should that regressed, and a must that became inconclusive."""


class ChangePolicyError(ValueError):
    """A policy contains an unknown word; the message lists the valid ones."""


@dataclass(frozen=True)
class ChangePolicy:
    """The kinds of changes that fail the build, with the lowest level of each."""

    levels: Mapping[ChangeKind, Level]

    @classmethod
    def parse(cls, text: str) -> ChangePolicy:
        """Reads ``regressed:should,inconclusive``. A kind without a level fails at all levels; ``none``: nothing fails.

        Raises:
            ChangePolicyError: a word is neither a kind nor a level.
        """
        kinds = {kind.value: kind for kind in ChangeKind}
        known_levels = {level.value: level for level in Level}
        levels: dict[ChangeKind, Level] = {}
        for word in text.split(",") if text.strip() != "none" else []:
            name, colon, level = word.strip().partition(":")
            if name == "none":
                raise ChangePolicyError("'none' excludes all other kinds of change; remove it or the others")
            if name not in kinds:
                raise ChangePolicyError(f"unknown kind of change {name!r}; {did_you_mean(name, [*kinds, 'none'])}")
            if colon and level not in known_levels:
                raise ChangePolicyError(f"unknown level {level!r}; {did_you_mean(level, known_levels)}")
            levels[kinds[name]] = known_levels[level] if colon else Level.OBSERVE
        return cls(levels)

    def fails(self, change: Change) -> bool:
        """Whether a change fails the build."""
        from_level = self.levels.get(change.kind)
        return from_level is not None and change.level.rank <= from_level.rank

    def failing(self, difference: Difference) -> list[Change]:
        """The changes that fail the build."""
        return [change for change in difference.changes if self.fails(change)]
