"""The catalogue of defects, conforming variants and environments, by name.

An entry is a class that overrides one step of a component, or a function that changes several components or the
settings. Its name is that of the class or function in kebab case, its description the first line of the docstring.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from difflib import get_close_matches
from functools import partial
from typing import Any, TypeVar

from runner.simulator.components import Components
from runner.simulator.settings import Settings

ComponentsChange = Callable[[Components], Components]
SettingsChange = Callable[[Settings], Settings]
Change = TypeVar("Change", bound=Callable[..., Any])

_NEW_WORD = re.compile(r"(?<=[a-zA-Z])(?=[A-Z])|(?<=[a-z])(?=[0-9])|(?<=[0-9])(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Defect:
    """A deviation from the specification; ``breaks`` is the id of the requirement that a server with it violates."""

    name: str
    text: str
    breaks: str
    change_components: ComponentsChange


@dataclass(frozen=True, slots=True)
class Variant:
    """A difference from the default that conforms to the specification."""

    name: str
    text: str
    change_components: ComponentsChange
    change_settings: SettingsChange

    @property
    def changes(self) -> tuple[str, ...]:
        """The components and settings that are changed: variants that change different ones can be combined."""
        components, settings = Components(), Settings()
        return (
            *_differences(components, self.change_components(components)),
            *_differences(settings, self.change_settings(settings)),
        )


@dataclass(frozen=True, slots=True)
class Environment:
    """A setting in which some cases can't be decided; no case may deviate in it."""

    name: str
    text: str
    change_components: ComponentsChange


DEFECTS: dict[str, Defect] = {}
VARIANTS: dict[str, Variant] = {}
ENVIRONMENTS: dict[str, Environment] = {}


def breaks(requirement: str) -> Callable[[Change], Change]:
    """Decorator: adds a class or function to the catalogue, as a defect that breaks this requirement."""

    def register(change: Change) -> Change:
        defect = Defect(_name(change), _description(change), requirement, _components_change(change))
        _add(DEFECTS, defect.name, defect)
        return change

    return register


def variant(change: Change) -> Change:
    """Decorator: adds a class or function to the catalogue, as a conforming variant."""
    entry = Variant(_name(change), _description(change), _components_change(change), _same_settings)
    _add(VARIANTS, entry.name, entry)
    return change


def settings_variant(change: SettingsChange) -> SettingsChange:
    """Decorator: adds a function that changes the settings to the catalogue, as a conforming variant."""
    entry = Variant(_name(change), _description(change), _same_components, change)
    _add(VARIANTS, entry.name, entry)
    return change


def environment(change: Change) -> Change:
    """Decorator: adds a class or function to the catalogue, as an environment."""
    entry = Environment(_name(change), _description(change), _components_change(change))
    _add(ENVIRONMENTS, entry.name, entry)
    return change


Entry = TypeVar("Entry")


def _add(entries: dict[str, Entry], name: str, entry: Entry) -> None:
    if name in entries:
        raise ValueError(f"two entries are named {name}")
    entries[name] = entry


def unknown_name(kind: str, name: str, known: dict[str, Entry]) -> str:
    """The error message for an unknown name, with the closest known name."""
    closest = get_close_matches(name, known, 1, 0.0)
    return (
        f"unknown {kind} {name!r}; the closest name is {closest[0]!r}; --list-{kind}s prints all."
        if closest
        else f"there is no {kind}."
    )


def _differences(before: Components | Settings, after: Components | Settings) -> list[str]:
    names = [field.name for field in fields(before)]
    return [name for name in names if getattr(before, name) != getattr(after, name)]


def _name(change: Callable[..., Any]) -> str:
    name: str = change.__name__
    return _NEW_WORD.sub("-", name).replace("_", "-").lower()


def _description(change: Callable[..., Any]) -> str:
    return (inspect.getdoc(change) or "").partition("\n")[0]


def _components_change(change: Callable[..., Any]) -> ComponentsChange:
    return partial(_overridden, change) if isinstance(change, type) else change


def _overridden(override: type[Any], components: Components) -> Components:
    return components.with_overrides(override)


def _same_components(components: Components) -> Components:
    return components


def _same_settings(settings: Settings) -> Settings:
    return settings
