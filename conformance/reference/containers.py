"""Modules that hold modules or parameters in a list or a dictionary."""

from __future__ import annotations

import operator
from collections import OrderedDict
from collections.abc import Iterable, Iterator, KeysView, Mapping, MutableMapping, MutableSequence
from typing import Any

from conformance.reference.module import Module, indented
from conformance.reference.parameter import Parameter
from conformance.reference.tensor import Tensor

# --- modules in a list -------------------------------------------------------------------------------------------


class _ModuleSequence(Module):
    """Child modules in order, named by position unless names were given."""

    _named = False  # whether the names were given, so that they are not to be made anew

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._modules.values())

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return self._sliced(index)
        return self._modules[self._name_at(index)]

    def __setitem__(self, index: Any, module: Any) -> None:
        name = self._name_at(index)
        if module is not None and not isinstance(module, Module):
            raise self._cannot_assign(module, "child module", name, "torch.nn.Module or None")
        self._store("module", name, module)

    def __delitem__(self, index: Any) -> None:
        if not isinstance(index, slice):
            self._name_at(index)  # raises IndexError
        items = list(self._modules.items())
        del items[index]
        self._arrange(items)

    def append(self, module: Any) -> Any:
        """Add a module at the end."""
        self.add_module(self._free_name(), module)
        return self

    def insert(self, index: Any, module: Any) -> Any:
        """Add a module before the one at that index."""
        place = operator.index(index)
        self.append(module)
        items = list(self._modules.items())
        items.insert(place, items.pop())
        self._arrange(items)
        return self

    def extend(self, modules: Iterable[Any]) -> Any:
        """Add modules at the end."""
        for module in list(modules):  # the list itself may be what it is extended by
            self.append(module)
        return self

    def pop(self, key: Any = -1) -> Any:
        """Remove and return the module at that index, or the container of those in a slice."""
        found = self[key]
        del self[key]
        return found

    def _name_at(self, index: Any) -> str:
        """The name of the module at that index, counted from the end if it is negative."""
        place = operator.index(index)
        if not -len(self) <= place < len(self):
            raise IndexError(f"index {place} is out of range")
        return list(self._modules)[place]

    def _free_name(self) -> str:
        """The name of a module to be added: its position, or the next number that is not a name yet."""
        number = len(self)
        while str(number) in self._modules:
            number += 1
        return str(number)

    def _arrange(self, items: list[tuple[str, Any]]) -> None:
        """Hold exactly these modules, in this order, positions renumbered and given names kept."""
        self._modules.clear()
        for number, (name, module) in enumerate(items):
            self._modules[name if self._named else str(number)] = module

    def _sliced(self, index: slice) -> Any:
        """A container of this class, made without its constructor, whose signature is not known."""
        made = object.__new__(type(self))
        vars(made).update({**vars(self), **self._initial_state()})
        made._modules.update(list(self._modules.items())[index])
        return made


class Sequential(_ModuleSequence):
    """Modules that are called one after another, each with what the one before it gave."""

    def __init__(self, *args: Any):
        super().__init__()
        self._named = len(args) == 1 and isinstance(args[0], OrderedDict)
        for name, module in args[0].items() if self._named else enumerate(args):
            self.add_module(name if self._named else str(name), module)

    def forward(self, input: Any) -> Any:
        """What the last module gives; the input if there is none."""
        for module in self:
            input = module(input)
        return input

    def insert(self, index: Any, module: Any) -> Any:
        """Add a module before the one at that index, which must lie in the container."""
        if not isinstance(module, Module):
            raise AssertionError(f"module should be of type: {Module}")
        self._check_insertion(operator.index(index))
        return super().insert(index, module)

    def __add__(self, other: Any) -> Any:
        self._check_operand(other)
        return Sequential(*self, *other)

    def __iadd__(self, other: Any) -> Any:
        self._check_operand(other)
        return self.extend(other)

    def __mul__(self, count: int) -> Any:
        self._check_count(count)
        return Sequential(*list(self) * count)

    __rmul__ = __mul__

    def __imul__(self, count: int) -> Any:
        self._check_count(count)
        return self.extend(list(self) * (count - 1))

    def _check_operand(self, other: Any) -> None:
        if not isinstance(other, Sequential):
            raise ValueError(f"add operator supports only objects of Sequential class, but {type(other)} is given.")

    def _check_count(self, count: Any) -> None:
        if not isinstance(count, int):
            raise TypeError(f"unsupported operand type(s) for *: {type(self)} and {type(count)}")
        if count <= 0:
            raise ValueError(f"Non-positive multiplication factor {count} for {type(self)}")

    def _check_insertion(self, index: int) -> None:
        if not -len(self) <= index <= len(self):
            raise IndexError(f"Index out of range: {index}")


