"""Texts with ``${...}`` in them: session ids, user names, tables, words that the profile spells.

${victim.id}            the id that SHOW PROCESSLIST shows for the session
${victim.id + 65536}    a number built from it; ${victim.id / 10} without its last digit
${victim.user}          its user; also .lower_user and .password
${unused 1}             the first number from 1 on that no session has at this moment
${unused victim.id + 1} the same, counted from a session's id
${table}, ${role}       a table or role made for the case
${sleep}                a word of cases/requirements.yaml, spelled by the profile
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

_HOLE = re.compile(r"\$\{([^}]*)\}")
_INSIDE = re.compile(
    r"^\s*(?P<unused>unused\s+)?"
    r"(?:(?P<session>[a-z][a-z0-9_]*)\.(?P<part>id|user|lower_user|password)|(?P<word>[a-z][a-z0-9_]*)|(?P<number>[0-9]+))"
    r"\s*(?:\+\s*(?P<plus>[0-9]+)\s*|/\s*(?P<over>[1-9][0-9]*)\s*)?$"
)


@dataclass(frozen=True)
class Hole:
    """One ``${...}``: exactly one of ``session`` (with ``part``), ``word`` and ``number`` is set."""

    text: str
    unused: bool = False
    session: str | None = None
    part: str | None = None
    word: str | None = None
    number: int | None = None
    plus: int = 0
    over: int = 1

    @property
    def is_built(self) -> bool:
        """Whether it is another number than the session's id."""
        return bool(self.plus) or self.over > 1 or self.unused


@dataclass(frozen=True)
class Template:
    """A text and its holes, in order: ``pieces`` alternates as written."""

    text: str
    pieces: tuple[str | Hole, ...]

    @property
    def holes(self) -> Iterator[Hole]:
        """The holes of the text, from left to right."""
        return (piece for piece in self.pieces if isinstance(piece, Hole))

    @property
    def names_ids(self) -> bool:
        """Whether a session's id is in it, or a number beside one."""
        return any(hole.part == "id" or hole.unused for hole in self.holes)

    @property
    def literal(self) -> str:
        """The text with a plain number in every hole."""
        return "".join(piece if isinstance(piece, str) else "1" for piece in self.pieces)

    @property
    def is_word(self) -> bool:
        """Whether it is one ``${word}`` and nothing else."""
        return [hole.word is not None for hole in self.holes] == [True] and len(self.pieces) == 1

    def named_sessions(self) -> frozenset[str]:
        """The sessions whose id the text names: a statement may lawfully end these."""
        return frozenset(
            hole.session for hole in self.holes if hole.session and hole.part == "id" and not hole.is_built
        )


@cache
def parse_template(text: str) -> Template:
    """Reads the holes of a text.

    Raises:
        ValueError: a hole says something that is not in the language; the message says what is.
    """
    pieces: list[str | Hole] = []
    end = 0
    for match in _HOLE.finditer(text):
        pieces.append(text[end : match.start()])
        pieces.append(_hole(match.group(1)))
        end = match.end()
    pieces.append(text[end:])
    if any(isinstance(piece, str) and "${" in piece for piece in pieces):
        raise ValueError("'${' is never closed with '}'")
    return Template(text, tuple(piece for piece in pieces if piece != ""))


def _hole(inside: str) -> Hole:
    match = _INSIDE.match(inside)
    if match is None or (match["word"] and (match["plus"] or match["over"] or match["unused"])):
        raise ValueError(
            f"${{{inside}}} is not ${{session.id}}, ${{session.id + 1}}, ${{session.user}}, ${{unused 1}} or ${{word}}"
        )
    return Hole(
        text=inside.strip(),
        unused=bool(match["unused"]),
        session=match["session"],
        part=match["part"],
        word=match["word"],
        number=int(match["number"]) if match["number"] else None,
        plus=int(match["plus"] or 0),
        over=int(match["over"] or 1),
    )


def substitute(text: str, parameters: Mapping[str, str]) -> str:
    """The text with ``${name}`` replaced for each parameter, also inside another hole; other holes stay."""
    for name, value in parameters.items():
        text = text.replace(f"${{{name}}}", value)
    return text
