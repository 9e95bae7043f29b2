"""Naming: how the dotted names of parameters, buffers and modules come about, in containers and under wrappers."""

from __future__ import annotations

from collections import OrderedDict

import pytest
from hypothesis import strategies as st

from conformance.contract import RECOMMENDED, clause, for_any_module, given
from conformance.language import blueprint as bp
from conformance.language.transform import moved, refilled
from conformance.model.state import loaded
from conformance.suite.support.nesting import nest
from strategies import blueprints, names, parameters
from strategies.state import name_paths

MODULES = "https://docs.pytorch.org/docs/stable/notes/modules.html"
TUTORIAL = "https://docs.pytorch.org/tutorials/beginner/saving_loading_models.html"
GENERICALLY = "To save a DataParallel model generically, save the model.module.state_dict()."
STRIP = "torch.nn.modules.utils.consume_prefix_in_state_dict_if_present"
CONSUME = "consume_prefix_in_state_dict_if_present"

#: What containers hold: layers with and without tensors of their own.
LAYERS = {"Linear": ["weight", "bias"], "ReLU": [], "Identity": []}


def layers():
    """The kinds of the layers that a container holds, in order."""
    return st.lists(st.sampled_from(tuple(LAYERS)), max_size=5)


def build(implementation, kind):
    """A layer of that kind."""
    return implementation.Linear(2, 2) if kind == "Linear" else getattr(implementation, kind)()


def expected_keys(named):
    """The keys of a container that holds layers of these kinds under these names."""
    return [f"{name}.{own}" for name, kind in named for own in LAYERS[kind]]


@clause(
    "naming/attribute-path-joined-by-dots",
    "torch.nn.Module.get_submodule",
    'To check whether or not we have the ``linear`` submodule, we would call ``get_submodule("net_b.linear")``.',
)
@given(path=name_paths(max_size=4), name=names(), parameter=parameters())
def test_the_name_of_a_parameter_is_its_attribute_path_joined_by_dots(implementation, device, path, name, parameter):
    """A parameter's name, and its key in state_dict(), is the names of the modules on the way to it and its own,
    joined by dots; a module's name is made the same way."""
    made = implementation.make(implementation.restrict(parameter), device)
    own, leaf = implementation.parameter(made, False), implementation.Module()
    leaf.register_parameter(name, own)
    root = nest(implementation.Module, path, leaf)
    expected = ".".join([*path, name])
    assert [name for name, _ in root.named_parameters()] == [expected]
    assert list(root.state_dict()) == [expected]
    assert [name for name, _ in root.named_modules()] == [".".join(path[:depth]) for depth in range(len(path) + 1)]


@clause(
    "naming/buffer-path-joined-by-dots",
    "torch.nn.Module.get_buffer",
    "The fully-qualified string name of the buffer to look for. (See ``get_submodule`` for how to specify a "
    "fully-qualified string.)",
    since="1.9",
    needs="Module.get_buffer",
)
@given(path=name_paths(max_size=4), name=names(), tensor=parameters())
def test_the_name_of_a_buffer_is_its_attribute_path_joined_by_dots(implementation, device, path, name, tensor):
    """A buffer's name, and its key in state_dict(), is the names of the modules on the way to it and its own, joined
    by dots; get_buffer() finds it by that name."""
    buffer, leaf = implementation.make(implementation.restrict(tensor), device), implementation.Module()
    leaf.register_buffer(name, buffer)
    root = nest(implementation.Module, path, leaf)
    expected = ".".join([*path, name])
    assert [name for name, _ in root.named_buffers()] == [expected]
    assert list(root.state_dict()) == [expected]
    assert root.get_buffer(expected) is buffer


@clause(
    "naming/sequential-items-by-position",
    "torch.nn.Module.named_modules",
    "1 -> ('0', Linear(in_features=2, out_features=2, bias=True))",
    severity=RECOMMENDED,
)
@given(kinds=layers(), path=name_paths())
def test_the_items_of_a_sequential_are_named_by_position(implementation, device, kinds, path):
    """The items of Sequential(a, b, ...) are named "0", "1", ...; items without parameters count."""
    module = implementation.Sequential(*[build(implementation, kind) for kind in kinds])
    assert [name for name, _ in module.named_modules()] == ["", *[str(i) for i in range(len(kinds))]]
    named = [(".".join([*path, str(i)]), kind) for i, kind in enumerate(kinds)]
    assert list(nest(implementation.Module, path, module).state_dict()) == expected_keys(named)


@clause(
    "naming/sequential-items-by-key",
    "torch.nn.Sequential",
    "Alternatively, an ``OrderedDict`` of modules can be passed in.",
)
@given(items=st.dictionaries(names(), st.sampled_from(tuple(LAYERS)), max_size=5), path=name_paths())
def test_the_items_of_a_sequential_from_an_ordered_dict_are_named_by_key(implementation, device, items, path):
    """The items of Sequential(OrderedDict(...)) are named by their keys, in the order of the dictionary."""
    module = implementation.Sequential(OrderedDict((name, build(implementation, kind)) for name, kind in items.items()))
    assert [name for name, _ in module.named_modules()] == ["", *items]
    named = [(".".join([*path, name]), kind) for name, kind in items.items()]
    assert list(nest(implementation.Module, path, module).state_dict()) == expected_keys(named)


