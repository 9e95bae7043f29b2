"""Hooks on modules, as data."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

from hypothesis import strategies as st

from conformance.language import blueprint as bp

#: What an implementation needs for recorded forward pre-hooks and forward hooks with every option.
OPTIONS = tuple(
    f"Module.register_forward_{kind}({option})"
    for kind in ("pre_hook", "hook")
    for option in ("prepend", "with_kwargs")
)


def _hook(kinds: Sequence[str], prepend: bool, with_kwargs: bool, adds: bool, name: str, bits: int) -> bp.Hook:
    return bp.Hook(
        kinds[bits % len(kinds)],
        name,
        prepend=prepend and bool(bits & 8),
        with_kwargs=with_kwargs and bool(bits & 16),
        adds=(bits // 32) / 2 if adds and bits >= 32 else None,
    )


def _bits(min_size: int, max_size: int) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(0, 127), min_size=min_size, max_size=max_size)


def hooks(
    *kinds: str,
    prepend: bool = True,
    with_kwargs: bool = True,
    adds: bool = True,
    min_size: int = 1,
    max_size: int = 4,
) -> st.SearchStrategy[tuple[bp.Hook, ...]]:
    """Recorded hooks of these kinds, named own0, own1, ... Args: kinds: as in ``bp.Hook``. prepend, with_kwargs, adds:
    whether hooks may use that option. min_size, max_size: how many."""

    def make(numbers: list[int]) -> tuple[bp.Hook, ...]:
        return tuple(_hook(kinds, prepend, with_kwargs, adds, f"own{i}", bits) for i, bits in enumerate(numbers))

    return _bits(min_size, max_size).map(make)


def linears(
    *kinds: str, prepend: bool = True, adds: bool = True, min_hooks: int = 1
) -> st.SearchStrategy[bp.Blueprint]:
    """A Sequential of one to three layers, each a Linear(2, 2), or a Sequential of one and an Identity. Args: kinds: of
    the recorded hooks on its modules; none means no hooks. prepend, adds: whether hooks may use that option. min_hooks:
    on the Sequential itself."""

    def grow(layers: list[tuple[int, bool, list[int]]], own: list[int]) -> bp.Blueprint:
        numbers = count()

        def named(bits: list[int]) -> tuple[bp.Hook, ...]:
            return tuple(_hook(kinds, prepend, False, adds, f"hook{next(numbers)}", one) for one in bits if kinds)

        outer = named(own)
        members: list[bp.Blueprint] = []
        for fill, nested, bits in layers:
            if nested:
                members.append(bp.Sequential([bp.Linear(2, 2, fill=fill), bp.Identity()], hooks=named(bits)))
            else:
                members.append(bp.Linear(2, 2, fill=fill, hooks=named(bits)))
        return bp.Sequential(members, hooks=outer)

    layer = st.tuples(st.integers(0, 30), st.booleans(), _bits(0, 2))
    return st.builds(grow, st.lists(layer, min_size=1, max_size=3), _bits(min_hooks, 3))
