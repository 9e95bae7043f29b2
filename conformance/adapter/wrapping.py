"""Wrappers as implementations: each puts itself round every module that the suite builds.

A wrapper is a module too, and what it holds is still the user's: so the whole contract of a finished module is asked of
the wrapped tree, the wrapper being one more module at its root. The names that this gives (``module.weight``) follow from
the one name under which the wrapper holds what it wraps.
"""

from __future__ import annotations

from typing import Any

from conformance import model
from conformance.adapter.lens import Lens, seen
from conformance.adapter.port import Implementation
from conformance.language import blueprint as bp
from conformance.language.transform import extended, moved


class Wrapper(Lens):
    """A lens over the adapter of the framework: ``class DataParallel(Wrapper)``, and ``DataParallel(Torch())``.

    It may have any of an adapter's methods, where the wrapped module's tensors need it; ``self.inner`` has the others.

    Attributes:
        name: what reports call it.
        child: the name under which the wrapper holds the wrapped module, and so the first part of every key; None where
            the wrapped module itself is changed and keeps its names.
        own: what else the wrapper registers on itself before that, by name.
        given: members that every wrapped module is given, for a wrapper that refuses modules without any.
        changed_class: as what a module prints that was itself changed, {} standing for its class before.
    """

    name: str
    child: str | None = "module"
    own: dict[str, bp.Member] = {}
    given: dict[str, bp.Member] = {}
    changed_class = "{}"

    def __init__(self, inner: Any):
        super().__init__(seen(inner))
        self.inherits = self.inner.inherits or self.inner.name

    def wrap(self, module: Any) -> Any:
        """The wrapper round that module."""
        raise NotImplementedError

    def presented(self, blueprint: bp.Blueprint) -> bp.Blueprint:
        if self.child is None or blueprint.kind == "Wrapper":
            return blueprint
        below = moved(extended(blueprint, **self.given), self.child)
        return bp.Wrapper({**self.own, self.child: below}, training=blueprint.training)

    @property
    def changes_in_place(self) -> bool:
        return self.child is None

    def representation(self, module: model.ModuleModel) -> str:
        text = super().representation(module)
        if self.child is not None:
            return text
        return self.changed_class.format(module.kind) + text.removeprefix(module.kind)

    def denies(self, capability: str) -> str | None:
        if capability == "construction":
            return f"{self.name} {self.version} wraps finished modules and makes none"
        if capability == "DataParallel":  # clauses about it say what wrapping a bare module gives
            return f"{self.name} {self.version}: a wrapper is not wrapped again"
        return None


class _Mixed(Wrapper):
    """The lens of an adapter that is itself a wrapper, as they were before 0.3."""

    def __init__(self, inner: Any):
        Lens.__init__(self, inner)
        for name in ("child", "own", "given", "changed_class", "wrap", "inherits"):
            setattr(self, name, getattr(inner, name))


class Wrapping(Implementation):
    """Deprecated: ``class DataParallel(Wrapping, Torch)``, which :class:`Wrapper` says by holding an adapter."""

    lens = _Mixed
    child: str | None = "module"
    own: dict[str, bp.Member] = {}
    given: dict[str, bp.Member] = {}
    changed_class = "{}"

    def wrap(self, module: Any) -> Any:
        """The wrapper round that module."""
        raise NotImplementedError