@clause(
    "naming/module_list-items-by-position",
    MODULES,
    "('linears.0.weight', Parameter containing:",
    severity=RECOMMENDED,
)
@given(kinds=layers(), path=name_paths())
def test_the_items_of_a_module_list_are_named_by_position(implementation, device, kinds, path):
    """The items of a ModuleList are named "0", "1", ...; items without parameters count."""
    module = implementation.ModuleList([build(implementation, kind) for kind in kinds])
    assert [name for name, _ in module.named_modules()] == ["", *[str(i) for i in range(len(kinds))]]
    named = [(".".join([*path, str(i)]), kind) for i, kind in enumerate(kinds)]
    assert list(nest(implementation.Module, path, module).state_dict()) == expected_keys(named)


@clause(
    "naming/module_dict-items-by-key",
    "torch.nn.ModuleDict",
    "can be indexed like a regular Python dictionary, but modules it contains are properly registered, and will be "
    "visible by all :class:`~torch.nn.Module` methods.",
)
@given(items=st.dictionaries(names(), st.sampled_from(tuple(LAYERS)), max_size=5), path=name_paths())
def test_the_items_of_a_module_dict_are_named_by_key(implementation, device, items, path):
    """The items of a ModuleDict are named by their keys, in the order of insertion."""
    module = implementation.ModuleDict()
    for name, kind in items.items():
        module[name] = build(implementation, kind)
    assert [name for name, _ in module.named_modules()] == ["", *items]
    named = [(".".join([*path, name]), kind) for name, kind in items.items()]
    assert list(nest(implementation.Module, path, module).state_dict()) == expected_keys(named)


@clause(
    "naming/parameter_list-items-by-position",
    MODULES,
    "('param_list.0', tensor(",
    severity=RECOMMENDED,
    needs="ParameterList",
)
@given(items=st.lists(parameters(), max_size=5), path=name_paths())
def test_the_items_of_a_parameter_list_are_named_by_position(implementation, device, items, path):
    """The parameters of a ParameterList are named "0", "1", ..."""
    drawn = [implementation.restrict(item) for item in items]
    made = [implementation.parameter(implementation.make(item, device), item.differentiable) for item in drawn]
    module = implementation.ParameterList(made)
    assert list(nest(implementation.Module, path, module).state_dict()) == [
        ".".join([*path, str(i)]) for i in range(len(items))
    ]


@clause(
    "naming/parameter_dict-items-by-key",
    "torch.nn.ParameterDict",
    "ParameterDict can be indexed like a regular Python dictionary, but Parameters it contains are properly "
    "registered, and will be visible by all Module methods.",
    needs="ParameterDict",
)
@given(items=st.dictionaries(names(), parameters(), max_size=5), path=name_paths())
def test_the_items_of_a_parameter_dict_are_named_by_key(implementation, device, items, path):
    """The parameters of a ParameterDict are named by their keys, in the order of insertion."""
    module = implementation.ParameterDict()
    for name, item in items.items():
        item = implementation.restrict(item)
        module[name] = implementation.parameter(implementation.make(item, device), item.differentiable)
    assert list(nest(implementation.Module, path, module).state_dict()) == [".".join([*path, name]) for name in items]


@clause(
    "naming/data_parallel-keeps-the-module",
    TUTORIAL,
    GENERICALLY,
    needs="DataParallel",
)
@for_any_module(blueprint=blueprints())
def test_the_attribute_module_of_data_parallel_is_the_wrapped_module(implementation, device, blueprint):
    """The attribute module of DataParallel(m) is m, and its state_dict() has the keys of m, without a prefix."""
    subject = implementation.build(blueprint, device)
    wrapped = implementation.DataParallel(subject.module)
    assert subject.path(wrapped.module) == ""
    assert list(wrapped.module.state_dict()) == [key for key, _ in subject.model.state_dict()]


@clause(
    "naming/data_parallel-adds-module",
    STRIP,
    "Given a `state_dict` from a DP/DDP model, a local model can load it by applying "
    '`consume_prefix_in_state_dict_if_present(state_dict, "module.")`',
    needs="DataParallel",
)
@for_any_module(blueprint=blueprints())
def test_data_parallel_puts_module_before_every_name(implementation, device, blueprint):
    """The keys of DataParallel(m).state_dict() and the names of its parameters are those of m with "module." in
    front."""
    subject = implementation.build(blueprint, device)
    wrapped = implementation.DataParallel(subject.module)
    assert list(wrapped.state_dict()) == [f"module.{key}" for key, _ in subject.model.state_dict()]
    assert subject.named(wrapped.named_parameters()) == subject.model.named_parameters("module")


