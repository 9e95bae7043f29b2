"""Small properties, each written with one construct of Python: what a property may be written with.

Each says in its docstring what it is an example of, and compares what the module names with what the model does. With the
fault that is planted for them, ``named_parameters()`` leaves the last one out, each fails; its script must then show the
same, or be refused in one sentence (see ``REFUSED``).
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import operator
from collections import OrderedDict, namedtuple
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import pytest

#: Every example by name, in the order of the page.
EXAMPLES: dict[str, Callable[..., None]] = {}
#: What cannot be written out, and why: the script calls the property then.
REFUSED: dict[str, str] = {}


def example(function: Callable[..., None]) -> Callable[..., None]:
    """Register a property."""
    EXAMPLES[function.__name__] = function
    return function


def refused(reason: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a property that is refused."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        REFUSED[function.__name__] = reason
        return example(function)

    return register


# --- expressions ----------------------------------------------------------------------------------------------------


@example
def list_comprehension(implementation, device, blueprint):
    """a list comprehension"""
    subject = implementation.build(blueprint, device)
    observed = [name.upper() for name, _ in subject.module.named_parameters()]
    expected = [name.upper() for name, _ in subject.model.named_parameters()]
    assert observed == expected


@example
def set_comprehension(implementation, device, blueprint):
    """a set comprehension"""
    subject = implementation.build(blueprint, device)
    observed = sorted({len(name) for name, _ in subject.module.named_parameters()})
    expected = sorted({len(name) for name, _ in subject.model.named_parameters()})
    assert observed == expected


@example
def dict_comprehension(implementation, device, blueprint):
    """a dict comprehension"""
    subject = implementation.build(blueprint, device)
    observed = {name: implementation.read(each).shape for name, each in subject.module.named_parameters()}
    expected = {name: reading.shape for name, reading in subject.expected_readings().items()}
    assert observed == expected


@example
def nested_comprehension(implementation, device, blueprint):
    """a comprehension with two `for` and an `if`"""
    subject = implementation.build(blueprint, device)
    observed = [(a, b) for a, _ in subject.module.named_parameters() for b in ("x", "y") if a != b]
    expected = [(a, b) for a, _ in subject.model.named_parameters() for b in ("x", "y") if a != b]
    assert observed == expected


@example
def generator_expression(implementation, device, blueprint):
    """a generator expression given to a function"""
    subject = implementation.build(blueprint, device)
    observed = sum(len(name) for name, _ in subject.module.named_parameters())
    expected = sum(len(name) for name, _ in subject.model.named_parameters())
    assert observed == expected


@example
def next_of_what_is_known(implementation, device, blueprint):
    """`next` over a generator expression of drawn data"""
    subject = implementation.build(blueprint, device)
    last = next((name for name, _ in reversed(subject.model.named_parameters())), None)
    observed = last in dict(subject.module.named_parameters())
    expected = True
    assert observed == expected


@example
def next_of_the_frameworks(implementation, device, blueprint):
    """`iter` and `next` over what the framework yields"""
    subject = implementation.build(blueprint, device)
    pairs = iter(subject.module.named_parameters())
    observed = []
    while (pair := next(pairs, None)) is not None:
        observed.append(pair[0])
    expected = [name for name, _ in subject.model.named_parameters()]
    assert observed == expected


@example
def generator_kept(implementation, device, blueprint):
    """a generator expression that is kept and taken from twice"""
    subject = implementation.build(blueprint, device)
    names = (name for name, _ in subject.model.named_parameters())
    first = next(names)
    observed = [name for name, _ in subject.module.named_parameters()]
    expected = [first, *names]
    assert observed == expected


@example
def walrus(implementation, device, blueprint):
    """an assignment in an expression"""
    subject = implementation.build(blueprint, device)
    observed = [(found := name, len(found)) for name, _ in subject.module.named_parameters()]
    if (count := len(subject.model.named_parameters())) > 0:
        expected = [(name, len(name)) for name, _ in subject.model.named_parameters()][:count]
    assert observed == expected


@example
def f_string(implementation, device, blueprint):
    """f-strings, with conversions and formats"""
    subject = implementation.build(blueprint, device)
    observed = f"{[name for name, _ in subject.module.named_parameters()]!r:>60}|{blueprint.kind:10}"
    expected = f"{[name for name, _ in subject.model.named_parameters()]!r:>60}|{blueprint.kind:10}"
    assert observed == expected


@example
def lambda_with_defaults(implementation, device, blueprint):
    """a lambda with defaults"""
    subject = implementation.build(blueprint, device)
    mark = lambda name, before="<", after=">": before + name + after  # noqa: E731
    observed = [mark(name, after="!") for name, _ in subject.module.named_parameters()]
    expected = [mark(name, after="!") for name, _ in subject.model.named_parameters()]
    assert observed == expected


@example
def starred_call(implementation, device, blueprint):
    """a call with `*` and `**`"""
    subject = implementation.build(blueprint, device)

    def gathered(*things, **options):
        return list(things), options

    options = {"prefix": "p"}
    observed = gathered(*(name for name, _ in subject.module.named_parameters(**options)), a=1, **options)
    expected = gathered(*(name for name, _ in subject.model.named_parameters("p")), a=1, **options)
    assert observed == expected


@example
def chained_comparison(implementation, device, blueprint):
    """a chained comparison"""
    subject = implementation.build(blueprint, device)
    count = len(subject.model.named_parameters())
    observed = 0 < count <= len(list(subject.module.named_parameters())) < 100
    expected = True
    assert observed == expected


@example
def conditional_expression(implementation, device, blueprint):
    """a conditional expression that the framework decides"""
    subject = implementation.build(blueprint, device)
    observed = "all" if len(list(subject.module.named_parameters())) == len(subject.model.named_parameters()) else "few"
    expected = "all"
    assert observed == expected


@example
def boolean_operators(implementation, device, blueprint):
    """`and`, `or` and `not` between known and unknown things"""
    subject = implementation.build(blueprint, device)
    names = [name for name, _ in subject.module.named_parameters()]
    observed = (not names) or (names and len(names) == len(subject.model.named_parameters())) or "some are missing"
    expected = True
    assert observed == expected


@example
def slices(implementation, device, blueprint):
    """slices"""
    subject = implementation.build(blueprint, device)
    observed = [name for name, _ in subject.module.named_parameters()][1:][::-1]
    expected = [name for name, _ in subject.model.named_parameters()][1:][::-1]
    assert observed == expected


@example
def set_operators(implementation, device, blueprint):
    """operations on sets"""
    subject = implementation.build(blueprint, device)
    known = {name for name, _ in subject.model.named_parameters()}
    seen = {name for name, _ in subject.module.named_parameters()}
    observed = sorted((known - seen) | (seen ^ known))
    expected = sorted(known & set())
    assert observed == expected


@example
def dict_operators(implementation, device, blueprint):
    """operations on dicts"""
    subject = implementation.build(blueprint, device)
    observed = {"before": 0} | {name: len(name) for name, _ in subject.module.named_parameters()}
    observed.setdefault("more", 1)
    observed.pop("before")
    expected = {name: len(name) for name, _ in subject.model.named_parameters()}
    expected.update(more=1)
    assert observed == expected


@example
def builtins(implementation, device, blueprint):
    """`zip`, `enumerate`, `map`, `filter`, `sorted` with a key, `reversed`"""
    subject = implementation.build(blueprint, device)
    names = sorted(map(operator.itemgetter(0), subject.module.named_parameters()), key=lambda name: (len(name), name))
    observed = list(enumerate(zip(reversed(names), filter(None, names)), start=1))
    names = sorted((name for name, _ in subject.model.named_parameters()), key=lambda name: (len(name), name))
    expected = list(enumerate(zip(reversed(names), filter(None, names)), start=1))
    assert observed == expected


@example
def standard_library(implementation, device, blueprint):
    """functions and classes of the standard library"""
    subject = implementation.build(blueprint, device)
    chained = itertools.chain.from_iterable([subject.module.named_parameters()])
    observed = OrderedDict((name, len(name)) for name, _ in chained)
    expected = OrderedDict((name, len(name)) for name, _ in subject.model.named_parameters())
    assert observed == expected


# --- statements -----------------------------------------------------------------------------------------------------


@example
def starred_assignment(implementation, device, blueprint):
    """an assignment with a star"""
    subject = implementation.build(blueprint, device)
    first, *observed = [name for name, _ in subject.module.named_parameters()]
    _, *expected = [name for name, _ in subject.model.named_parameters()]
    assert first and observed == expected


@example
def several_targets(implementation, device, blueprint):
    """one list under two names, and names that change places"""
    subject = implementation.build(blueprint, device)
    observed = both = []
    for name, _ in subject.module.named_parameters():
        both.append(name)
    one, other = observed, [name for name, _ in subject.model.named_parameters()]
    one, other = other, one
    observed, expected = other, one
    assert observed == expected


@example
def augmented_assignment(implementation, device, blueprint):
    """augmented assignments of numbers, lists, items and attributes"""
    subject = implementation.build(blueprint, device)
    module, count, found = subject.module, 0, {"names": []}
    module.seen = 0
    for name, _ in module.named_parameters():
        count += 1
        found["names"] += [name]
        module.seen += 1
    observed = count, found["names"], module.seen
    names = [name for name, _ in subject.model.named_parameters()]
    expected = len(names), names, len(names)
    assert observed == expected


@example
def deletion(implementation, device, blueprint):
    """`del` of variables, items and attributes"""
    subject = implementation.build(blueprint, device)
    module = subject.module
    module.spare = 1
    spare = dict(module.named_parameters())
    del module.spare
    del spare["first"]
    observed = list(spare), hasattr(module, "spare")
    del spare
    names = [name for name, _ in subject.model.named_parameters()]
    del names[0]
    expected = names, False
    assert observed == expected


@example
def while_loop(implementation, device, blueprint):
    """`while`, decided by drawn data and by the framework"""
    subject = implementation.build(blueprint, device)
    left, observed = list(subject.module.named_parameters()), []
    while left:
        name, _ = left.pop(0)
        observed.append(name)
    expected, i = [], 0
    while i < len(subject.model.named_parameters()):
        expected.append(subject.model.named_parameters()[i][0])
        i += 1
    assert observed == expected


@example
def while_with_break(implementation, device, blueprint):
    """`while` with `break`, `continue` and `else`"""
    subject = implementation.build(blueprint, device)
    left, observed = list(subject.module.named_parameters()), []
    while True:
        if not left:
            break
        name, _ = left.pop(0)
        if name == "first":
            continue
        observed.append(name)
    else:
        observed.append("never")
    expected = [name for name, _ in subject.model.named_parameters() if name != "first"]
    assert observed == expected


@example
def for_else(implementation, device, blueprint):
    """`for` with `break` and `else`"""
    subject = implementation.build(blueprint, device)
    last = subject.model.named_parameters()[-1][0]
    for name, _ in subject.module.named_parameters():
        if name == last:
            observed = "found"
            break
    else:
        observed = "not found"
    expected = "found"
    assert observed == expected


@example
def for_with_continue(implementation, device, blueprint):
    """`for` over what the framework yields, with `continue`"""
    subject = implementation.build(blueprint, device)
    observed = []
    for index, (name, _) in enumerate(subject.module.named_parameters()):
        if index == 0:
            continue
        observed.append(name)
    expected = [name for name, _ in subject.model.named_parameters()][1:]
    assert observed == expected


@example
def branches(implementation, device, blueprint):
    """`if`, `elif` and `else`, decided by the framework"""
    subject = implementation.build(blueprint, device)
    count = len(list(subject.module.named_parameters()))
    if count == 0:
        observed = "none"
    elif count < len(subject.model.named_parameters()):
        observed = "some"
    else:
        observed = "all"
    expected = "all"
    assert observed == expected


@example
def match_of_drawn_data(implementation, device, blueprint):
    """`match` on drawn data"""
    subject = implementation.build(blueprint, device)
    match [name for name, _ in subject.model.named_parameters()]:
        case [first, *_, last] if first != last:
            expected = last
        case _:
            expected = "something else"
    observed = list(subject.module.named_parameters())[-1][0]
    assert observed == expected


@example
def match_of_the_frameworks(implementation, device, blueprint):
    """`match` on what the framework answers"""
    subject = implementation.build(blueprint, device)
    match [name for name, _ in subject.module.named_parameters()]:
        case [a, b, c]:
            observed = [a, b, c]
        case [a, *more]:
            observed = [a, "and", *more]
        case _:
            observed = []
    expected = [name for name, _ in subject.model.named_parameters()]
    assert observed == expected


@example
def early_return(implementation, device, blueprint):
    """a helper that returns from the middle"""
    subject = implementation.build(blueprint, device)

    def position(names, wanted):
        for i, name in enumerate(names):
            if name == wanted:
                return i
        return None

    last = subject.model.named_parameters()[-1][0]
    observed = position([name for name, _ in subject.module.named_parameters()], last)
    expected = len(subject.model.named_parameters()) - 1
    assert observed == expected


def names_of(module: Any, without: str = "") -> list[str]:
    """The names, one left out."""
    found = []
    for name, _ in module.named_parameters():
        if name == without:
            continue
        found.append(name)
    return found


@example
def helper(implementation, device, blueprint):
    """a helper of the suite's"""
    subject = implementation.build(blueprint, device)
    observed = names_of(subject.module, without="first")
    expected = [name for name, _ in subject.model.named_parameters() if name != "first"]
    assert observed == expected


