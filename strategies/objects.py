"""What is saved besides modules: Python objects with tensors in them, and the kinds of file they go through."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from strategies.tensors import tensors

#: A path as text, an os.PathLike, an open file, a buffer in memory.
KINDS = ("path", "pathlike", "file", "buffer")

_DTYPES = ("float32", "float64", "int64", "bool")
_KEYS = ("a", "epoch", "loss", "名前", 0, 7)
_PRIMITIVES = (None, True, False, 0, -1, 2**40, 0.5, -2.25, "", "text", "名前", b"bytes", 1 + 2j)


def objects() -> st.SearchStrategy[Any]:
    """A dict, list or tuple of tensors, primitive values, and more of the kind; always with a tensor in it."""
    tensor = tensors(_DTYPES)
    leaves = st.one_of(tensor, st.sampled_from(_PRIMITIVES))
    inner = st.recursive(
        leaves,
        lambda items: st.one_of(
            st.lists(items, max_size=3),
            st.lists(items, max_size=3).map(tuple),
            st.dictionaries(st.sampled_from(_KEYS), items, max_size=3),
        ),
        max_leaves=6,
    )
    return st.one_of(
        st.tuples(tensor, inner).map(list), st.tuples(tensor, inner), st.fixed_dictionaries({"a": tensor, 7: inner})
    )


def file_kinds() -> st.SearchStrategy[str]:
    """A kind of file, by name; shrinks to a path as text."""
    return st.sampled_from(KINDS)
