"""Makes a case of each combination of parameter values, and replaces ``do`` by the steps of the chosen state."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runner.language.message_text import did_you_mean
from runner.language.placeholder_text import substitute
from runner.language.step_reader import RawStep
from runner.language.yaml_file import Document, KeyPath

STRENGTHS = {"values": 1, "pairs": 2}
"""The words of ``combine``, and the number of parameters whose combinations of values are covered."""
_HYPHEN = re.compile(r"(?<=[a-z])-(?=[a-z])")
"""A hyphen between words of a label, which becomes a blank in a title."""


@dataclass(frozen=True)
class _Value:
    """One value of a parameter: a text, or the steps of a state with the keys of their place."""

    label: str
    text: str = ""
    keys: KeyPath = ()
    steps: tuple[Mapping[str, Any], ...] | None = None


@dataclass(frozen=True)
class _Filler:
    """Fills in one combination of parameters."""

    document: Document
    texts: Mapping[str, str]
    states: Mapping[str, _Value] = field(default_factory=dict)

    def filled(self, keys: KeyPath, value: Any) -> Any:
        """A part of a case with its parameters filled in, also in keys: a parameter may name the session of a step."""
        if isinstance(value, dict):
            filled: dict[str, Any] = {}
            for key, inner in value.items():
                new = substitute(key, self.texts)
                if new in filled:
                    raise self.document.fail(
                        (*keys, key), f"with these values of its parameters, the key {new!r} is duplicate", "keep one"
                    )
                filled[new] = self.filled((*keys, key), inner)
            return filled
        if isinstance(value, list):
            return [self.filled((*keys, index), inner) for index, inner in enumerate(value)]
        if not isinstance(value, str):
            return value
        text = substitute(value, self.texts)
        if value and not text:
            raise self.document.fail(
                keys,
                "with these values of its parameters, this text is empty",
                "give the parameter a value, or more text",
            )
        if state := next((name for name in self.states if f"${{{name}}}" in text), None):
            raise self.document.fail(
                keys, f"{state!r} is a parameter of steps, and is used in a text", f"use it in a step: do: ${{{state}}}"
            )
        return text

    def steps(self, case: KeyPath, raw: Iterable[Mapping[str, Any]]) -> Iterator[RawStep]:
        """The steps of a case; a step ``do`` is replaced by the steps of the state that it names."""
        for index, step in enumerate(raw):
            keys: KeyPath = ("steps", index)
            if "do" not in step:
                yield RawStep(keys, self.filled((*case, *keys), step))
                continue
            named = next((state for name, state in self.states.items() if step["do"] == f"${{{name}}}"), None)
            if named is None or len(step) > 1:
                raise self.document.fail(
                    (*case, *keys, "do"),
                    "a step with 'do' has no other key, and names a parameter whose values are lists of steps",
                    did_you_mean(str(step["do"]), [f"${{{name}}}" for name in self.states]),
                )
            for number, inner in enumerate(named.steps or ()):
                at = (*named.keys, number)
                if "do" in inner:
                    raise self.document.fail((*case, *at, "do"), "a state contains a state", "write the steps instead")
                yield RawStep(at, self.filled((*case, *at), inner), sets_state=True)


def filled_in(
    document: Document, keys: KeyPath, raw: Mapping[str, Any]
) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any], tuple[RawStep, ...]]]:
    """A case for each combination of its parameters: the labels of the values, the content, and the steps."""
    parameters: Mapping[str, Any] = raw.get("parameters", {})
    for name in parameters:
        if name in raw.get("sessions", document.data.get("sessions", {})):
            what = f"the parameter {name!r} has the name of a session: ${{{name}.id}} could mean both"
            raise document.fail((*keys, "parameters", name), what, "choose another name for the parameter")
    valued = [_values(document, keys, name, values) for name, values in parameters.items()]
    if "combine" in raw and len(valued) < 2:  # noqa: PLR2004 - a single parameter has no combinations
        raise document.fail((*keys, "combine"), "combine needs two parameters", "remove it")
    if isinstance(needs := raw.get("needs"), dict):
        labels = {value.label for values in valued for value in values}
        for label in needs:
            if label not in labels:
                what = f"no value of a parameter has the label {label!r}"
                raise document.fail((*keys, "needs", label), what, did_you_mean(label, labels))
    for combination in combinations([len(values) for values in valued], raw.get("combine")):
        chosen = {name: values[at] for name, values, at in zip(parameters, valued, combination, strict=True)}
        filler = _Filler(
            document,
            {name: value.text for name, value in chosen.items() if value.steps is None},
            {name: value for name, value in chosen.items() if value.steps is not None},
        )
        labels_by_name = {name: value.label for name, value in chosen.items()}
        filled = {
            key: filler.filled((*keys, key), value)
            for key, value in raw.items()
            if key not in {"parameters", "steps", "title"}
        }
        title = substitute(raw["title"], {name: _HYPHEN.sub(" ", label) for name, label in labels_by_name.items()})
        if "${" in title:
            raise document.fail(
                (*keys, "title"), f"the title has a placeholder that is not a parameter: {title!r}", "name a parameter"
            )
        filled |= {"parameters": parameters, "title": title}
        yield tuple(labels_by_name.values()), filled, tuple(filler.steps(keys, raw["steps"]))


def _values(document: Document, keys: KeyPath, name: str, raw: Any) -> list[_Value]:
    """The values of a parameter: all texts, or all lists of steps."""
    at: KeyPath = ("parameters", name)
    pairs = raw.items() if isinstance(raw, dict) else ((value, value) for value in raw)
    values = []
    for key, value in pairs:
        if isinstance(value, list):
            if not isinstance(raw, dict):
                raise document.fail((*keys, *at), "lists of steps need labels", "write {label: [steps]}")
            values.append(_Value(_label(key), keys=(*at, key), steps=tuple(value)))
        else:
            values.append(_Value(_label(key), text=str(value)))
    if len({value.steps is None for value in values}) > 1:
        raise document.fail(
            (*keys, *at), f"the values of {name!r} are partly texts, partly lists of steps", "use one kind for all"
        )
    labels = [value.label for value in values]
    if double := next((label for label in labels if labels.count(label) > 1), None):
        raise document.fail(
            (*keys, *at), f"two values have the label {double!r}", "label them in a mapping: {label: value}"
        )
    return values


def _label(key: object) -> str:
    return re.sub(r"[\s\[\]]+", "_", str(key))


Combination = tuple[int, ...]
"""The position of a value for each parameter."""


def combinations(sizes: Sequence[int], combine: str | None) -> list[Combination]:
    """The combinations to run, in the order of the full product; the same for the same sizes.

    Args:
        sizes: the number of values of each parameter.
        combine: ``pairs``: each pair of values of two parameters is used; ``values``: each value is used; None: all
            combinations.
    """
    product = list(itertools.product(*map(range, sizes)))
    if combine is None:
        return product
    strength = min(STRENGTHS[combine], len(sizes))
    missing = {covered for one in product for covered in _covered(one, strength)}
    chosen: list[Combination] = []
    while missing:
        # The first of the best: the choice depends on the sizes only.
        best = max(product, key=lambda one: sum(covered in missing for covered in _covered(one, strength)))
        missing.difference_update(_covered(best, strength))
        chosen.append(best)
    return sorted(chosen)


def _covered(one: Combination, strength: int) -> Iterator[tuple[tuple[int, int], ...]]:
    """The groups of ``strength`` values in a combination, with the positions of their parameters."""
    return itertools.combinations(enumerate(one), strength)