@example
def assertion_in_a_loop(implementation, device, blueprint):
    """`assert` with a message, in a loop"""
    subject = implementation.build(blueprint, device)
    seen = dict(subject.module.named_parameters())
    for name, _ in subject.model.named_parameters():
        observed, expected = name in seen, True
        assert observed == expected, f"{name} is missing"


@example
def import_inside(implementation, device, blueprint):
    """an import inside the property"""
    from collections import Counter

    subject = implementation.build(blueprint, device)
    observed = Counter(len(name) for name, _ in subject.module.named_parameters())
    expected = Counter(len(name) for name, _ in subject.model.named_parameters())
    assert observed == expected


COUNT = 0


@refused("it changes a variable at the top of a file")
def global_variable(implementation, device, blueprint):
    """`global`"""
    global COUNT
    subject = implementation.build(blueprint, device)
    COUNT = len(list(subject.module.named_parameters()))
    observed, expected = COUNT, len(subject.model.named_parameters())
    assert observed == expected


# --- exceptions and contexts ----------------------------------------------------------------------------------------


@example
def try_except(implementation, device, blueprint):
    """`try` with `except`"""
    subject = implementation.build(blueprint, device)
    last = subject.model.named_parameters()[-1][0]
    try:
        observed = dict(subject.module.named_parameters())[last] is subject[last]
    except KeyError as error:
        observed = f"no {error}"
    expected = True
    assert observed == expected


