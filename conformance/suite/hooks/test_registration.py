"""Global hooks on registration: they see every parameter, buffer and child that is registered."""

from __future__ import annotations

from hypothesis import strategies as st

from conformance.contract import clause, given
from conformance.suite.support.installing import installed
from strategies import names, tensors

MODULE = "torch.nn.modules.module"


@clause(
    "hooks_global/module_registration-every-child",
    f"{MODULE}.register_module_module_registration_hook",
    "The hook will be called every time :func:`register_module` is invoked.",
    since="2.0",
    needs=("register_module_module_registration_hook", "Module.register_module"),
)
@given(keys=st.lists(names(), min_size=1, max_size=4, unique=True), ways=st.integers(0, 80), replace=st.booleans())
def test_a_module_registration_hook_sees_every_child(implementation, device, keys, ways, replace):
    """A module registration hook is called as hook(module, name, submodule) for every child that is registered, by
    add_module, register_module or assignment; a module that it returns is registered instead."""
    parent, seen = implementation.Module(), []
    children = [implementation.Identity() for _ in keys]
    others = [implementation.Identity() for _ in keys]

    def record(module, name, child):
        seen.append((module, name, child))
        return others[keys.index(name)] if replace else None

    with installed(implementation, "module_registration", record):
        for i, (name, child) in enumerate(zip(keys, children, strict=True)):
            register = (parent.add_module, parent.register_module, lambda *given: setattr(parent, *given))
            register[ways // 3**i % 3](name, child)
    assert seen == [(parent, name, child) for name, child in zip(keys, children, strict=True)]
    assert list(parent.named_children()) == list(zip(keys, others if replace else children, strict=True))


@clause(
    "hooks_global/buffer_registration-every-buffer",
    f"{MODULE}.register_module_buffer_registration_hook",
    "The hook will be called every time :func:`register_buffer` is invoked.",
    since="2.0",
    needs="register_module_buffer_registration_hook",
)
@given(
    keys=st.lists(names(), min_size=1, max_size=4, unique=True),
    buffer=st.one_of(st.none(), tensors()),
    replace=st.booleans(),
)
def test_a_buffer_registration_hook_sees_every_buffer(implementation, device, keys, buffer, replace):
    """A buffer registration hook is called as hook(module, name, buffer) for every register_buffer, also of None; a
    buffer that it returns is registered instead."""
    module, seen = implementation.Module(), []
    given = [buffer and implementation.make(buffer, device) for _ in keys]
    others = [implementation.tensor([1.0], device=device) for _ in keys]

    def record(module, name, tensor):
        seen.append((module, name, id(tensor)))
        return others[keys.index(name)] if replace else None

    with installed(implementation, "buffer_registration", record):
        for name, tensor in zip(keys, given, strict=True):
            module.register_buffer(name, tensor)
    assert seen == [(module, name, id(tensor)) for name, tensor in zip(keys, given, strict=True)]
    for name, tensor in zip(keys, others if replace else given, strict=True):
        assert getattr(module, name) is tensor


@clause(
    "hooks_global/parameter_registration-every-parameter",
    f"{MODULE}.register_module_parameter_registration_hook",
    "The hook can modify the input or return a single modified value in the hook.",
    since="2.0",
    needs="register_module_parameter_registration_hook",
)
@given(keys=st.lists(names(), min_size=1, max_size=4, unique=True), ways=st.integers(0, 15), replace=st.booleans())
def test_a_parameter_registration_hook_sees_every_parameter(implementation, device, keys, ways, replace):
    """A parameter registration hook is called as hook(module, name, param) for every parameter that is registered, by
    register_parameter or assignment; a parameter that it returns is registered instead."""
    module, seen = implementation.Module(), []
    given, others = (
        [implementation.parameter(implementation.tensor([1.0], device=device)) for _ in keys] for _ in range(2)
    )

    def record(module, name, param):
        seen.append((module, name, id(param)))
        return others[keys.index(name)] if replace else None

    with installed(implementation, "parameter_registration", record):
        for i, (name, param) in enumerate(zip(keys, given, strict=True)):
            register = (module.register_parameter, lambda *given: setattr(module, *given))
            register[ways >> i & 1](name, param)
    assert seen == [(module, name, id(param)) for name, param in zip(keys, given, strict=True)]
    expected = others if replace else given
    assert [(name, id(param)) for name, param in module.named_parameters()] == list(
        zip(keys, map(id, expected), strict=True)
    )


@clause(
    "hooks_global/parameter_registration-of-none",
    f"{MODULE}.register_module_parameter_registration_hook",
    "The hook will be called every time :func:`register_parameter` is invoked.",
    since="2.0",
    needs="register_module_parameter_registration_hook",
)
@given(keys=st.lists(names(), min_size=1, max_size=4, unique=True))
def test_a_parameter_registration_hook_sees_a_parameter_that_is_none(implementation, device, keys):
    """A parameter registration hook is called for register_parameter(name, None) too."""
    module, seen = implementation.Module(), []
    with installed(implementation, "parameter_registration", lambda *given: seen.append(given)):
        for name in keys:
            module.register_parameter(name, None)
    assert seen == [(module, name, None) for name in keys]
