"""Texts with placeholders ``${...}``: session ids, user names, tables, words of the register.

${victim.id}            the id that SHOW PROCESSLIST shows for the session
${victim.id + 65536}    a number computed from it; ${victim.id / 10} without its last digit
${victim.user}          its user; also .lower_user and .password
${unused 1}             the first number from 1 on that is no session's id at this moment
${unused victim.id + 1} the same, starting from a session's id
${kept before}          the value that an earlier step has kept; ${kept before + 1} a number computed from it
${table}, ${role}       a table or role that is created for the case
${sleep}                a word of the register; the profile has its SQL text
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

_HOLE = re.compile(r"\$\{([^}]*)\}")
_INSIDE = re.compile(
    r"^\s*(?P<unused>unused\s+)?"
    r"(?:(?P<session>[a-z][a-z0-9_]*)\.(?P<part>id|user|lower_user|password)|kept\s+(?P<kept>[a-z][a-z0-9_]*)|(?P<word>[a-z][a-z0-9_]*)|(?P<number>[0-9]+))"
    r"\s*(?:\+\s*(?P<plus>[0-9]+)\s*|/\s*(?P<over>[1-9][0-9]*)\s*)?$"
)


@dataclass(frozen=True)
class Hole:
    """One ``${...}``: exactly one of ``session`` (with ``part``), ``kept``, ``word`` and ``number`` is set."""

    text: str
    unused: bool = False
    session: str | None = None
    part: str | None = None
    kept: str | None = None
    word: str | None = None
    number: int | None = None
    plus: int = 0
    over: int = 1

    @property
    def is_built(self) -> bool:
        """Whether the number differs from the session's id."""
        return bool(self.plus) or self.over > 1 or self.unused


@dataclass(frozen=True)
class Template:
    """A text and its holes; ``pieces`` has both in their order."""

    text: str
    pieces: tuple[str | Hole, ...]

    @property
    def holes(self) -> Iterator[Hole]:
        """The holes of the text, from left to right."""
        return (piece for piece in self.pieces if isinstance(piece, Hole))

    @property
    def contains_ids(self) -> bool:
        """Whether it contains a session's id, or a number that is computed from one."""
        return any(hole.part == "id" or hole.unused for hole in self.holes)

    @property
    def literal(self) -> str:
        """The text with the number 1 in every hole."""
        return "".join(piece if isinstance(piece, str) else "1" for piece in self.pieces)

    @property
    def is_word(self) -> bool:
        """Whether it consists of one ``${word}``."""
        return [hole.word is not None for hole in self.holes] == [True] and len(self.pieces) == 1

    def sessions_named_by_id(self) -> frozenset[str]:
        """The sessions whose id the text contains: a statement with it may end these."""
        return frozenset(
            hole.session for hole in self.holes if hole.session and hole.part == "id" and not hole.is_built
        )


@cache
def parse_template(text: str) -> Template:
    """Reads the holes of a text.

    Raises:
        ValueError: a hole is invalid; the message lists the valid forms.
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
    computed = match is not None and (match["plus"] or match["over"])
    if match is None or (match["word"] and (computed or match["unused"])) or (match["kept"] and match["unused"]):
        raise ValueError(
            f"${{{inside}}} is not ${{session.id}}, ${{session.id + 1}}, ${{session.user}}, ${{unused 1}}, "
            "${kept name} or ${word}"
        )
    return Hole(
        text=inside.strip(),
        unused=bool(match["unused"]),
        session=match["session"],
        part=match["part"],
        kept=match["kept"],
        word=match["word"],
        number=int(match["number"]) if match["number"] else None,
        plus=int(match["plus"] or 0),
        over=int(match["over"] or 1),
    )


def substitute(text: str, parameters: Mapping[str, str]) -> str:
    """The text with its parameters filled in.

    ``${name}`` is replaced, also inside other holes. In ``${name.id}``, which needs a session, the value of the
    parameter is the session's name.
    """
    for name, value in parameters.items():
        text = text.replace(f"${{{name}}}", value)
        text = re.sub(rf"(?<=\$\{{){name}(?=\.)|(?<=\$\{{unused ){name}(?=\.)", value.replace("\\", r"\\"), text)
    return text


def uses(text: str, parameter: str) -> bool:
    """Whether a text contains a parameter."""
    return substitute(text, {parameter: ""}) != text
