"""state_dict() and load_state_dict()."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from conformance.reference.autograd import no_grad
from conformance.reference.hooks import HookList, RemovableHandle
from conformance.reference.parameter import Parameter
from conformance.reference.tensor import Tensor

EXTRA_STATE = "_extra_state"


class IncompatibleKeys(NamedTuple("IncompatibleKeys", [("missing_keys", list), ("unexpected_keys", list)])):
    """What load_state_dict returns: the keys that were not there, and those that were not expected."""

    __slots__ = ()

    def __repr__(self) -> str:
        return super().__repr__() if any(self) else "<All keys matched successfully>"

    __str__ = __repr__


class Stateful:
    """Giving out the state of a tree of modules as a flat dictionary, and taking it in again."""

    _version = 1
    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, Any]
    _non_persistent_buffers_set: set[str]
    _state_dict_pre_hooks: HookList
    _state_dict_hooks: HookList
    _load_state_dict_pre_hooks: HookList
    _load_state_dict_post_hooks: HookList

    # --- extra state ----------------------------------------------------------------------------------------------

    def get_extra_state(self) -> Any:
        """What belongs into the state_dict besides tensors; to be overridden together with set_extra_state."""
        raise RuntimeError("Module.get_extra_state() is to be overridden before it is called")

    def set_extra_state(self, state: Any) -> None:
        """Take in what get_extra_state has given."""
        raise RuntimeError("Module.set_extra_state() is to be overridden before it is called")

    def _overrides(self, method: str) -> bool:
        return getattr(type(self), method) is not getattr(Stateful, method)

    # --- state_dict -----------------------------------------------------------------------------------------------

    def state_dict(self, *args: Any, destination: Any = None, prefix: str = "", keep_vars: bool = False) -> Any:
        """Every parameter and persistent buffer of the tree by its dotted name, sharing storage with the module."""
        if args:  # the old way, still allowed
            warnings.warn("Positional args are being deprecated, use kwargs instead.", FutureWarning, stacklevel=2)
            destination, prefix, keep_vars = (*args, *(destination, prefix, keep_vars)[len(args) :])
        if destination is None:
            destination = OrderedDict()
            destination._metadata = OrderedDict()
        local_metadata = self._write_metadata(destination, prefix)
        for hook in tuple(self._state_dict_pre_hooks):
            hook.function(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, child in self._modules.items():
            if child is not None:
                child.state_dict(destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        for hook in tuple(self._state_dict_hooks):
            if hook.function(self, destination, prefix, local_metadata) is not None:
                raise RuntimeError("state_dict post-hook must return None")
        return destination

    def _write_metadata(self, destination: Any, prefix: str) -> dict[str, Any]:
        local_metadata = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = local_metadata
        return local_metadata

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        """Write this module's own entries."""
        for name, tensor in self._own_state().items():
            if tensor is not None:
                destination[prefix + name] = tensor if keep_vars else tensor.detach()
        if self._overrides("get_extra_state"):
            destination[prefix + EXTRA_STATE] = self.get_extra_state()

    def _own_state(self) -> dict[str, Tensor | None]:
        """This module's own parameters and persistent buffers."""
        persistent = {n: b for n, b in self._buffers.items() if n not in self._non_persistent_buffers_set}
        return {**self._parameters, **persistent}

    def register_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(module, prefix, keep_vars)`` before this module's entries are collected."""
        return self._state_dict_pre_hooks.register(hook)

    def register_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(module, state_dict, prefix, local_metadata)`` after this module's subtree was collected."""
        return self._state_dict_hooks.register(hook)

    # --- load_state_dict ------------------------------------------------------------------------------------------

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> IncompatibleKeys:
        """Copy the values of a state_dict into the parameters and buffers of the tree.

        Args:
            state_dict: what ``state_dict()`` of a module of the same structure has given; left as it is.
            strict: whether the keys must be exactly those of ``state_dict()``.
            assign: make the given tensors the parameters and buffers instead of copying their values.

        Raises:
            RuntimeError: the keys differ (if strict), or an entry does not fit; everything else has been loaded.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
        metadata = getattr(state_dict, "_metadata", None) or {}
        result, errors = IncompatibleKeys([], []), []
        ties = self._ties()
        self._load_tree(OrderedDict(state_dict), metadata, "", strict, assign, result, errors)
        self._retie(ties)
        if strict:
            errors[:0] = self._strict_errors(result)
        if errors:
            problems = "\n\t".join(errors)
            raise RuntimeError(f"Error(s) in loading state_dict for {type(self).__name__}:\n\t{problems}")
        return result

    def _strict_errors(self, keys: IncompatibleKeys) -> list[str]:
        found = {"Missing": keys.missing_keys, "Unexpected": keys.unexpected_keys}
        return [
            f"{what} key(s) in state_dict: {', '.join(repr_key(key) for key in names)}. "
            for what, names in found.items()
            if names
        ]

    def _load_tree(
        self,
        state_dict: OrderedDict[str, Any],
        metadata: Mapping[str, Any],
        prefix: str,
        strict: bool,
        assign: bool,
        result: IncompatibleKeys,
        errors: list[str],
    ) -> None:
        """Load this module, then its children, each from a dictionary of its own that hooks may change."""
        local_metadata = dict(metadata.get(prefix[:-1], {}))
        if assign:
            local_metadata["assign_to_params_buffers"] = True
        with no_grad():
            self._load_from_state_dict(
                state_dict, prefix, local_metadata, strict, result.missing_keys, result.unexpected_keys, errors
            )
        for name, child in self._modules.items():
            if child is not None:
                below = f"{prefix}{name}."
                entries = OrderedDict((key, value) for key, value in state_dict.items() if key.startswith(below))
                child._load_tree(entries, metadata, below, strict, assign, result, errors)
        for hook in tuple(self._load_state_dict_post_hooks):
            if hook.function(self, result) is not None:
                raise AssertionError(
                    "Hooks registered with ``register_load_state_dict_post_hook`` are not expected to return new "
                    "values, if incompatible_keys need to be modified, it should be done inplace."
                )

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Load this module's own entries, and note the keys that are missing, unexpected or do not fit."""
        for hook in tuple(self._load_state_dict_pre_hooks):
            hook.function(self, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)
        assign = local_metadata.get("assign_to_params_buffers", False)
        for name, tensor in self._own_state().items():
            key = prefix + name
            if tensor is None:
                if key in state_dict:
                    error_msgs.append(f'While loading "{key}": it is registered as None in the module.')
            elif key not in state_dict:
                missing_keys.append(key)
            else:
                self._load_entry(key, name, tensor, state_dict[key], assign, error_msgs)
        self._load_extra_state(state_dict, prefix + EXTRA_STATE, missing_keys)
        unexpected_keys.extend(key for key in state_dict if not self._expects(key, prefix))

    def _expects(self, key: str, prefix: str) -> bool:
        """Whether the key is one of this module's own, or for one of its children to judge."""
        if not key.startswith(prefix):
            return True
        name, dot, _ = key[len(prefix) :].partition(".")
        if dot:
            return self._modules.get(name) is not None
        if name == EXTRA_STATE and self._overrides("set_extra_state"):
            return True
        return self._own_state().get(name) is not None

    def _load_extra_state(self, state_dict: dict[str, Any], key: str, missing_keys: list[str]) -> None:
        if self._overrides("set_extra_state"):
            if key in state_dict:
                self.set_extra_state(state_dict[key])
            else:
                missing_keys.append(key)

    def _load_entry(self, key: str, name: str, tensor: Tensor, entry: Any, assign: bool, error_msgs: list[str]) -> None:
        if not isinstance(entry, Tensor):
            error_msgs.append(
                f'While copying the parameter named "{key}", expected torch.Tensor or Tensor-like object from '
                f"checkpoint but received {type(entry)}"
            )
            return
        if tensor.shape == () and entry.shape == (1,):  # how scalars were written long ago
            entry = entry[0]
        if tensor.shape != entry.shape:
            error_msgs.append(
                f"size mismatch for {key}: copying a param with shape {entry.shape} from checkpoint, "
                f"the shape in current model is {tensor.shape}."
            )
            return
        if tensor.is_meta and not entry.is_meta and not assign:
            warnings.warn(
                f"for {key}: copying from a non-meta parameter in the checkpoint to a meta parameter in the current "
                "model, which is a no-op. (Did you mean to pass `assign=True`?)",
                stacklevel=2,
            )
        try:
            self._assign_entry(name, tensor, entry) if assign else tensor.copy_(entry)
        except Exception as error:
            error_msgs.append(f'While copying the parameter named "{key}", an exception occurred : {error.args}.')

    def _assign_entry(self, name: str, tensor: Tensor, entry: Tensor) -> None:
        """Make the entry the parameter or buffer of that name; only requires_grad is taken from the old one."""
        if name in self._buffers:
            self._buffers[name] = entry.detach() if isinstance(entry, Parameter) else entry
        elif isinstance(entry, Parameter) and entry.requires_grad == tensor.requires_grad:
            self._parameters[name] = entry
        else:
            self._parameters[name] = Parameter(entry, requires_grad=tensor.requires_grad)

    # --- members under several names stay one object --------------------------------------------------------------

    def _ties(self) -> list[list[tuple[dict[str, Any], str, Tensor]]]:
        """The places (registry, name) of every parameter and buffer object that has more than one."""
        places: dict[int, list[Any]] = {}
        for module in self.modules():  # type: ignore[attr-defined]
            for registry in (module._parameters, module._buffers):
                for name, member in registry.items():
                    if member is not None:
                        places.setdefault(id(member), []).append((registry, name, member))
        return [group for group in places.values() if len(group) > 1]

    def _retie(self, ties: list[list[tuple[dict[str, Any], str, Tensor]]]) -> None:
        """Where names of one object were assigned different ones, the last one counts for all of them."""
        for group in ties:
            assigned = [registry[name] for registry, name, old in group if registry.get(name, old) is not old]
            for registry, name, _ in group if assigned else ():
                registry[name] = assigned[-1]

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(module, state_dict, prefix, ...)`` before this module's entries are loaded."""
        return self._load_state_dict_pre_hooks.register(hook)

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(module, incompatible_keys)`` after this module and its descendants are loaded."""
        return self._load_state_dict_post_hooks.register(hook)


def repr_key(key: str) -> str:
    """A key as the messages quote it."""
    return f'"{key}"'


def consume_prefix_in_state_dict_if_present(state_dict: dict[str, Any], prefix: str) -> None:
    """Strip a prefix such as "module." from the keys and the metadata, in place and in order."""
    _strip(state_dict, prefix, prefix)
    if hasattr(state_dict, "_metadata"):
        _strip(state_dict._metadata, prefix, prefix[:-1])


def _strip(entries: dict[str, Any], prefix: str, bare: str) -> None:
    """Rename ``prefix + x`` to ``x``, and ``bare`` (the wrapped module itself) to the empty name."""
    before = list(entries.items())
    entries.clear()  # a new key may be the old key of another entry
    for key, value in before:
        if key == bare != prefix:
            entries[""] = value
        elif key.startswith(prefix):
            entries[key[len(prefix) :]] = value
        elif key != "" or bare == prefix:
            entries[key] = value


__all__ = ["IncompatibleKeys", "Stateful", "consume_prefix_in_state_dict_if_present"]
