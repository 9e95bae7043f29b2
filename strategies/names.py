"""Names under which things are registered."""

from __future__ import annotations

from hypothesis import strategies as st

#: Names that matter: ordinary ones, layers' own names, ``module`` (what DataParallel prepends), digits, pairs of which one
#: is a prefix of the other, leading underscores, other scripts, and text that is no identifier.
NAMES = (
    "a",
    "weight",
    "layer",
    "layer1",
    "bias",
    "module",
    "0",
    "b",
    "layer10",
    "10",
    "_hidden",
    "名前",
    "Weight",
    "é",
    "with space",
    "a-b",
)

#: What the documentation's error messages are about: names that registration refuses.
REFUSED = ("", "a.b", ".", "a.", ".a")

#: Names that every module already has as attributes.
TAKEN = ("forward", "training", "parameters", "state_dict", "train", "register_buffer")


def names() -> st.SearchStrategy[str]:
    """A name from ``NAMES``; shrinks to "a"."""
    return st.sampled_from(NAMES)


def refused_names() -> st.SearchStrategy[str]:
    """A name that the documentation says is refused: empty, or with a dot."""
    return st.sampled_from(REFUSED)


def taken_names() -> st.SearchStrategy[str]:
    """A name that is already an attribute of every module."""
    return st.sampled_from(TAKEN)


def prefixes() -> st.SearchStrategy[str]:
    """A prefix for names or keys; shrinks to the empty one."""
    return st.sampled_from(("", "a", "module", "a.b", "0", "weight"))
