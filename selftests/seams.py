"""Implementations for every seam at which a front end could decide otherwise than another: see test_front_ends."""

from __future__ import annotations

import unittest

import pytest
from hypothesis import strategies as st

from conformance.adapter.lens import Lens
from conformance.implementations.reference import Reference
from conformance.language import blueprint as bp
from conformance.reference import Module


class Shy(Module):
    """A module system whose modules do not show their first child, and whose apply() forgets to return the module."""

    def named_modules(self, *args, **kwargs):
        return iter([pair for i, pair in enumerate(super().named_modules(*args, **kwargs)) if i != 1])

    def apply(self, fn):
        super().apply(fn)


def raising(error):
    """A method that raises it."""

    def method(self, *args, **kwargs):
        raise error

    return method


class Raising(Module):
    """Each way of looking at it raises something else, excuses and ends of the process among them."""

    modules = raising(unittest.SkipTest("excuse me"))
    children = raising(pytest.skip.Exception("excuse me"))
    named_children = raising(pytest.xfail.Exception("known"))
    buffers = raising(SystemExit(0))
    named_buffers = raising(GeneratorExit())
    parameters = raising(KeyboardInterrupt("not you"))
    named_parameters = raising(BaseException("base"))
    apply = raising(pytest.exit.Exception("good bye"))
    get_submodule = raising(type("Mute", (Exception,), {"__str__": lambda self: 1 / 0})())


class Claiming(Reference):
    """One that claims a version of the contract, and so is held to what is only observed."""

    name = "claiming"
    contract_version = "1.8"
    Module = Shy


class Drawing(Lens):
    """Draws one tree for every property."""

    draws = {"blueprint": st.just(bp.Module({"a": bp.Module({"b": bp.Parameter((2,))})}))}


class Taken(Lens):
    """Has names of its own."""

    def build(self, blueprint, device="cpu"):
        raise bp.NameTaken("the module has an attribute 'a' of its own")


class Declining(Lens):
    """Speaks of no prefixes."""

    def declines(self, strategies):
        return "speaks of prefixes" if "prefix" in strategies else None


def named(name, **members):
    """The reference under another name, with these members."""
    return type(name.title(), (Reference,), {"name": name, "__module__": __name__, **members})


shy = named("shy", Module=Shy)()
raises = named("raises", Module=Raising)()
narrow = named("narrow", Module=Shy, lacking={"drawn.empty": "it has none"})()
claiming = Claiming()
drawing = named("drawing", Module=Shy, lens=Drawing)()
taken = named("taken", lens=Taken)()
declining = named("declining", Module=Shy, lens=Declining)()
heir = named("heir", Module=Shy, inherits="selftests.seams:shy")()