@example
def try_everything(implementation, device, blueprint):
    """`try` with `except`, `else` and `finally`"""
    subject, steps = implementation.build(blueprint, device), []
    try:
        names = [name for name, _ in subject.module.named_parameters()]
    except AttributeError:
        steps.append("error")
    else:
        steps.append(len(names))
    finally:
        steps.append("end")
    observed, expected = steps, [len(subject.model.named_parameters()), "end"]
    assert observed == expected


@example
def exception_from_the_framework(implementation, device, blueprint):
    """an exception that nothing catches"""
    subject = implementation.build(blueprint, device)
    found = dict(subject.module.named_parameters())
    observed = [found[name] is subject[name] for name, _ in subject.model.named_parameters()]
    assert all(observed)


@example
def raised_by_hand(implementation, device, blueprint):
    """`raise` in a property"""
    subject = implementation.build(blueprint, device)
    for name, _ in subject.model.named_parameters():
        if name not in dict(subject.module.named_parameters()):
            raise LookupError(f"{name} is missing")


@example
def expected_exception(implementation, device, blueprint):
    """`pytest.raises`, with a message"""
    subject = implementation.build(blueprint, device)
    last = subject.model.named_parameters()[-1][0]
    with pytest.raises(KeyError, match="missing"):
        dict(subject.module.named_parameters())["missing"]
    with pytest.raises(AttributeError):
        getattr(subject.module, "missing")  # noqa: B009
    observed, expected = last in dict(subject.module.named_parameters()), True
    assert observed == expected


