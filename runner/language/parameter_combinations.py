"""The combinations of a case's parameters that are run: all, or few that cover every value or pair of values."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

Combination = tuple[int, ...]
"""The position of a value for each parameter."""

STRENGTHS = {"values": 1, "pairs": 2}
"""The words of ``combine``, and the number of parameters whose combinations of values are covered."""


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
