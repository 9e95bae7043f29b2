"""Finding the implementation that was asked for."""

from __future__ import annotations

import difflib
import importlib
import importlib.metadata
import importlib.util
import warnings

from packaging.version import InvalidVersion, Version

from conformance.adapter.absence import AdapterError
from conformance.adapter.lens import Lens, seen
from conformance.adapter.port import Implementation
from conformance.contract.capabilities import undeclared

#: What an adapter cannot do without.
REQUIRED = ("version", "tensor", "read", "device", "is_tensor", "same_storage", "write")

#: Where an installed package offers adapters: entry points of this group, named as --implementation takes them.
GROUP = "conformance.implementations"

_OWN = ("torch", "reference", "paddle", "oneflow", "mindtorch", "mindspore", "candle", "cpp", "keras")
_WRAPPERS = (
    "data_parallel",
    "distributed_data_parallel",
    "compiled",
    "averaged_model",
    "compiled_in_place",
    "graph_module",
    "fully_shard",
)
#: Their modules may not have the names of the packages, which they import.
_ON_TORCH = {
    "lightning": "lightning_module",
    "transformers": "pretrained_model",
    "tensordict": "tensordict_module",
    "accelerate": "accelerate_hooks",
}
OURS = {
    **{name: f"conformance.implementations.{name}:implementation" for name in _OWN},
    **{name: f"conformance.implementations.torch_wrappers:{name}" for name in _WRAPPERS},
    **{name: f"conformance.implementations.{module}:implementation" for name, module in _ON_TORCH.items()},
}


def known() -> dict[str, str]:
    """Where the adapter of each name is: ours, and those of installed packages."""
    offered = importlib.metadata.entry_points(group=GROUP)
    return {**{each.name: each.value for each in offered}, **OURS}


def find(name: str) -> Lens:
    """The implementation of that name: a known one, "package.module:attribute", or "package.module" for the attribute
    ``implementation`` of it.

    Raises:
        AdapterError: there is none, it cannot be imported, or it is no Implementation.
    """
    names = known()
    target = names.get(name, name)
    module_name, separator, attribute = target.partition(":")
    if not separator and ("." in module_name.strip(".") or _importable(module_name)):
        attribute = "implementation"
    if not module_name or not attribute or module_name.startswith("."):
        near = difflib.get_close_matches(name, names, 1)
        hint = f"did you mean {near[0]!r}? There are" if near else "give one of"
        raise AdapterError(
            f"unknown implementation {name!r}: {hint} {', '.join(sorted(names))}, or package.module:attribute"
        )
    try:
        with warnings.catch_warnings():
            # PyTorch says so on import, and nothing here asks for NumPy.
            warnings.filterwarnings("ignore", "Failed to initialize NumPy")
            module = importlib.import_module(module_name)
    except ImportError as error:
        hint = f"install {error.name}, or run from where it can be imported" if error.name else "see the error"
        raise AdapterError(f"implementation {name!r} cannot be imported ({error}): {hint}") from error
    except Exception as error:
        raise AdapterError(f"implementation {name!r} cannot be imported: {type(error).__name__}: {error}") from error
    found = getattr(module, attribute, None)
    if found is None:
        raise AdapterError(f"implementation {name!r}: the module {module_name} has no attribute {attribute!r}")
    if isinstance(found, type) and issubclass(found, (Implementation, Lens)):
        try:
            found = found()
        except Exception as error:
            raise AdapterError(f"implementation {name!r} cannot be made: {type(error).__name__}: {error}") from error
    if not isinstance(found, (Implementation, Lens)):
        raise AdapterError(
            f"implementation {name!r} is a {type(found).__name__}: expected an instance of "
            "conformance.adapter.Implementation"
        )
    found = seen(found)
    _check(name, found)
    return found


def address(implementation: Lens | Implementation) -> str:
    """What ``find`` finds the adapter by."""
    lens = seen(implementation)
    module = lens.home
    known = (lens, lens.adapter)  # the lens first: beside a wrapper's may stand what it wraps
    attribute = next((key for each in known for key, value in vars(module).items() if value is each), "")
    attribute = attribute or "implementation"
    full = f"{module.__name__}:{attribute}"
    return next((short for short, target in OURS.items() if target == full), full)


def _importable(name: str) -> bool:
    return name.isidentifier() and importlib.util.find_spec(name) is not None


def _check(name: str, found: Lens) -> None:
    """What every adapter must have is there."""
    missing = [each for each in REQUIRED if getattr(type(found.adapter), each) is getattr(Implementation, each)]
    if missing:
        raise AdapterError(f"implementation {name!r} does not implement {', '.join(missing)}: its adapter must")
    for what, ask in {"version": lambda: found.version, "devices": lambda: found.unavailable("cpu")}.items():
        try:
            ask()
        except Exception as error:
            raise AdapterError(
                f"implementation {name!r} cannot say its {what}: {type(error).__name__}: {error}; mend the adapter"
            ) from error
    for capability in (*found.lacking, *found.hidden):
        if reason := undeclared(capability):
            raise AdapterError(f"implementation {name!r}: {reason}")
    if found.contract_version is not None:
        try:
            Version(found.contract_version)
        except InvalidVersion:
            raise AdapterError(
                f"implementation {name!r}: contract_version = {found.contract_version!r} is no version of torch such as "
                "'2.13'; None stands for the newest"
            ) from None
