"""What modules are called with, as data."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st


def rows(min_size: int = 1, max_size: int = 3) -> st.SearchStrategy[list[list[float]]]:
    """An input of shape (batch, 2), as nested lists; every number is a multiple of 1/4."""
    number = st.integers(-8, 8).map(lambda n: n / 4)
    return st.lists(st.lists(number, min_size=2, max_size=2), min_size=min_size, max_size=max_size)


def single_values() -> st.SearchStrategy[Any]:
    """Anything but None and a tuple."""
    return st.sampled_from((0, 7, -1.5, True, False, "", "text", [], [1, 2], {}, {"key": (1,)}))


def values() -> st.SearchStrategy[Any]:
    """Any argument that is no tensor; shrinks to 0."""
    return st.one_of(single_values(), st.sampled_from((None, (), (1,), (None, "text"))))


def arguments() -> st.SearchStrategy[tuple[Any, ...]]:
    """Positional arguments."""
    return st.lists(values(), max_size=3).map(tuple)


def keywords() -> st.SearchStrategy[dict[str, Any]]:
    """Keyword arguments."""
    return st.dictionaries(st.sampled_from(("a", "key", "scale")), values(), max_size=2)
