"""What an implementation has not, and how an error says so."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from conformance.contract.capabilities import Absent
from conformance.contract.promised import PROMISED

__all__ = ["Absent", "AdapterError", "accepts", "asked"]

if TYPE_CHECKING:
    from conformance.adapter.lens import Lens


class AdapterError(Exception):
    """The implementation asked for cannot be found, imported or used; the message says how to mend that."""


def accepts(function: Any, argument: str) -> bool:
    """Whether the function takes a keyword argument of that name, if only among others it passes on."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False
    return argument in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())


# --- what a failed property asked for -------------------------------------------------------------------------------

_UNEXPECTED = re.compile(r"\w+\.(\w+)\(\) got an unexpected keyword argument '(\w+)'")

#: How Python says that a class has not the method behind an operator.
_OPERATORS = {
    re.compile(r"'([\w.]+)' object does not support item assignment"): "__setitem__",
    re.compile(r"'([\w.]+)' object does(?:n't| not) support item deletion"): "__delitem__",
    re.compile(r"'([\w.]+)' object is not subscriptable"): "__getitem__",
    re.compile(r"unsupported operand type\(s\) for \+: '([\w.]+)'"): "__add__",
    re.compile(r"unsupported operand type\(s\) for \+=: '([\w.]+)'"): "__iadd__",
    re.compile(r"unsupported operand type\(s\) for \|: '([\w.]+)'"): "__or__",
    re.compile(r"unsupported operand type\(s\) for \|=: '([\w.]+)'"): "__ior__",
}


def asked(implementation: Lens, error: AttributeError | TypeError) -> Iterator[tuple[str, str, str]]:
    """(class, method, argument) of the contract that the error may speak of; the argument is "" for a whole method."""
    owner, owner_name, name, argument, text = None, "", "", "", str(error)
    if isinstance(error, AttributeError) and error.name and not error.name.startswith("_"):
        owner, name = error.obj, error.name
    elif found := _UNEXPECTED.search(text):
        name, argument = found.groups()
    for pattern, operator in _OPERATORS.items():
        if found := pattern.search(text):
            owner_name, name = found[1].rpartition(".")[2], operator
    if not name:
        return
    for kind, methods in PROMISED.items():
        own, arguments = getattr(implementation, kind, None), methods.get(name)
        if arguments is None or own is None:
            continue
        if argument:
            if argument in arguments.split():
                yield kind, name, argument
        elif (
            owner_name == own.__name__ or isinstance(owner, own) or (isinstance(owner, type) and issubclass(owner, own))
        ):
            yield kind, name, ""