@example
def expected_exception_that_does_not_come(implementation, device, blueprint):
    """`pytest.raises` around what raises nothing"""
    subject = implementation.build(blueprint, device)
    with pytest.raises(IndexError):
        list(subject.module.named_parameters())[len(subject.model.named_parameters()) - 2]


@example
def another_exception_than_expected(implementation, device, blueprint):
    """`pytest.raises` around what raises something else"""
    subject = implementation.build(blueprint, device)
    with pytest.raises(TypeError):
        list(subject.module.named_parameters())[len(subject.model.named_parameters()) - 1]


@example
def context_manager(implementation, device, blueprint):
    """`with` a context manager of the standard library"""
    subject, observed = implementation.build(blueprint, device), []
    with contextlib.suppress(KeyError):
        observed.append(len(list(subject.module.named_parameters())))
        dict(subject.module.named_parameters())["missing"]
        observed.append("never")
    expected = [len(subject.model.named_parameters())]
    assert observed == expected


@contextlib.contextmanager
def noted(log: list[str], module: Any) -> Iterator[int]:
    """Notes when it begins and ends."""
    log.append("begin")
    try:
        yield len(list(module.named_parameters()))
    finally:
        log.append("end")


@example
def context_manager_of_ones_own(implementation, device, blueprint):
    """`with` a generator of the suite's, written as a context manager"""
    subject, log = implementation.build(blueprint, device), []
    with noted(log, subject.module) as count:
        log.append("inside")
    observed = count, log
    expected = len(subject.model.named_parameters()), ["begin", "inside", "end"]
    assert observed == expected


