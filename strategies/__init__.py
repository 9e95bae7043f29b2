"""Hypothesis strategies for module trees and what is done to them. All of them draw plain data."""

from strategies.blueprints import blueprints, callables
from strategies.names import names, prefixes, refused_names, taken_names
from strategies.tensors import buffers, dtypes, fills, parameters, shapes, tensors

__all__ = [
    "blueprints",
    "buffers",
    "callables",
    "dtypes",
    "fills",
    "names",
    "parameters",
    "prefixes",
    "refused_names",
    "shapes",
    "taken_names",
    "tensors",
]
