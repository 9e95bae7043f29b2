"""Modules that somebody else made: the contract asked of one class, whatever its constructor needs.

A *factory* returns a new module each time. What one of them holds is read from the registries of the framework's base
class and written down as a blueprint; from then on everything is as for a drawn tree: the model says what each method
must answer, and the module, whose class may have overridden that method, is asked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from conformance import model
from conformance.adapter.absence import AdapterError
from conformance.adapter.port import Implementation
from conformance.language import blueprint as bp
from conformance.model.files import leaves
from strategies import never_draws

Factory = Callable[[], Any]
#: The most elements that a module may hold: every one of them is compared as a Python number.
LARGEST = 20_000
#: How often a module is called to see whether it returns the same each time.
CALLS = 5


def given(
    implementation: Implementation, factory: Factory, example: Callable[[], Any] | None = None, name: str = ""
) -> Implementation:
    """The implementation in which every tree is a module that the factory made.

    Args:
        implementation: the framework's adapter.
        factory: called without arguments; returns a new module, of the same structure each time.
        example: called without arguments; returns a tensor, or a tuple of positional arguments, with which the module
            can be called. Without it the clauses that call the module are skipped.
        name: what reports call it; by default the factory's own name.

    Raises:
        AdapterError: the factory returns no module of the framework, a module of another structure each time, or one
            that is too large, cannot be described, or cannot be called with the example.
    """
    kind = type("Given", (Given, type(implementation)), {})
    made: Given = object.__new__(kind)
    made.__dict__.update({**vars(implementation), "factory": factory, "call_with": example})
    made.name, made.framework = name or name_of(factory), f"{implementation.name} {implementation.version}"
    first, second = made.new(), made.new()
    described = made.describe(first)
    made.__dict__.update(described=described, sample=first, draws={"blueprint": st.just(described), "rows": st.none()})
    if made.describe(first, values=False) != made.describe(second, values=False):
        raise AdapterError(f"{made.name}: the factory makes another structure each time; make it deterministic")
    own = {id(thing): path for path, thing in made.objects(first)}
    for path, thing in made.objects(second):
        if id(thing) in own:
            raise AdapterError(f"{made.name}: two modules of the factory share {path or 'everything'!r}; make new ones")
    if example is not None:
        made.__dict__["results"] = made.called(first)
    return made


def name_of(factory: Factory) -> str:
    """What a report calls the modules that this factory makes."""
    return str(getattr(factory, "__qualname__", None) or getattr(factory, "__name__", None) or repr(factory))


def exact(value: Any) -> Any:
    """The nearest number that every floating-point dtype holds exactly, so that no conversion rounds it."""
    if isinstance(value, complex):
        return complex(exact(value.real), exact(value.imag))
    if not isinstance(value, float) or math.isinf(value):
        return value
    if math.isnan(value) or abs(value) < 2**-14:
        return 0.0
    mantissa, exponent = math.frexp(value)
    return math.ldexp(round(mantissa * 256), exponent - 8)


def otherwise(value: Any) -> Any:
    """A blueprint of somebody's module with other values in it; anything else as it is."""

    def change(member: Any) -> Any:
        if getattr(member, "held", None) is None:
            return member
        return replace(member, held=tuple(not each if isinstance(each, bool) else each + 1 for each in member.held))

    return value.map(change) if isinstance(value, bp.Blueprint) else value


