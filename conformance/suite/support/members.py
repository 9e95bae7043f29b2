"""What is registered in a tree, read from where the framework keeps it."""

from __future__ import annotations

from conformance.model import join

#: Where a module keeps what is registered on it.
KEPT = ("_parameters", "_buffers", "_modules")


def registries(subject):
    """(name, which object) of all that is registered on each module of the tree, in order, by the module's path."""
    return {
        f"{module.path}:{kept}": [
            (name, subject.path(thing)) for name, thing in vars(subject[module.path])[kept].items()
        ]
        for module in subject.model.modules()
        for kept in KEPT
    }


def names(model):
    """The path of the parameter or buffer under each of its names, buffers after the parameters."""
    every = {"remove_duplicate": False}
    return dict(model.named_parameters(**every)) | dict(model.named_buffers(**every))


def slots(model):
    """Where each name of a parameter or buffer is registered: (path of the module, own name)."""
    return {
        join(path, name): (module.path, name)
        for path, module in model.walk()
        for name, tensor in (*module.parameters_.items(), *module.buffers_.items())
        if tensor is not None
    }


def reach(module, name):
    """What is at the dotted name."""
    for part in name.split("."):
        module = getattr(module, part)
    return module
