"""One thing of every kind that can be assigned to a module, as data."""

from __future__ import annotations

from hypothesis import strategies as st

from conformance.language import blueprint as bp
from strategies.blueprints import blueprints
from strategies.tensors import buffers, parameters, tensors


def _pieces(parameter, other_parameter, buffer, other_buffer, module, other_module, tensor) -> bp.Blueprint:
    return bp.Module(
        {
            "parameter": parameter,
            "other_parameter": other_parameter,
            "buffer": buffer,
            "other_buffer": other_buffer,
            "module": module,
            "other_module": other_module,
            "tensor": bp.Attribute(tensor),
            "text": bp.Attribute("text"),
            "number": bp.Attribute(7),
        }
    )


def pieces() -> st.SearchStrategy[bp.Blueprint]:
    """A module that holds two parameters, two buffers, two modules, a plain tensor, a text and a number: what a
    property builds to have something that it can register elsewhere."""
    # Without sharing, for a Shared names its object by the path from the root.
    module = blueprints(shared=False, max_nodes=5, min_size=0, max_size=10)
    parameter = parameters(("float32", "float64"))
    buffer = buffers(("float32", "int64"))
    tensor = tensors(("float32", "int64"))
    return st.builds(_pieces, parameter, parameter, buffer, buffer, module, module, tensor)