class ModuleList(_ModuleSequence):
    """Modules in a list; it has no forward of its own."""

    def __init__(self, modules: Iterable[Any] | None = None):
        super().__init__()
        if modules is not None:
            self.extend(modules)

    def __setitem__(self, index: Any, module: Any) -> None:
        if not isinstance(index, slice):
            super().__setitem__(index, module)
            return
        modules = list(self)
        modules[index] = ModuleList(module)  # which takes nothing but modules
        self._arrange([("", kept) for kept in modules])

    def extend(self, modules: Iterable[Any]) -> Any:
        """Add modules at the end."""
        if not isinstance(modules, Iterable):
            raise TypeError(f"ModuleList.extend should be called with an iterable, but got {type(modules).__name__}")
        return super().extend(modules)

    def __add__(self, other: Iterable[Any]) -> Any:
        return ModuleList([*self]).extend(other)

    def __iadd__(self, other: Iterable[Any]) -> Any:
        return self.extend(other)

    def _sliced(self, index: slice) -> Any:
        made = super()._sliced(index)
        made._arrange(list(made._modules.items()))
        return made

    def _child_lines(self) -> list[str]:
        """The children, neighbours that print alike on one line."""
        texts = [repr(child) for child in self]
        lines, start = [], 0
        for end in range(1, len(texts) + 1):
            if end == len(texts) or texts[end] != texts[start]:
                run = end - start
                head = f"({start}): " if run == 1 else f"({start}-{end - 1}): {run} x "
                lines.append(head + indented(texts[start]))
                start = end
        return lines


# --- modules in a dictionary -------------------------------------------------------------------------------------


class ModuleDict(Module):
    """Modules in a dictionary, in the order in which they were added."""

    def __init__(self, modules: Any = None):
        super().__init__()
        if modules is not None:
            self.update(modules)

    def __getitem__(self, key: str) -> Any:
        return self._modules[key]

    def __setitem__(self, key: str, module: Any) -> None:
        # Unlike add_module: the name of a method is a key like any other, found by it but not as an attribute.
        self._check_module(module)
        self._check_name("module", key)
        if self._slot(key) in ("parameter", "buffer"):
            raise KeyError(f"attribute '{key}' already exists")
        self._store("module", key, module)

    def __delitem__(self, key: str) -> None:
        del self._modules[key]

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __reversed__(self) -> Iterator[str]:
        return reversed(self._modules)

    def __contains__(self, key: object) -> bool:
        return key in self._modules

    def keys(self) -> Any:
        """The keys, as a live view."""
        return self._modules.keys()

    def values(self) -> Any:
        """The modules, as a live view."""
        return self._modules.values()

    def items(self) -> Any:
        """The pairs of key and module, as a live view."""
        return self._modules.items()

    def pop(self, key: str) -> Any:
        """Remove a key and return its module."""
        return self._modules.pop(key)

    def clear(self) -> None:
        """Remove all modules."""
        self._modules.clear()

    def update(self, modules: Any) -> None:
        """Add or replace modules, from a mapping or an iterable of pairs."""
        for key, module in pairs(modules, "ModuleDict"):
            self[key] = module


def pairs(source: Any, who: str) -> list[tuple[str, Any]]:
    """The (key, value) pairs of a mapping, of a container with keys, or of an iterable of pairs."""
    if isinstance(source, (Mapping, ModuleDict)):
        return list(source.items())
    if not isinstance(source, Iterable):
        raise TypeError(
            f"{who}.update should be called with an iterable of key/value pairs, but got {type(source).__name__}"
        )
    found = []
    for number, pair in enumerate(source):
        if not isinstance(pair, Iterable):
            raise TypeError(f"{who} update sequence element #{number} should be Iterable; is {type(pair).__name__}")
        pair = tuple(pair)
        if len(pair) != 2:
            raise ValueError(f"{who} update sequence element #{number} has length {len(pair)}; 2 is required")
        found.append(pair)
    return found


