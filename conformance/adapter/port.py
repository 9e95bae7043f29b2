"""What an adapter says of its framework: all that its author may touch.

An adapter is an instance of :class:`Implementation`. It gives torch's names (``Module``, ``Sequential``, ``Parameter``,
``save``, ...) as attributes and implements the operations on tensors that no introspection can find. Everything else is
optional: a name that is not there makes the clauses that need it skip, with a sentence that says so. What may be lacking,
and how that is written, is listed in :mod:`conformance.contract.capabilities`.
"""

from __future__ import annotations

from typing import Any

from conformance import model
from conformance.adapter.absence import Absent
from conformance.adapter.former import Former
from conformance.adapter.lens import Lens
from conformance.language import blueprint as bp
from conformance.model import Reading


class Implementation(Former):
    """Base class of adapters. Subclass it, give the names, implement what is required."""

    lens = Lens

    # --- required -------------------------------------------------------------------------------------------------

    #: What reports, and the file of deviations beside the adapter, call the implementation.
    name: str = "unnamed"

    @property
    def version(self) -> str:
        """The framework's version."""
        raise NotImplementedError

    def tensor(self, values: Any, dtype: str = "float32", device: str = "cpu", shape: Any = None) -> Any:
        """A tensor from nested lists; ``shape`` is given where the lists cannot say it (no elements)."""
        raise NotImplementedError

    def read(self, tensor: Any) -> Reading:
        """The tensor's shape, dtype and elements."""
        raise NotImplementedError

    def device(self, tensor: Any) -> str:
        """Where the tensor lives: "cpu", "cuda", "meta"; an index is left out."""
        raise NotImplementedError

    def is_tensor(self, value: Any) -> bool:
        """Whether the value is a tensor (parameters are tensors too)."""
        raise NotImplementedError

    def same_storage(self, one: Any, other: Any) -> bool:
        """Whether a write into one tensor is seen in the other."""
        raise NotImplementedError

    def write(self, tensor: Any, values: Any) -> None:
        """Overwrite the elements in place with nested lists, unseen by autograd."""
        raise NotImplementedError

    # --- optional -------------------------------------------------------------------------------------------------

    #: The torch version whose contract the implementation claims, as text; None for "the newest".
    contract_version: str | None = None
    #: The implementation on which this one builds: what is recorded of that one is its own as well, and it is held to
    #: what is documented only.
    inherits: str = ""
    #: Capabilities that it does not have although introspection would find them: {capability: reason}.
    lacking: dict[str, str] = {}
    #: Capabilities that it has although introspection does not find them.
    hidden: frozenset[str] = frozenset()
    #: Class names that differ from torch's, as repr prints them: {"ModuleList": "LayerList"}.
    class_names: dict[str, str] = {}
    #: Layers in whose place larger trees hold another of the adapter's classes, by its name: {"BatchNorm1d": "OurNorm"}.
    in_trees: dict[str, str] = {}

    def unavailable(self, device: str) -> str | None:
        """None where tensors can be made on that device, else the reason why not."""
        return None if device == "cpu" else f"{self.name} has no device {device!r}"

    def requires_grad(self, tensor: Any) -> bool:
        """Whether autograd follows this tensor."""
        return bool(tensor.requires_grad)

    def unusual(self, tensor: Any) -> dict[str, Any]:
        """What is unusual of a tensor, each under a word for it, as plain data: a gradient, that it is no leaf, strides,
        hooks, attributes. Nothing of a tensor that was just made."""
        return {}

    def place(self, module: Any, name: str, value: Any, kind: str) -> None:
        """Give a module of a drawn tree something under a name: an "attribute", a plain value that must not be registered,
        be it a tensor; a "member", a parameter or buffer in the place of a layer's own; a "buffer", or a "transient" one,
        which is not saved."""
        if kind == "buffer":
            module.register_buffer(name, value)
        elif kind == "transient":
            module.register_buffer(name, value, persistent=False)
        else:
            setattr(module, name, value)

    def adapted(self, blueprint: bp.Blueprint) -> bp.Blueprint:
        """The tree that the framework can hold in the place of a drawn one, which has nothing any more that is lacking."""
        return blueprint

    def extra_repr(self, module: model.ModuleModel) -> str:
        """What a leaf layer of the framework's own prints between the parentheses of its repr."""
        return model.extra_repr(module)

    def tensor_code(self, values: str, dtype: str, device: str, shape: Any) -> str | None:
        """The expression that makes such a tensor, as a script for a failure shows it; ``values`` is an expression.

        Where it is None, a script has the method ``tensor`` itself, as a function.
        """
        return None

    # --- the rest is not to be touched ----------------------------------------------------------------------------

    def __repr__(self) -> str:
        return f"<{self.name} {self.version}>"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise Absent(name, f"{self.name} {self.version} has no {name}")
