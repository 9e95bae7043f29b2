"""Capabilities: all that an implementation may lack, each with one sentence and its default.

A clause *needs* capabilities; an adapter *lists as lacking* those that its framework has not. Nothing else is one: a word
that is not here is refused, in a clause and in an adapter. The default is "there", unless the adapter denies it, for those
that have a name of their own, and "found by introspection" for the families, which are written as the API they stand for.
"""

from __future__ import annotations

import difflib
import re
import unittest
from typing import NamedTuple

#: Those with a name of their own. There, unless the adapter denies them.
SEMANTIC = {
    "autograd": "backward() of a tensor fills the gradients of the parameters it was computed from",
    "lifecycle.copies": "the life of a module may go on with a copy of it",
    "hooks.handle": "registering a hook returns a handle that removes it",
    "save.file": "save() and load() take a path, an open file or a buffer, and write one file",
    "save.zip": "save() writes a zip archive by default",
    "save.legacy": "save(_use_new_zipfile_serialization=False) writes the older format",
    "save.device_tag": "the adapter can write a file whose tensors are tagged with a device that is not there",
    "write": "the elements of a tensor can be overwritten in place; where they cannot, other tensors take their place",
    "deepcopy": "copy.deepcopy() copies modules and tensors",
    "pickle.module": "a whole module can be pickled and saved",
    "registries": "what a module registers can be read from its _parameters, _buffers and _modules; found by trying",
    "portrait.attributes": "a module that was just built has the plain attributes that it was given, and no others",
    "portrait.tensors": "a tensor of a tree that was just built is a plain one in memory of its own",
    "construction": "the suite may make modules of its own from the implementation's classes",
    "computation": "the modules compute what the layers of that name are documented to compute",
    "example": "there is an input with which the modules can be called",
    "example.repeatable": "in evaluation mode a module returns the same each time that it is called with that input",
}

#: What drawn trees hold. There, unless the adapter denies it, or has no ``register_buffer`` for those of buffers; a single
#: member that a clause asks about may be one all the same.
TREE = {
    "tree.mode": "each module of a tree has a mode of its own",
    "tree.buffer": "trees hold buffers",
    "tree.transient": "trees hold buffers that are not persistent",
    "tree.empty_parameter": "trees hold names that are registered as a parameter, and are None",
    "tree.empty_buffer": "trees hold names that are registered as a buffer, and are None",
    "tree.empty_module": "trees hold names that are registered as a module, and are None",
    "tree.0d": "trees hold parameters and buffers without dimensions",
    **{
        f"tree.{dtype}": f"trees hold tensors of dtype {dtype}"
        for dtype in ("float32", "float64", "float16", "bfloat16", "int64", "bool", "complex64")
    },
}

#: What is drawn for properties. There, unless the adapter denies it; witnesses, and the clauses that are about it, have it
#: all the same.
DRAWN = {"drawn.empty": "tensors without elements are drawn"}


class Family(NamedTuple):
    """Capabilities that are written alike: their form, the pattern of it, what they mean, and the default."""

    form: str
    pattern: re.Pattern[str]
    sentence: str
    default: str


#: The API itself, whatever its names; the last one is of names alone, so that the others come first.
FAMILIES = (
    Family("dtype.X", re.compile(r"dtype\.\w+"), "tensors of that dtype can be made", "tried"),
    Family("device.X", re.compile(r"device\.\w+"), "tensors can be made on that device", "the adapter's unavailable()"),
    Family(
        "Class.method(argument)",
        re.compile(r"[A-Z]\w*\.\w+\(\w+\)"),
        "the method of the class takes that argument",
        "introspection",
    ),
    Family("Class.method", re.compile(r"[A-Z]\w*\.\w+"), "the class has that method", "introspection"),
    Family("module.function", re.compile(r"serialization\.\w+"), "the module of that name has it", "introspection"),
    Family("function(argument)", re.compile(r"\w+\(\w+\)"), "the function takes that argument", "introspection"),
    Family("Name", re.compile(r"\w+"), "the namespace has that class, function or constant", "introspection"),
)

DECLARED = {**SEMANTIC, **TREE, **DRAWN}
#: Nobody needs these any more; adapters that deny them are told nothing.
RETIRED = frozenset({"source"})


def undeclared(capability: str) -> str | None:
    """One sentence where there is no such capability, else None."""
    known = capability in DECLARED or capability in RETIRED
    if known or any(family.pattern.fullmatch(capability) for family in FAMILIES):
        return None
    near = difflib.get_close_matches(capability, DECLARED, 1)
    forms = ", ".join(family.form for family in FAMILIES[:-1])
    hint = f"did you mean {near[0]!r}?" if near else f"expected Name, {forms}, or one of {', '.join(DECLARED)}"
    return f"{capability!r} is no capability: {hint}"


class Absent(unittest.SkipTest, AttributeError):
    """The implementation has no such capability: the clause that needs it is skipped, by Hypothesis and pytest alike.

    It is an AttributeError too, so that ``hasattr(implementation, name)`` answers instead of raising.
    """

    def __init__(self, capability: str, reason: str):
        super().__init__(reason)
        self.capability = capability
        self.reason = reason