# --- parameters --------------------------------------------------------------------------------------------------


def as_parameter(value: Any) -> Any:
    """A tensor as a Parameter, which requires gradients if its dtype can; any other value as it is."""
    if not isinstance(value, Tensor) or isinstance(value, Parameter):
        return value
    return Parameter(value, requires_grad=value.dtype.is_differentiable)


def describe(value: Any) -> str:
    """One entry of a container of parameters, as repr shows it."""
    if not isinstance(value, Tensor):
        return f"Object of type: {type(value).__name__}"
    extent = "x".join(map(str, value.shape))
    kind = "Parameter" if isinstance(value, Parameter) else "Tensor"
    place = "" if value.device.type == "cpu" else f" ({value.device})"
    return f"{kind} containing: [{value.dtype} of size {extent}{place}]"


class ParameterList(Module, MutableSequence):
    """Values in a list; those that are parameters are registered under their position."""

    def __init__(self, parameters: Iterable[Any] | None = None):
        super().__init__()
        self._others: dict[str, Any] = {}  # by position, what is not a parameter
        self._length = 0
        if parameters is not None:
            self.extend(parameters)

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return type(self)(list(self)[index])
        name = str(range(len(self))[self._checked(index)])
        return self._parameters[name] if name in self._parameters else self._others[name]

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __setitem__(self, index: Any, value: Any) -> None:
        values = list(self)
        if isinstance(index, slice):
            values[index] = map(as_parameter, value)
        else:
            values[self._checked(index)] = self._admitted(str(range(len(self))[self._checked(index)]), value)
        self._arrange(values)

    def __delitem__(self, index: Any) -> None:
        values = list(self)
        del values[index if isinstance(index, slice) else self._checked(index)]
        self._arrange(values)

    def append(self, value: Any) -> Any:
        """Add a value at the end."""
        self._arrange([*self, self._admitted(str(len(self)), value)])
        return self

    def insert(self, index: int, value: Any) -> None:
        """Add a value before the one at that index."""
        self.append(value)
        values = list(self)
        values.insert(index, values.pop())
        self._arrange(values)

    def extend(self, values: Iterable[Any]) -> Any:
        """Add values at the end."""
        if not isinstance(values, Iterable) or isinstance(values, Tensor):
            raise TypeError(f"ParameterList.extend should be called with an iterable, but got {type(values).__name__}")
        for value in list(values):
            self.append(value)
        return self

    def __iadd__(self, values: Iterable[Any]) -> Any:
        return self.extend(values)

    def __add__(self, values: Iterable[Any]) -> Any:
        return ParameterList(self).extend(values)

    def __mul__(self, count: int) -> Any:
        return ParameterList(list(self) * count)

    __rmul__ = __mul__

    def __imul__(self, count: int) -> Any:
        self._arrange(list(self) * count)
        return self

    def copy(self) -> Any:
        """Another list of the same values."""
        return type(self)(self)

    def sort(self, *, key: Any = None, reverse: bool = False) -> None:
        """Sort in place."""
        self._arrange(sorted(self, key=key, reverse=reverse))

    def _checked(self, index: Any) -> int:
        place = operator.index(index)
        if not -len(self) <= place < len(self):
            raise IndexError(f"index {place} is out of range")
        return place

    def _admitted(self, name: str, value: Any) -> Any:
        """What the value is kept as: a tensor is registered as a parameter."""
        value = as_parameter(value)
        if not isinstance(value, Parameter):
            return value
        self.register_parameter(name, value)
        return self._parameters[name]

    def _arrange(self, values: list[Any]) -> None:
        """Hold exactly these values, in this order."""
        for number in range(max(len(values), len(self))):
            self._parameters.pop(str(number), None)
        self._others.clear()
        self._length = len(values)
        for number, value in enumerate(values):
            (self._parameters if isinstance(value, Parameter) else self._others)[str(number)] = value

    def extra_repr(self) -> str:
        """One line per value."""
        return "\n".join(f"  ({i}): {describe(value)}" for i, value in enumerate(self))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Refuse: there is nothing to compute."""
        raise RuntimeError("ParameterList should not be called.")


class ParameterDict(Module, MutableMapping):
    """Values in a dictionary; those that are parameters are registered under their key."""

    # A mapping compares by its items; a module is compared, and found in sets, by identity.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __init__(self, values: Any = None):
        super().__init__()
        self._others: dict[str, Any] = {}  # what is not a parameter; None stands where a parameter is
        if values is not None:
            self.update(values)

    def __len__(self) -> int:
        return len(self._others)

    def __iter__(self) -> Iterator[str]:
        return iter(self._others)

    def __reversed__(self) -> Iterator[str]:
        return reversed(self._others)

    def __contains__(self, key: object) -> bool:
        return key in self._others

    def __getitem__(self, key: str) -> Any:
        other = self._others[key]
        return self._parameters.get(key) if other is None else other

    def __setitem__(self, key: str, value: Any) -> None:
        if not isinstance(key, str):
            raise TypeError(
                f"Index given to ParameterDict cannot be used as a key as it is not a string (type is "
                f"'{type(key).__name__}')."
            )
        value = as_parameter(value)
        if isinstance(value, Parameter):
            # Unlike register_parameter: the name of a method is a key like any other, not found as an attribute.
            self._check_name("parameter", key)
            if self._slot(key) in ("buffer", "module"):
                raise KeyError(f"attribute '{key}' already exists")
            self._store("parameter", key, value)
            self._others[key] = None
            self._follow_order()
        else:
            self._others[key] = value
            self._parameters.pop(key, None)

    def __delitem__(self, key: str) -> None:
        del self._others[key]
        self._parameters.pop(key, None)

    def _follow_order(self) -> None:
        """Bring the parameters into the order of the keys."""
        for key in self._others:
            if key in self._parameters:
                self._parameters[key] = self._parameters.pop(key)

    def keys(self) -> KeysView[str]:
        """The keys, as a live view."""
        return KeysView(self)

    def copy(self) -> Any:
        """Another dictionary of the same values."""
        return ParameterDict(OrderedDict(self.items()))

    def popitem(self) -> tuple[str, Any]:
        """Remove and return the last pair."""
        if not self._others:
            raise KeyError("popitem(): dictionary is empty")
        key = next(reversed(self))
        return key, self.pop(key)

    def setdefault(self, key: str, default: Any = None) -> Any:
        """The value of a key, set to the default if it is missing."""
        if key not in self:
            self[key] = default
        return self[key]

    def fromkeys(self, keys: Iterable[str], default: Any = None) -> Any:
        """A new dictionary with these keys and one value for all."""
        return ParameterDict((key, default) for key in keys)

    def update(self, parameters: Any) -> None:  # type: ignore[override]
        """Add or replace values; those of a plain dict, which counts as unordered, in the order of their keys."""
        found = pairs(parameters, "ParameterDict")
        ordered = not isinstance(parameters, Mapping) or isinstance(parameters, (OrderedDict, ParameterDict))
        for key, value in found if ordered else sorted(found, key=lambda pair: pair[0]):
            self[key] = value

    def __or__(self, other: Mapping[str, Any]) -> Any:
        return self._merged(self, other)

    def __ror__(self, other: Mapping[str, Any]) -> Any:
        return self._merged(other, self)

    def __ior__(self, other: Mapping[str, Any]) -> Any:
        self.update(other)
        return self

    def _merged(self, one: Any, other: Any) -> Any:
        if not (isinstance(one, Mapping) and isinstance(other, Mapping)):
            return NotImplemented
        made = ParameterDict(one)
        made.update(other)
        return made

    def extra_repr(self) -> str:
        """One line per value."""
        return "\n".join(f"  ({key}): {describe(value)}" for key, value in self.items())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Refuse: there is nothing to compute."""
        raise RuntimeError("ParameterDict should not be called.")