# --- functions and classes ------------------------------------------------------------------------------------------


@example
def nested_function(implementation, device, blueprint):
    """a function in the property"""
    subject = implementation.build(blueprint, device)

    def named(things):
        return [name for name, _ in things]

    observed = named(subject.module.named_parameters())
    expected = named(subject.model.named_parameters())
    assert observed == expected


@example
def closure(implementation, device, blueprint):
    """a closure that changes a variable around it with `nonlocal`"""
    subject, count = implementation.build(blueprint, device), 0

    def seen(name):
        nonlocal count
        count += 1
        return name

    names = [seen(name) for name, _ in subject.module.named_parameters()]
    observed = count, names
    names = [name for name, _ in subject.model.named_parameters()]
    expected = len(names), names
    assert observed == expected


@example
def function_called_by_the_framework(implementation, device, blueprint):
    """a function that the framework calls back"""
    subject, log = implementation.build(blueprint, device), []

    def look(module):
        log.extend(name for name, _ in module.named_parameters(recurse=False))

    subject.module.apply(look)
    observed = sorted(log)
    expected = sorted(name.rpartition(".")[2] for name, _ in subject.model.named_parameters())
    assert observed == expected


@example
def recursion(implementation, device, blueprint):
    """a function in the property that calls itself"""
    subject = implementation.build(blueprint, device)

    def count(module):
        own = len(list(module.named_parameters(recurse=False)))
        return own + sum(count(child) for child in module.children())

    observed, expected = count(subject.module), len(subject.model.named_parameters())
    assert observed == expected


