"""Counts in the unit that a table prints them in."""

_FACTORS = {
    "million": 1e6,
    "millions": 1e6,
    "1e6": 1e6,
    "billion": 1e9,
    "billion_multiply_adds": 1e9,
    "1e9": 1e9,
    "1e9 multiply-adds": 1e9,
}


def in_unit(count: float, unit: str) -> float:
    """`count` in a table's unit: 25,557,032 is 25.557032 "million". Units that are no multiple of one change nothing.

    >>> in_unit(4_089_184_256, "1e9")
    4.089184256
    """
    return count / _FACTORS[unit] if unit in _FACTORS else count
