"""What is done to state_dicts, as data."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from strategies.names import names
from strategies.tensors import SHAPES


def picks(min_size: int = 1) -> st.SearchStrategy[list[int]]:
    """Which entries to take, as numbers for ``model.state.chosen``."""
    return st.lists(st.integers(0, 63), min_size=min_size, max_size=4)


def stranger_names(min_size: int = 1) -> st.SearchStrategy[list[tuple[int, str]]]:
    """Keys that no drawn tree has, for ``model.state.strangers``: (which module, name below it)."""
    name = st.sampled_from(("absent", "absent.weight", "absent.0.weight"))
    return st.lists(st.tuples(st.integers(0, 63), name), min_size=min_size, max_size=3)


def name_paths(max_size: int = 3) -> st.SearchStrategy[list[str]]:
    """The names on the way from a root to a module; none for the root itself."""
    return st.lists(names(), max_size=max_size)


def mismatched_shapes() -> st.SearchStrategy[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Two different shapes, many of them such that one broadcasts to the other; never (), (1,), which torch lets
    pass."""
    pairs = [(one, other) for one in SHAPES for other in SHAPES if one != other and (one, other) != ((), (1,))]
    return st.sampled_from(pairs)


def extra_states() -> st.SearchStrategy[Any]:
    """Picklable extra state that is no tensor."""
    plain = st.sampled_from((None, 0, 7, -1.5, True, "", "text", (1, "a"), [], {}))
    return st.one_of(plain, st.dictionaries(names(), plain, max_size=2), st.lists(plain, max_size=2))
