"""What the properties of containers share: the things that letters stand for, and what a container holds, as
letters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from conformance import model
from conformance.language import blueprint as bp
from conformance.model import Reading

if TYPE_CHECKING:
    from conformance.build.execute import Subject

#: The modules that containers hold. Some have children or state of their own.
MODULES = bp.Module(
    {
        "a": bp.Linear(1, 1, fill=1),
        "b": bp.Identity(),
        "c": bp.Sequential([bp.Linear(2, 1, False, fill=3), bp.ReLU()]),
        "d": bp.BatchNorm1d(1, fill=5),
        "e": bp.ModuleList([bp.Identity()]),
        "f": bp.Linear(1, 1, fill=8),
    }
)

#: The things that containers of parameters hold: parameters, plain tensors, and objects that are no tensors.
VALUES = bp.Module(
    {
        "a": bp.Parameter((2,), fill=1),
        "b": bp.Parameter((), "float64", fill=2),
        "c": bp.Parameter((2, 2), fill=3, requires_grad=False),
        "t": bp.Attribute(bp.Tensor((3,), fill=4)),
        "u": bp.Attribute(bp.Tensor((1, 2), fill=5)),
        "x": bp.Attribute("text"),
        "y": bp.Attribute((1, 2)),
    }
)
PARAMETERS = "abc"
TENSORS = "tu"
OBJECTS = "xy"
ANYTHING = PARAMETERS + TENSORS + OBJECTS


class Index:
    """An object that stands for a number wherever Python wants an index."""

    def __init__(self, number: int):
        self.number = number

    def __index__(self) -> int:
        return self.number


def pick(subject: Subject, letters: Iterable[str]) -> list[Any]:
    """The things that the letters stand for."""
    return [subject[letter] for letter in letters]


def pairs(subject: Subject, letters: dict[str, str]) -> list[tuple[str, Any]]:
    """The things that the letters stand for, by key."""
    return [(key, subject[letter]) for key, letter in letters.items()]


def held(subject: Subject, container: Any) -> tuple[Any, ...]:
    """What a list of modules holds: by iteration, by index, by length, and its children by name."""
    by_index = [subject.path(container[i]) for i in range(len(container))]
    return subject.paths(container), by_index, len(container), subject.named(container.named_children())


def holding(letters: Iterable[str], names: Iterable[str] | None = None) -> tuple[Any, ...]:
    """The same of a list that holds these modules, under the names "0", "1", ... or under those given."""
    letters = list(letters)
    named = model.renumber(letters) if names is None else dict(zip(names, letters, strict=True))
    return letters, letters, len(letters), model.once(named.items())


def held_by_key(subject: Subject, container: Any) -> tuple[Any, ...]:
    """What a dict of modules holds: by key, by its three views, by length, and its children by name."""
    by_key = [(key, subject.path(container[key])) for key in container]
    views = list(container.keys()), subject.paths(container.values()), subject.named(container.items())
    return by_key, *views, len(container), subject.named(container.named_children())


def holding_by_key(letters: dict[str, str]) -> tuple[Any, ...]:
    """The same of a dict that holds these modules."""
    pairs = list(letters.items())
    return pairs, list(letters), list(letters.values()), pairs, len(letters), model.once(pairs)


def tree_of(kind: Any, letters: dict[str, str]) -> model.ModuleModel:
    """The model of a container of that kind with these modules under these names."""
    first: dict[str, str] = {}
    members = {}
    for name, letter in letters.items():
        members[name] = bp.Shared(first[letter]) if letter in first else MODULES.at(letter)
        first.setdefault(letter, name)
    return model.of(bp.Blueprint(kind, tuple(members.items())))


def state_of(subject: Subject, container: Any) -> list[tuple[str, Reading]]:
    """Keys and values of the container's state_dict."""
    return [(key, subject.implementation.read(value)) for key, value in container.state_dict().items()]


def state_of_model(tree: model.ModuleModel) -> list[tuple[str, Reading]]:
    """The same, by the model."""
    return [(key, Reading(tensor.shape, tensor.dtype, tensor.flat)) for key, tensor in tree.state().items()]


def define_step(implementation: Any) -> type:
    """A module that shows in its output what it was and what it was called with."""

    class Step(implementation.Module):
        def __init__(self, letter: str):
            super().__init__()
            self.letter = letter

        def forward(self, value: Any) -> Any:
            return self.letter, value

    return Step


def cascade(letters: Iterable[str], value: Any) -> Any:
    """What Steps give that run one after another."""
    for letter in letters:
        value = (letter, value)
    return value


def entry(subject: Subject, value: Any) -> Any:
    """What a container of parameters holds in one place: the letter of a parameter, the numbers of a new one, or a
    value."""
    implementation = subject.implementation
    if not implementation.is_tensor(value):
        return value
    path = subject.path(value)
    if path in PARAMETERS:
        return path
    return "Parameter" if implementation.is_parameter(value) else "tensor", implementation.read(value)


def stored(letter: str) -> Any:
    """What a container of parameters holds after that value was put into it: tensors have become parameters."""
    member = VALUES.at(letter)
    if not isinstance(member, bp.Attribute):
        return letter
    tensor = member.value
    return ("Parameter", _reading(tensor)) if isinstance(tensor, bp.Tensor) else tensor


def _reading(tensor: bp.Tensor) -> Reading:
    return Reading(tensor.shape, tensor.dtype, tensor.flat)


def held_values(subject: Subject, container: Any) -> tuple[Any, ...]:
    """What a list of parameters holds: by iteration, by index, by length, and its state_dict."""
    by_index = [entry(subject, container[i]) for i in range(len(container))]
    return [entry(subject, value) for value in container], by_index, len(container), dict(state_of(subject, container))


def holding_values(letters: Iterable[str]) -> tuple[Any, ...]:
    """The same of a list into which these values were put."""
    letters = list(letters)
    values = [stored(letter) for letter in letters]
    return values, values, len(values), dict(registered(model.renumber(letters)))


def held_values_by_key(subject: Subject, container: Any) -> tuple[Any, ...]:
    """What a dict of parameters holds: by key, in order, by length, and its state_dict."""
    by_key = [(key, entry(subject, container[key])) for key in container]
    return by_key, len(container), dict(state_of(subject, container))


def holding_values_by_key(letters: dict[str, str]) -> tuple[Any, ...]:
    """The same of a dict into which these values were put."""
    pairs = [(key, stored(letter)) for key, letter in letters.items()]
    return pairs, len(pairs), dict(registered(letters))


def registered(letters: dict[str, str]) -> list[tuple[str, Reading]]:
    """The state_dict of a container of these values: parameters and what became one, under their names."""
    tensors = {name: VALUES.at(letter) for name, letter in letters.items() if letter not in OBJECTS}
    return [(name, _reading(getattr(tensor, "value", tensor))) for name, tensor in tensors.items()]