def twice(function: Callable[..., Any]) -> Callable[..., Any]:
    """Calls it twice."""

    @functools.wraps(function)
    def called(*given: Any) -> Any:
        return [function(*given), function(*given)]

    return called


@example
def decorator(implementation, device, blueprint):
    """a decorator of the suite's"""
    subject = implementation.build(blueprint, device)

    @twice
    def count(module):
        return len(list(module.named_parameters()))

    observed = count(subject.module)
    expected = [len(subject.model.named_parameters())] * 2
    assert observed == expected


@example
def generator_function(implementation, device, blueprint):
    """a generator function in the property"""
    subject = implementation.build(blueprint, device)

    def lengths(module):
        for name, _ in module.named_parameters():
            yield len(name)

    observed = list(lengths(subject.module))
    expected = [len(name) for name, _ in subject.model.named_parameters()]
    assert observed == expected


@example
def partial(implementation, device, blueprint):
    """`functools.partial`"""
    subject = implementation.build(blueprint, device)
    names = functools.partial(names_of, without="first")
    observed = names(subject.module)
    expected = [name for name, _ in subject.model.named_parameters() if name != "first"]
    assert observed == expected


@example
def class_of_the_propertys(implementation, device, blueprint):
    """a class with annotations, a property and a class attribute"""
    subject = implementation.build(blueprint, device)

    class Kept(implementation.Module):
        kept: Any
        title: str = "kept"

        def __init__(self, held):
            super().__init__()
            self.kept = held

        @property
        def names(self):
            return [self.title, *(name for name, _ in self.named_parameters())]

    observed = Kept(subject.module).names
    expected = ["kept", *(f"kept.{name}" for name, _ in subject.model.named_parameters())]
    assert observed == expected


@example
def dataclass_in_the_property(implementation, device, blueprint):
    """a dataclass in the property"""
    subject = implementation.build(blueprint, device)

    @dataclass
    class Pair:
        name: str
        length: int
        more: list = field(default_factory=list)

    observed = [Pair(name, len(name)) for name, _ in subject.module.named_parameters()]
    expected = [Pair(name, len(name)) for name, _ in subject.model.named_parameters()]
    assert observed == expected


@dataclass(frozen=True)
class Point:
    """A dataclass of the suite's."""

    name: str
    at: int = 0


@example
def dataclass_of_the_suites(implementation, device, blueprint):
    """a dataclass of the suite's"""
    subject = implementation.build(blueprint, device)
    observed = [replace(Point(name), at=i) for i, (name, _) in enumerate(subject.module.named_parameters())]
    expected = [Point(name, i) for i, (name, _) in enumerate(subject.model.named_parameters())]
    assert observed == expected


@example
def named_tuple(implementation, device, blueprint):
    """`namedtuple`"""
    subject = implementation.build(blueprint, device)
    Named = namedtuple("Named", "name length")
    observed = [Named(name, len(name)) for name, _ in subject.module.named_parameters()]
    expected = [Named(name, length=len(name)) for name, _ in subject.model.named_parameters()]
    assert observed == expected


class Both(NamedTuple):
    """A typed one."""

    name: str
    length: int = 0


@example
def typed_named_tuple(implementation, device, blueprint):
    """`typing.NamedTuple`"""
    subject = implementation.build(blueprint, device)
    observed = [Both(name)._replace(length=len(name)) for name, _ in subject.module.named_parameters()]
    expected = [Both(name, len(name)) for name, _ in subject.model.named_parameters()]
    assert observed == expected


@refused("it is asynchronous")
def coroutine(implementation, device, blueprint):
    """`async` and `await`"""
    import asyncio

    subject = implementation.build(blueprint, device)

    async def named(module):
        return [name for name, _ in module.named_parameters()]

    observed = asyncio.run(named(subject.module))
    expected = [name for name, _ in subject.model.named_parameters()]
    assert observed == expected
