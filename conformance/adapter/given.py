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
from conformance.adapter.lens import Lens, seen
from conformance.language import blueprint as bp
from conformance.language.depth import unbounded
from conformance.model.files import leaves

Factory = Callable[[], Any]
#: The most elements that a module may hold: every one of them is compared as a Python number.
LARGEST = 20_000
#: How often a module is called to see whether it returns the same each time.
CALLS = 5


def given(implementation: Any, factory: Factory, example: Callable[[], Any] | None = None, name: str = "") -> Given:
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
    made = Given(seen(implementation), factory, example, name or name_of(factory))
    first, second = made.new(), made.new()
    made.sample, made.described = first, made.describe(first)
    made.draws = {"blueprint": st.just(made.described), "rows": st.none()}
    if made.describe(first, values=False) != made.describe(second, values=False):
        raise AdapterError(f"{made.name}: the factory makes another structure each time; make it deterministic")
    own = {id(thing): path for path, thing in made.objects(first)}
    for path, thing in made.objects(second):
        if id(thing) in own:
            raise AdapterError(f"{made.name}: two modules of the factory share {path or 'everything'!r}; make new ones")
    if example is not None:
        made.results = made.called(first)
    return made


def name_of(factory: Factory) -> str:
    """What a report calls the modules that this factory makes."""
    return str(getattr(factory, "__qualname__", None) or getattr(factory, "__name__", None) or repr(factory))


def speaks_not_of(strategy: st.SearchStrategy[bp.Blueprint], blueprint: bp.Blueprint) -> str | None:
    """Why a property never speaks of such a tree, or None: where the strategy of its trees promises some without sharing, or
    of some dtypes, it says nothing of one that somebody else made with them."""
    shared, dtypes = getattr(strategy, "promises", (True, frozenset(bp.DTYPES)))
    members = [member for node in blueprint.nodes() for _, member in node.members]
    if not shared and any(isinstance(member, bp.Shared) for member in members):
        return "speaks of modules in which nothing has two names"
    # Every tree may hold the int64 buffer of a BatchNorm.
    found = {m.dtype for m in members if isinstance(m, bp.Tensor) and not (type(m) is bp.Buffer and m.dtype == "int64")}
    if dtypes != set(bp.DTYPES) and not found <= dtypes:
        return f"speaks of modules without tensors of dtype {', '.join(sorted(found - dtypes))}"
    return None


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


class Given(Lens):
    """A lens through which every tree is a module of a factory's.

    Attributes:
        factory, call_with: what makes the module, and what it can be called with.
        sample: a module of the factory's, and ``described`` what it holds.
        results: what some calls with the example returned in evaluation mode: one thing only, unless the module draws or
            counts.
        framework: the implementation on which the module is built, and its version.
    """

    sample: Any
    described: bp.Blueprint
    results: frozenset[str]
    #: A class is held to what is documented, not to what PyTorch happens to do.
    held_to_observed = False

    def __init__(self, inner: Lens, factory: Factory, call_with: Callable[[], Any] | None, name: str):
        super().__init__(inner)
        self.factory, self.call_with, self.name = factory, call_with, name
        self.framework = f"{inner.name} {inner.version}"

    def __repr__(self) -> str:
        return f"<{self.name}>"

    def denies(self, capability: str) -> str | None:
        if capability in ("construction", "computation"):
            return f"{self.name} is one module: what it computes and how it is made is its own"
        if capability in ("portrait.attributes", "portrait.tensors"):
            return f"{self.name} comes with attributes and tensors as its author likes"
        if capability == "Module.__repr__":
            return f"{self.name} prints as its author likes"
        if capability == "example" and self.call_with is None:
            return f"no example of an input was given for {self.name}"
        if capability == "example.repeatable" and self.call_with is not None and len(self.results) > 1:
            return f"{self.name} does not return the same each time that it is called"
        return None

    def declines(self, strategies: Mapping[str, Any]) -> str | None:
        return speaks_not_of(strategies["blueprint"], self.described) if "blueprint" in strategies else None

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

    def objects(self, module: Any) -> Iterator[tuple[str, Any]]:
        """(path, object) of everything that is registered in the tree, and of the module itself."""
        waiting = [("", module)]
        while waiting:
            path, thing = waiting.pop()
            yield path, thing
            if isinstance(thing, self.Module):
                held = [(model.join(path, name), each) for name, _, each in self.registered(thing) if each is not None]
                waiting += reversed(held)

    def describe(self, made: Any, values: bool = True) -> bp.Blueprint:
        """The blueprint of that module; without its values for ``values=False``."""
        first: dict[int, str] = {}
        elements = 0

        @unbounded
        def describe(module: Any, path: str) -> Any:
            first[id(module)] = path
            members = {}
            for name, kind, thing in self.registered(module):
                here = model.join(path, name)
                if kind == "module" and thing is not None and id(thing) not in first:
                    members[name] = yield describe.recur(thing, here)
                else:
                    members[name] = member(kind, thing, here)
            return bp.Blueprint("Given", tuple(members.items()), module.training)

        def member(kind: str, thing: Any, path: str) -> bp.Member:
            nonlocal elements
            if thing is None:
                return bp.Empty("buffer" if kind == "transient" else kind)
            if id(thing) in first:
                return bp.Shared(first[id(thing)], persistent=kind != "transient")
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
