"""Tensors, as data: shapes, dtypes, and blueprints of parameters and buffers."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from conformance.language import blueprint as bp

#: Zero-dimensional, empty, and one- to three-dimensional shapes, each small.
SHAPES: tuple[tuple[int, ...], ...] = ((2,), (), (1,), (2, 3), (0,), (2, 2), (3,), (2, 0, 3), (1, 1, 1), (2, 1, 2))

FLOATING = ("float32", "float64", "float16", "bfloat16")


def shapes() -> st.SearchStrategy[tuple[int, ...]]:
    """A shape from ``SHAPES``; shrinks to ``(2,)``."""
    return st.sampled_from(SHAPES)


def dtypes(among: Sequence[str] = bp.DTYPES) -> st.SearchStrategy[str]:
    """The name of a dtype; shrinks to float32."""
    return st.sampled_from(tuple(among))


def fills() -> st.SearchStrategy[int]:
    """The number that a tensor's values follow from."""
    return st.integers(0, 30)


def tensors(dtypes: Sequence[str] = bp.DTYPES) -> st.SearchStrategy[bp.Tensor]:
    """A plain tensor."""
    return st.builds(bp.Tensor, shapes(), st.sampled_from(tuple(dtypes)), fills())


def parameters(dtypes: Sequence[str] = bp.DTYPES) -> st.SearchStrategy[bp.Parameter]:
    """A parameter of any dtype, requiring gradients or not."""
    return st.builds(bp.Parameter, shapes(), st.sampled_from(tuple(dtypes)), fills(), st.sampled_from((None, False)))


def buffers(dtypes: Sequence[str] = bp.DTYPES) -> st.SearchStrategy[bp.Buffer]:
    """A buffer of any dtype, persistent or not."""
    return st.builds(bp.Buffer, shapes(), st.sampled_from(tuple(dtypes)), fills(), st.booleans())
