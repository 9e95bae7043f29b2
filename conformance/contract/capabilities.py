"""Capabilities: what an implementation may lack, with one sentence each."""

from __future__ import annotations

import unittest

#: Capabilities that are no name of the API, and what they mean.
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
    "construction": "the suite may make modules of its own from the implementation's classes",
    "computation": "the modules compute what the layers of that name are documented to compute",
    "example": "there is an input with which the modules can be called",
    "example.repeatable": "in evaluation mode a module returns the same each time that it is called with that input",
}


class Absent(unittest.SkipTest, AttributeError):
    """The implementation has no such capability: the clause that needs it is skipped, by Hypothesis and pytest alike.

    It is an AttributeError too, so that ``hasattr(implementation, name)`` answers instead of raising.
    """

    def __init__(self, capability: str, reason: str):
        super().__init__(reason)
        self.capability = capability
        self.reason = reason
