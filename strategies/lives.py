"""Lives of a module: what is done to it, step by step, as data.

A life is a list of steps, each a tuple of what is done and its arguments. Which of a tree's modules, names or items a step
means is a number, taken modulo what is there when its turn comes: whatever is left out of a life, a life it is still.

Hypothesis draws one byte string, of which each three bytes are a step: one draw a life instead of dozens. It shrinks by
leaving bytes out and making others smaller, which leaves steps out and makes others plainer; three zeros are no step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from conformance.language import blueprint as bp
from strategies.edits import triple
from strategies.tensors import FLOATING, SHAPES

#: What is done, and its arguments.
Step = tuple[Any, ...]

# Much is done in few places and under few names, for what goes wrong does so where several things were done.
_WHERE = (0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 4, 5, 6, 9, 13)
_NAMES = ("a", "a", "a", "weight", "weight", "layer", "layer1", "layer10", "bias", "0", "10", "b", "Weight", "_hidden",
          "名前", "with space")  # fmt: skip

_CHILDREN = (
    bp.Identity(), bp.Sequential(), bp.ModuleList(), bp.ModuleDict(), bp.Module(),
    bp.ParameterList(), bp.ParameterDict(), bp.Identity(), bp.Sequential(), bp.Identity(),
)  # fmt: skip


def _child(number: int) -> bp.Blueprint:
    return _CHILDREN[number % len(_CHILDREN)]


def _name(number: int) -> str:
    return _NAMES[number % len(_NAMES)]


def _described(number: int) -> tuple[tuple[int, ...], str, int]:
    """Shape, dtype and fill of a tensor; half of all are float32."""
    rest, shape = divmod(number, len(SHAPES))
    dtype = rest % (2 * len(bp.DTYPES))
    return SHAPES[shape], bp.DTYPES[dtype // 2 if dtype % 2 else 0], number % 31


def _parameter(number: int) -> bp.Parameter:
    return bp.Parameter(*_described(number), requires_grad=False if number % 3 == 2 else None)


def _buffer(number: int) -> bp.Buffer:
    return bp.Buffer(*_described(number), persistent=number % 4 < 2)


def _things(*numbers: int) -> list[Any]:
    """Modules, or parameters where the first number is odd."""
    return [(_parameter if numbers[0] % 2 else _child)(number // 2) for number in numbers]


def _update(where: int, which: int, more: int) -> tuple[Any, ...]:
    return where, dict(zip((_name(which), _name(more // 4)), _things(more, more // 8)))


def _hook(where: int, which: int, more: int) -> tuple[Any, ...]:
    """On which module, of which kind, whether before the others, and what it adds to what passes through."""
    return where, ("forward", "forward_pre")[more % 2], more // 2 % 2 == 1, None if more % 3 == 0 else float(more % 3)


#: {what is done: (how often, its arguments from three numbers: below 16, below 16, and below 512)}
STEPS: dict[str, tuple[int, Callable[[int, int, int], tuple[Any, ...]]]] = {
    "train": (5, lambda where, which, more: (where, more % 4 == 1)),
    "assign": (13, lambda where, which, more: (where, _name(which), *_things(more))),
    "register_buffer": (7, lambda where, which, more: (where, _name(which), _buffer(more))),
    "delete": (4, lambda where, which, more: (16 * which + where,)),
    "assign_none": (3, lambda where, which, more: (16 * which + where,)),
    "share_module": (4, lambda where, which, more: (where, which, _name(more))),
    "share_parameter": (5, lambda where, which, more: (where, which, _name(more))),
    "append": (5, lambda where, which, more: (where, *_things(more))),
    "extend": (4, lambda where, which, more: (where, _things(more, 2 * which))),
    "insert": (4, lambda where, which, more: (where, which, _child(more))),
    "set_item": (4, lambda where, which, more: (where, which, *_things(more))),
    "delete_item": (4, lambda where, which, more: (where, which)),
    "delete_slice": (3, lambda where, which, more: (where, triple(more % 256))),
    "pop_item": (4, lambda where, which, more: (where, which)),
    "take_slice": (3, lambda where, which, more: (where, triple(more % 256), _name(which))),
    "set_key": (5, lambda where, which, more: (where, _name(which), *_things(more))),
    "update_keys": (4, _update),
    "delete_key": (3, lambda where, which, more: (where, which)),
    "pop_key": (4, lambda where, which, more: (where, which)),
    "clear_keys": (2, lambda where, which, more: (where,)),
    "require_gradients": (5, lambda where, which, more: (where, more % 2 == 1)),
    "cast": (4, lambda where, which, more: (where, FLOATING[more % 4])),
    "convert": (4, lambda where, which, more: (where, FLOATING[more % 4])),
    "load": (3, lambda where, which, more: (more % 31,)),
    "save_and_load": (2, lambda where, which, more: (more % 31,)),
    "deep_copy": (4, lambda where, which, more: ()),
    "pickle": (3, lambda where, which, more: ()),
    "hook": (6, _hook),
    "unhook": (4, lambda where, which, more: (which,)),
    "call": (3, lambda where, which, more: (where,)),
}

#: What is done, by the upper seven bits of three bytes.
_TABLE = [name for name, (often, _) in STEPS.items() for _ in range(often)]
assert len(_TABLE) == 128


def _step(number: int) -> Step:
    name = _TABLE[number >> 17]
    return name, *STEPS[name][1](_WHERE[number >> 13 & 15], number >> 9 & 15, number & 511)


@st.composite
def _steps(draw: st.DrawFn, programs: st.SearchStrategy[bytes]) -> list[Step]:
    """A composite, since Hypothesis prints what ``map`` made as a call of the function, not as the life it is."""
    program = draw(programs)
    numbers = [int.from_bytes(program[i : i + 3], "big") for i in range(0, len(program) - 2, 3)]
    return [_step(number) for number in numbers if number]


def lives(min_size: int = 48, max_size: int = 240) -> st.SearchStrategy[list[Step]]:
    """Lives of thirty steps or so; shrinks to ``[]``.

    Args:
        min_size, max_size: how many bytes are drawn; more make longer lives.
    """
    return _steps(st.binary(min_size=min_size, max_size=max_size))
