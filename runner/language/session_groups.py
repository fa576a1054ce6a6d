"""Groups of sessions: one declaration for several sessions, and one step that is run for each of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from runner.language.placeholder_text import substitute, uses

_NOT_OWN = frozenset({"steps", "otherwise", "reply", "keep", "idle_sessions"})
"""The keys of a step whose content doesn't make it a step of a group: inner steps, claims, and the name of a value."""


@dataclass(frozen=True)
class SessionGroups:
    """The groups that a case declares.

    Attributes:
        members: the names of each group's sessions, in the order in which they log in.
    """

    members: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, declared: Mapping[str, Mapping[str, Any]]) -> SessionGroups:
        """The groups among the declared sessions of a case: those with a ``count``."""
        counts = {name: spec["count"] for name, spec in declared.items() if "count" in spec}
        return cls(
            {name: tuple(f"{name}_{number}" for number in range(1, count + 1)) for name, count in counts.items()}
        )

    def names(self, name: str) -> tuple[str, ...]:
        """The sessions that a name stands for: all of a group, or the session itself."""
        return self.members.get(name, (name,))

    def steps(self, step: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        """A step once for each session of the groups that it names; as it is if it names none.

        Of several groups, the first sessions are used together, then the second ones, and so on.

        Raises:
            ValueError: the groups have different numbers of sessions; the message has their names.
        """
        named = self._named(step)
        rounds = list(zip(*(self.members[name] for name in named), strict=False))
        if any(len(self.members[name]) != len(rounds) for name in named):
            raise ValueError(f"the groups {' and '.join(named)} have different numbers of sessions")
        if not named:
            yield step
        for sessions in rounds:
            yield _replaced(step, dict(zip(named, sessions, strict=True)))

    def _named(self, step: Mapping[str, Any]) -> list[str]:
        own = {key: value for key, value in step.items() if key not in _NOT_OWN}
        texts = list(_texts(own))
        return [name for name in self.members if any(text == name or uses(text, name) for text in texts)]


def _texts(value: Any) -> Iterator[str]:
    """All keys and texts in a part of a step."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from (str(key), *_texts(inner))
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, str):
        yield value


def _replaced(value: Any, sessions: Mapping[str, str]) -> Any:
    """A part of a step with the names of sessions in place of their groups."""
    if isinstance(value, Mapping):
        return {sessions.get(key, key): _replaced(inner, sessions) for key, inner in value.items()}
    if isinstance(value, list):
        return [_replaced(inner, sessions) for inner in value]
    if not isinstance(value, str):
        return value
    return sessions.get(value) or substitute(value, sessions)
