"""The three registries of a module: how members get in and out, and how they are found again by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

from conformance.reference.hooks import registration_hooks
from conformance.reference.parameter import Buffer, Parameter
from conformance.reference.tensor import Tensor

#: Where the members of each kind are kept: {name: member or None}, in registration order.
REGISTRIES = {"parameter": "_parameters", "buffer": "_buffers", "module": "_modules"}


class Registry:
    """Registration by assignment and by name, attribute access, traversal and paths."""

    training: bool
    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, Any]
    _non_persistent_buffers_set: set[str]
    _hiding: set[str]  # names of members that are attributes of the class too

    # --- registering by name --------------------------------------------------------------------------------------

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter; None reserves the name for one."""
        self._check_initialised("parameter", "parameter")
        self._check_name("parameter", name)
        self._check_free("parameter", name)
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(
                f"cannot assign '{type_name(param)}' object to parameter '{name}' (torch.nn.Parameter or None required)"
            )
        if param is not None and param.grad_fn is not None:
            raise ValueError(
                f"Cannot assign non-leaf Tensor to parameter '{name}'. Model parameters must be created explicitly."
            )
        self._store("parameter", name, param)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a buffer, part of the state_dict if it is persistent; None reserves the name for one."""
        self._check_initialised("buffer", "buffer")
        self._check_name("buffer", name)
        self._check_free("buffer", name)
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(
                f"cannot assign '{type_name(tensor)}' object to buffer '{name}' (torch Tensor or None required)"
            )
        self._store("buffer", name, tensor)
        self._mark_persistent(name, persistent)

    def register_module(self, name: str, module: Any) -> None:
        """Add a child module; None leaves its place empty. Another name of :meth:`add_module`."""
        self.add_module(name, module)

    def add_module(self, name: str, module: Any) -> None:
        """Add a child module; None leaves its place empty."""
        self._check_initialised("module", "module")
        self._check_module(module)
        self._check_name("module", name)
        self._check_free("module", name)
        self._store("module", name, module)

    def _check_module(self, module: Any) -> None:
        if module is not None and not isinstance(module, Registry):
            raise TypeError(f"{type_name(module)} is not a Module subclass")

    def _check_initialised(self, kind: str, label: str) -> None:
        if REGISTRIES[kind] not in self.__dict__:
            raise AttributeError(f"cannot assign {label} before Module.__init__() call")

    def _check_name(self, kind: str, name: Any) -> None:
        if not isinstance(name, str):
            raise TypeError(f"{kind} name should be a string. Got {type_name(name)}")
        if "." in name:
            raise KeyError(f'{kind} name can\'t contain "."' + (f", got: {name}" if kind == "module" else ""))
        if name == "":
            raise KeyError(f'{kind} name can\'t be empty string ""')

    def _check_free(self, kind: str, name: str) -> None:
        """A name may be registered again for the same kind; otherwise it must not be an attribute yet."""
        if name not in getattr(self, REGISTRIES[kind]) and hasattr(self, name):
            raise KeyError(f"attribute '{name}' already exists")

    def _store(self, kind: str, name: str, member: Any) -> None:
        getattr(self, REGISTRIES[kind])[name] = self._after_registration_hooks(kind, name, member)

    def _after_registration_hooks(self, kind: str, name: str, member: Any) -> Any:
        for hook in tuple(registration_hooks[kind]):
            replacement = hook.function(self, name, member)
            member = member if replacement is None else replacement
        return member

    def _mark_persistent(self, name: str, persistent: bool) -> None:
        (self._non_persistent_buffers_set.discard if persistent else self._non_persistent_buffers_set.add)(name)

    # --- registering by assignment --------------------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        kind = self._kind_to_assign(name, value)
        if kind is None:
            object.__setattr__(self, name, value)
            return
        self._check_initialised(kind, "parameters" if kind == "parameter" else kind)
        self._check_name(kind, name)
        if callable(getattr(type(self), name, None)):
            raise KeyError(f"attribute '{name}' already exists")
        self._forget(name, except_kind=kind)
        if hasattr(type(self), name):
            self._hiding.add(name)
        self._assign(kind, name, value)

    def _slot(self, name: str) -> str | None:
        """The kind for which the name is registered."""
        return next((kind for kind, where in REGISTRIES.items() if name in self.__dict__.get(where, ())), None)

    def _kind_to_assign(self, name: str, value: Any) -> str | None:
        """What the value is to be registered as: it depends on the value, and on what the name stands for already."""
        slot = self._slot(name)
        reserved = slot == "buffer" and self._buffers[name] is None
        if slot == "parameter" and value is not None and not isinstance(value, Parameter):
            raise self._cannot_assign(value, "parameter", name, "torch.nn.Parameter or None")
        if reserved and isinstance(value, (Parameter, Registry)):
            raise self._cannot_assign(value, "buffer", name, "torch.nn.Buffer, torch.Tensor or None")
        if isinstance(value, Parameter):
            return "parameter"
        if isinstance(value, Registry):
            return "module"
        if slot == "module" and value is not None:
            raise self._cannot_assign(value, "child module", name, "torch.nn.Module or None")
        if isinstance(value, Buffer):
            return "buffer"
        if slot == "buffer" and value is not None and not isinstance(value, Tensor):
            raise self._cannot_assign(value, "buffer", name, "torch.nn.Buffer, torch.Tensor or None")
        return slot

    def _cannot_assign(self, value: Any, what: str, name: str, expected: str) -> TypeError:
        return TypeError(f"cannot assign '{type_name(value)}' as {what} '{name}' ({expected} expected)")

    def _assign(self, kind: str, name: str, value: Any) -> None:
        if kind == "parameter":
            self.register_parameter(name, value)
        elif isinstance(value, Buffer):
            self._assign_buffer(name, value)
        else:
            self._store(kind, name, value)

    def _assign_buffer(self, name: str, buffer: Buffer) -> None:
        if buffer.persistent:
            self.register_buffer(name, buffer)
        elif accepts(self.register_buffer, "persistent"):
            self.register_buffer(name, buffer, persistent=False)
        else:
            raise RuntimeError(
                "Registering a non-persistent buffer on a Module subclass that implements register_buffer() "
                "without the persistent argument is not allowed."
            )

    def _forget(self, name: str, except_kind: str | None = None) -> None:
        """Remove the name from everywhere but one registry."""
        self.__dict__.pop(name, None)
        self._hiding.discard(name)
        for kind, where in REGISTRIES.items():
            if kind != except_kind:
                self.__dict__[where].pop(name, None)
        if except_kind != "buffer":
            self._non_persistent_buffers_set.discard(name)

    # --- attributes -----------------------------------------------------------------------------------------------

    def __getattribute__(self, name: str) -> Any:
        # A member hides an attribute of the class, as an attribute of the instance would.
        if name in object.__getattribute__(self, "__dict__").get("_hiding", ()):
            return self.__getattr__(name)
        return object.__getattribute__(self, name)

    def __getattr__(self, name: str) -> Any:
        # Called only where ordinary lookup has found nothing.
        for where in REGISTRIES.values():
            members = self.__dict__.get(where, {})
            if name in members:
                return members[name]
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def __delattr__(self, name: str) -> None:
        if self._slot(name) is None:
            object.__delattr__(self, name)
        else:
            self._forget(name)

    def __dir__(self) -> list[str]:
        members = [name for where in REGISTRIES.values() for name in self.__dict__.get(where, ())]
        names = {*dir(type(self)), *self.__dict__, *members}
        return sorted(name for name in names if not name[0].isdigit() and hasattr(self, name))

    # --- traversal ------------------------------------------------------------------------------------------------

    def named_modules(
        self, memo: set[Any] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Any]]:
        """Every (name, module) of the tree, this module first, then child by child, depth first."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, child in self._modules.items():
            if child is not None:
                yield from child.named_modules(memo, join(prefix, name), remove_duplicate)

    def modules(self, remove_duplicate: bool = True) -> Iterator[Any]:
        """Every module of the tree."""
        return (module for _, module in self.named_modules(remove_duplicate=remove_duplicate))

    def named_children(self) -> Iterator[tuple[str, Any]]:
        """The immediate children, each once, under its first name."""
        return first_names((name, child) for name, child in self._modules.items())

    def children(self) -> Iterator[Any]:
        """The immediate children, each once."""
        return (child for _, child in self.named_children())

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Every (name, parameter) of the tree, own ones before those of the children."""
        return self._named_members("parameter", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Every parameter of the tree, each once."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """Every (name, buffer) of the tree, persistent or not, own ones before those of the children."""
        return self._named_members("buffer", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Every buffer of the tree, each once."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def _named_members(
        self, kind: str, prefix: str, recurse: bool, remove_duplicate: bool
    ) -> Iterator[tuple[str, Any]]:
        modules = self.named_modules(None, prefix, remove_duplicate) if recurse else iter([(prefix, self)])
        named = (
            (join(path, name), member)
            for path, module in modules
            for name, member in getattr(module, REGISTRIES[kind]).items()
        )
        return first_names(named) if remove_duplicate else (pair for pair in named if pair[1] is not None)

    # --- paths ----------------------------------------------------------------------------------------------------

    def get_submodule(self, target: str) -> Any:
        """The module under that dotted name; the module itself for ""."""
        module: Any = self
        for name in target.split(".") if target else ():
            module = module._member_at(name)
            if not isinstance(module, Registry):
                raise AttributeError(f"`{name}` is not an nn.Module")
        return module

    def get_parameter(self, target: str) -> Parameter:
        """The parameter under that dotted name."""
        path, _, name = target.rpartition(".")
        found = self.get_submodule(path)._member_at(name)
        if not isinstance(found, Parameter):
            raise AttributeError(f"`{name}` is not an nn.Parameter")
        return found

    def get_buffer(self, target: str) -> Tensor:
        """The buffer under that dotted name."""
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        found = module._member_at(name)
        if found is None or name not in module._buffers:
            raise AttributeError(f"`{name}` is not a buffer")
        return found

    def set_submodule(self, target: str, module: Any, strict: bool = False) -> None:
        """Replace the module under that dotted name; unless ``strict``, add one that is not there yet."""
        if target == "":
            raise ValueError("Cannot set the submodule without a target name!")
        if not isinstance(module, Registry):
            raise ValueError(f"`module` is not an nn.Module, found {type(module)}")
        path, _, name = target.rpartition(".")
        parent = self.get_submodule(path)
        if (strict or hasattr(parent, name)) and not isinstance(parent._member_at(name), Registry):
            raise AttributeError(f"`{name}` is not an nn.Module")
        setattr(parent, name, module)

    def _member_at(self, name: str) -> Any:
        if name in self._modules:  # also one that a ModuleDict holds under the name of a method
            return self._modules[name]
        if not hasattr(self, name):
            raise AttributeError(f"{type(self).__name__} has no attribute `{name}`")
        return getattr(self, name)


def join(prefix: str, name: str) -> str:
    """A dotted path."""
    return f"{prefix}.{name}" if prefix else name


def first_names(named: Iterator[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Each object once, under its first name; nothing for None."""
    seen = set()
    for name, member in named:
        if member is not None and id(member) not in seen:
            seen.add(id(member))
            yield name, member


def accepts(function: Callable[..., Any], argument: str) -> bool:
    """Whether the function takes a keyword argument of that name."""
    parameters = inspect.signature(function).parameters.values()
    return any(p.name == argument or p.kind is p.VAR_KEYWORD for p in parameters)


def type_name(value: Any) -> str:
    """The name of a value's class, as error messages give it."""
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