class Given(Implementation):
    """Mixed into an adapter by ``given``."""

    factory: Factory
    call_with: Callable[[], Any] | None
    described: bp.Blueprint
    sample: Any
    #: What some calls with the example returned in evaluation mode: one thing only, unless the module draws or counts.
    results: frozenset[str]
    framework: str

    #: A class is held to what is documented, not to what PyTorch happens to do.
    held_to_observed = False  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{self.name}>"

    def lacks(self, capability: str) -> str | None:
        if capability in ("construction", "computation"):
            return f"{self.name} is one module: what it computes and how it is made is its own"
        if capability == "Module.__repr__":
            return f"{self.name} prints as its author likes"
        if capability == "example" and self.call_with is None:
            return f"no example of an input was given for {self.name}"
        if capability == "example.repeatable" and self.call_with is not None and len(self.results) > 1:
            return f"{self.name} does not return the same each time that it is called"
        return super().lacks(capability)

    def declines(self, strategies: Mapping[str, Any]) -> str | None:
        return never_draws(strategies["blueprint"], self.described) if "blueprint" in strategies else None

    def restrict(self, blueprint: bp.Blueprint) -> bp.Blueprint:
        return blueprint

    def example(self, rows: Any, device: str) -> tuple[Any, ...]:
        assert self.call_with is not None
        arguments = self.call_with()
        arguments = arguments if isinstance(arguments, tuple) else (arguments,)
        return tuple(self.move(each, device) if self.is_tensor(each) else each for each in arguments)

    def new(self) -> Any:
        """A new module from the factory."""
        module = self.factory()
        if not isinstance(module, self.Module):
            raise AdapterError(f"{self.name} made a {type(module).__name__}, which is no {self.Module.__name__}")
        return module

    def within(self, path: str) -> Any:
        """The module at that path of one that the factory made before: it shows what the others have."""
        here = self.sample
        for name in filter(None, path.split(".")):
            here = self.member_of(here, name)
        return here

    def has(self, path: str, name: str) -> bool:
        """Whether the module at that path has an attribute of that name."""
        return hasattr(self.within(path), name)

    def is_attribute(self, path: str, name: str) -> bool:
        """Whether what is registered at that path under the name is the attribute of that name."""
        here = self.within(path)
        return getattr(here, name, None) is self.member_of(here, name)

    def member_of(self, module: Any, name: str) -> Any:
        """What is registered on that module under the name."""
        return next(thing for key, _, thing in self.registered(module) if key == name)

    def called(self, module: Any) -> frozenset[str]:
        """The different results of a few calls in evaluation mode."""
        module.eval()
        try:
            outputs = [leaves(module(*self.example(None, "cpu"))) for _ in range(CALLS)]
        except Exception as error:
            raise AdapterError(
                f"{self.name} cannot be called with the example: {type(error).__name__}: {error}"
            ) from error
        return frozenset(str([self.read(each) for each in values if self.is_tensor(each)]) for values in outputs)

    def numbers(self) -> Iterator[Any]:
        """Every element that a new module holds."""
        for _, thing in self.objects(self.new()):
            if not isinstance(thing, self.Module):
                yield from self.read(thing).flat

    def objects(self, module: Any, path: str = "") -> Iterator[tuple[str, Any]]:
        """(path, object) of everything that is registered in the tree, and of the module itself."""
        yield path, module
        for name, kind, thing in self.registered(module):
            if kind == "module" and thing is not None:
                yield from self.objects(thing, model.join(path, name))
            elif thing is not None:
                yield model.join(path, name), thing

    def describe(self, made: Any, values: bool = True) -> bp.Blueprint:
        """The blueprint of that module; without its values for ``values=False``."""
        first: dict[int, str] = {}
        elements = 0

        def describe(module: Any, path: str) -> bp.Blueprint:
            first[id(module)] = path
            members = {
                name: member(kind, thing, model.join(path, name)) for name, kind, thing in self.registered(module)
            }
            return bp.Blueprint("Given", tuple(members.items()), module.training)

        def member(kind: str, thing: Any, path: str) -> bp.Member:
            nonlocal elements
            if thing is None:
                return bp.Empty("buffer" if kind == "transient" else kind)
            if id(thing) in first:
                return bp.Shared(first[id(thing)], persistent=kind != "transient")
            if kind == "module":
                return describe(thing, path)
            first[id(thing)] = path
            try:
                shape, dtype, flat = self.read(thing)
            except Exception as error:
                reason = str(error).partition(". ")[0]
                raise AdapterError(f"{self.name}: the {kind} {path!r} cannot be read: {reason}") from error
            if dtype not in bp.DTYPES and not dtype.startswith(("int", "uint")):
                raise AdapterError(f"{self.name}: the {kind} {path!r} is of {dtype}, of which no clause speaks")
            elements += len(flat)
            if elements > LARGEST:
                raise AdapterError(f"{self.name} holds more than {LARGEST} numbers; give a smaller configuration")
            held = tuple(map(exact, flat)) if values else ()
            if kind == "parameter":
                return bp.Parameter(shape, dtype, requires_grad=self.requires_grad(thing), held=held)
            return bp.Buffer(shape, dtype, persistent=kind == "buffer", held=held)

        described = describe(made, "")
        try:
            model.of(described)
        except bp.BlueprintError as error:
            raise AdapterError(f"{self.name} cannot be described: {error}") from None
        return described
