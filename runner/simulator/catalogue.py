"""What a server can be told to do differently, by name.

A piece is a class that overrides one step of a part, or a function that puts several such classes in. Its name is the
one it has in the code, in kebab case; what is said of it is the first line of its docstring.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from typing import Any, TypeVar

from runner.simulator.parts import Parts, altered
from runner.simulator.settings import Settings

PartsChange = Callable[[Parts], Parts]
SettingsChange = Callable[[Settings], Settings]
Piece = TypeVar("Piece", bound=Callable[..., Any])

_NEW_WORD = re.compile(r"(?<=[a-zA-Z])(?=[A-Z])|(?<=[a-z])(?=[0-9])|(?<=[0-9])(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Defect:
    """A way of being wrong. `breaks` is the id of the requirement that a server with it does not meet."""

    name: str
    text: str
    breaks: str
    parts: PartsChange


@dataclass(frozen=True, slots=True)
class Variant:
    """A way of being different and still right."""

    name: str
    text: str
    parts: PartsChange
    settings: SettingsChange


@dataclass(frozen=True, slots=True)
class Environment:
    """A server, or something in front of it, on which some cases can't be decided: nothing may deviate there."""

    name: str
    text: str
    parts: PartsChange


DEFECTS: dict[str, Defect] = {}
VARIANTS: dict[str, Variant] = {}
ENVIRONMENTS: dict[str, Environment] = {}


def breaks(requirement: str) -> Callable[[Piece], Piece]:
    """Lists a piece as a defect that breaks this requirement."""

    def enter(piece: Piece) -> Piece:
        defect = Defect(_name(piece), _says(piece), requirement, _parts_change(piece))
        _add(DEFECTS, defect.name, defect)
        return piece

    return enter


def lawful(piece: Piece) -> Piece:
    """Lists a piece as a variant."""
    variant = Variant(_name(piece), _says(piece), _parts_change(piece), _same_settings)
    _add(VARIANTS, variant.name, variant)
    return piece


def undecidable(piece: Piece) -> Piece:
    """Lists a piece as an environment in which some cases are inconclusive and none deviates."""
    environment = Environment(_name(piece), _says(piece), _parts_change(piece))
    _add(ENVIRONMENTS, environment.name, environment)
    return piece


def lawful_setting(change: SettingsChange) -> SettingsChange:
    """Lists a change of the settings as a variant."""
    variant = Variant(_name(change), _says(change), _same_parts, change)
    _add(VARIANTS, variant.name, variant)
    return change


Entry = TypeVar("Entry")


def _add(entries: dict[str, Entry], name: str, entry: Entry) -> None:
    if name in entries:
        raise ValueError(f"two pieces are named {name}")
    entries[name] = entry


def unknown_name(kind: str, name: str, known: dict[str, Entry]) -> str:
    """What to say of a name that nothing has, with the name that was probably meant."""
    closest = get_close_matches(name, known, 1, 0.0)
    return f"unknown {kind} {name!r}; the closest name is {closest[0]!r}." if closest else f"there is no {kind}."


def _name(piece: Callable[..., Any]) -> str:
    name: str = piece.__name__
    return _NEW_WORD.sub("-", name).replace("_", "-").lower()


def _says(piece: Callable[..., Any]) -> str:
    return (inspect.getdoc(piece) or "").partition("\n")[0]


def _parts_change(piece: Callable[..., Any]) -> PartsChange:
    return partial(_with_piece, piece) if isinstance(piece, type) else piece


def _with_piece(piece: type[Any], parts: Parts) -> Parts:
    return altered(parts, piece)


def _same_parts(parts: Parts) -> Parts:
    return parts


def _same_settings(settings: Settings) -> Settings:
    return settings
