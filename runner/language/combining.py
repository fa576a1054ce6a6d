"""Which combinations of a case's parameters are run: all of them, or few that still cover every pair of values."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

Combination = tuple[int, ...]
"""The position of a value for each parameter."""

STRENGTHS = {"values": 1, "pairs": 2}
"""The words of ``combine``, and of how many parameters each combination of values is covered."""


def combinations(sizes: Sequence[int], combine: str | None) -> list[Combination]:
    """The combinations to run, in the order of the full product; always the same ones for the same sizes.

    Args:
        sizes: how many values each parameter has.
        combine: ``pairs``: each value meets each value of every other parameter; ``values``: each value is used; None:
            all combinations.
    """
    product = list(itertools.product(*map(range, sizes)))
    if combine is None:
        return product
    strength = min(STRENGTHS[combine], len(sizes))
    missing = {covered for one in product for covered in _covered(one, strength)}
    chosen: list[Combination] = []
    while missing:
        # The first of the best, so that the choice does not depend on anything but the sizes.
        best = max(product, key=lambda one: sum(covered in missing for covered in _covered(one, strength)))
        missing.difference_update(_covered(best, strength))
        chosen.append(best)
    return sorted(chosen)


def _covered(one: Combination, strength: int) -> Iterator[tuple[tuple[int, int], ...]]:
    """What a combination covers: values with the positions of their parameters, so many at a time."""
    return itertools.combinations(enumerate(one), strength)
