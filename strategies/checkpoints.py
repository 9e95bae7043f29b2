"""Small networks that can be trained, and the optimizers that train them."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from conformance.language import blueprint as bp


def networks() -> st.SearchStrategy[bp.Blueprint]:
    """A Sequential of one to three layers of two features each: a Linear first, so that there is something to train.

    All are in evaluation mode, in which Dropout does nothing and BatchNorm1d uses its statistics: training is
    deterministic. They are few, so that a few steps overflow no float32.
    """
    layer = st.one_of(
        st.integers(0, 30).map(lambda fill: bp.Linear(2, 2, fill=fill, training=False)),
        st.integers(0, 30).map(lambda fill: bp.BatchNorm1d(2, fill=fill, training=False)),
        st.just(bp.ReLU(training=False)),
    )
    first = st.integers(0, 30).map(lambda fill: bp.Linear(2, 2, fill=fill, training=False))
    return st.tuples(first, st.lists(layer, max_size=2)).map(
        lambda parts: bp.Sequential([parts[0], *parts[1]], training=False)
    )


def optimizers(among: Sequence[str] = ("SGD", "Adam")) -> st.SearchStrategy[str]:
    """The name of an optimizer class."""
    return st.sampled_from(tuple(among))