@clause(
    "naming/data_parallel-module-state-fits-the-bare-module",
    TUTORIAL,
    f"{GENERICALLY} This way, you have the flexibility to load the model any way you want to any device you want.",
    needs="DataParallel",
)
@for_any_module(blueprint=blueprints())
def test_the_state_of_the_wrapped_module_loads_into_a_bare_one(implementation, device, blueprint):
    """DataParallel(m).module.state_dict() loads as it is into a bare module of the same structure."""
    subject = implementation.build(blueprint, device)
    source = implementation.build(refilled(blueprint), device)
    subject.module.load_state_dict(implementation.DataParallel(source.module).module.state_dict())
    assert subject.readings() == loaded(subject.model, source.model.state())


@clause(
    "naming/data_parallel-state-does-not-fit-the-bare-module",
    "torch.nn.Module.load_state_dict",
    "the keys of :attr:`state_dict` must exactly match the keys returned by this module's",
    needs="DataParallel",
)
@for_any_module(blueprint=blueprints(), parameter=parameters())
def test_the_state_of_data_parallel_is_refused_by_the_bare_module(implementation, device, blueprint, parameter):
    """DataParallel(m).state_dict() does not load into a bare module of the same structure, for "module." is in front
    of every key."""
    # Below "module" there is nothing that the prefixed keys could be taken for.
    subject = implementation.build(bp.Module({"own": parameter, "tree": bp.Module({"a": parameter})}), device)
    state = implementation.DataParallel(implementation.build(subject.blueprint, device).module).state_dict()
    with pytest.raises(RuntimeError):
        subject.module.load_state_dict(state)
    result = subject.module.load_state_dict(state, strict=False)
    assert sorted(result.missing_keys) == ["own", "tree.a"]
    assert sorted(result.unexpected_keys) == ["module.own", "module.tree.a"]


@clause(
    "naming/consume_prefix-strips-in-place",
    STRIP,
    "Strip the prefix in state_dict in place, if any.",
    since="1.9",
    needs=CONSUME,
)
@for_any_module(
    blueprint=blueprints(), prefix=st.sampled_from(("module.", "a.", "model.module.")), parameter=parameters()
)
def test_the_prefix_is_stripped_in_place_where_it_is(implementation, device, blueprint, prefix, parameter):
    """consume_prefix_in_state_dict_if_present(state_dict, prefix) takes the prefix off, once, every key that begins
    with it; the values stay, and so do keys without the prefix."""
    subject = implementation.build(bp.Module({"tree": moved(blueprint, "tree")}), device)
    state = {f"{prefix}{key}": subject[path] for key, path in subject.model.state_dict()}
    other = state["other." + prefix] = implementation.make(implementation.restrict(parameter), device)
    assert implementation.consume_prefix_in_state_dict_if_present(state, prefix) is None
    assert state.pop("other." + prefix, None) is other
    assert sorted(subject.named(state.items())) == sorted(subject.model.state_dict())


@clause(
    "naming/consume_prefix-lets-a-bare-module-load",
    STRIP,
    "Given a `state_dict` from a DP/DDP model, a local model can load it by applying "
    '`consume_prefix_in_state_dict_if_present(state_dict, "module.")` before calling '
    ":meth:`torch.nn.Module.load_state_dict`.",
    since="1.9",
    needs=(CONSUME, "DataParallel"),
)
@for_any_module(blueprint=blueprints())
def test_once_stripped_the_state_of_data_parallel_loads_into_a_bare_module(implementation, device, blueprint):
    """DataParallel(m).state_dict(), once "module." is stripped, loads into a bare module of the same structure."""
    subject = implementation.build(bp.Module({"tree": moved(blueprint, "tree")}), device)
    source = implementation.build(refilled(subject.blueprint), device)
    state = implementation.DataParallel(source.module).state_dict()
    implementation.consume_prefix_in_state_dict_if_present(state, "module.")
    subject.module.load_state_dict(state)
    assert subject.readings() == loaded(subject.model, source.model.state())


@clause(
    "naming/consume_prefix-where-a-child-has-its-name",
    STRIP,
    "Given a `state_dict` from a DP/DDP model, a local model can load it by applying "
    '`consume_prefix_in_state_dict_if_present(state_dict, "module.")` before calling '
    ":meth:`torch.nn.Module.load_state_dict`.",
    since="1.9",
    needs=(CONSUME, "DataParallel"),
)
@given(name=names(), first=parameters(), second=parameters())
def test_the_state_of_a_module_with_a_child_called_module_loads_once_stripped(
    implementation, device, name, first, second
):
    """DataParallel(m).state_dict(), once "module." is stripped, loads into a bare module also where m has a child of
    its own that is called "module", so that a stripped key is what another key was before."""
    children = {"module": bp.Module({name: bp.Module({"a": first})}), name: bp.Module({"a": second})}
    subject = implementation.build(bp.Module(children), device)
    source = implementation.build(refilled(subject.blueprint), device)
    state = implementation.DataParallel(source.module).state_dict()
    implementation.consume_prefix_in_state_dict_if_present(state, "module.")
    subject.module.load_state_dict(state)
    assert subject.readings() == loaded(subject.model, source.model.state())
