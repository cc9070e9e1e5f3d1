"""Into batches of which sizes rows are cut for prediction."""

from __future__ import annotations


def runs(n: int, batch: int, arriving: bool = False) -> list[tuple[int, int]]:
    """(rows of a batch, how many such batches), in order: whole batches, then one of what is left.

    Each size has a program of its own. What is left of a piece of a stream may be any number, and another for each piece: where rows are
    `arriving` it is cut into powers of two, of which there are few.
    """
    whole, rest = divmod(n, batch)
    out = [(batch, whole)] if whole else []
    if not arriving:
        return [*out, (rest, 1)] if rest else out
    return [*out, *((1 << bit, 1) for bit in range(rest.bit_length() - 1, -1, -1) if rest >> bit & 1)]
