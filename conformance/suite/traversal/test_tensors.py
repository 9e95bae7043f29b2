"""The iterators over parameters and buffers: what they yield, in which order and how often."""

from __future__ import annotations

from conformance.contract import clause, for_any_module
from strategies import blueprints, prefixes


@clause(
    "traversal/named_parameters-own-then-children",
    "torch.nn.Module.named_parameters",
    "yielding both the name of the parameter as well as the parameter itself. Args: prefix (str): prefix to prepend to all "
    "parameter names. recurse (bool): if True, then yields parameters of this module and all submodules. Otherwise, yields "
    "only parameters that are direct members of this module. remove_duplicate (bool, optional): whether to remove the "
    "duplicated parameters in the result. Defaults to True.",
    about="drawn.empty",
)
@for_any_module(blueprint=blueprints())
def test_named_parameters_yields_own_parameters_then_those_of_each_child(implementation, device, blueprint):
    """named_parameters() yields every parameter of the tree once, under its first dotted name: a module's own in
    registration order, then those of each child in registration order, depth first."""
    subject = implementation.build(blueprint, device)
    assert subject.named(subject.module.named_parameters()) == subject.model.named_parameters()
    assert subject.portrait() == subject.expected_portrait()


@clause(
    "traversal/parameters-are-those-of-named_parameters",
    "torch.nn.Module.parameters",
    "Return an iterator over module parameters.",
)
@for_any_module(blueprint=blueprints())
def test_parameters_yields_the_same_objects_without_names(implementation, device, blueprint):
    """parameters() yields the parameters of named_parameters(), in the same order, without the names."""
    subject = implementation.build(blueprint, device)
    assert subject.paths(subject.module.parameters()) == [path for _, path in subject.model.named_parameters()]
    assert subject.portrait() == subject.expected_portrait()


@clause(
    "traversal/own-parameters-only-without-recurse",
    "torch.nn.Module.named_parameters",
    "Otherwise, yields only parameters that are direct members of this module.",
)
@for_any_module(blueprint=blueprints())
def test_recurse_false_yields_only_the_direct_parameters_of_each_module(implementation, device, blueprint):
    """named_parameters(recurse=False) yields only the direct members of the module, at every node of the tree."""
    subject = implementation.build(blueprint, device)
    for module in subject.model.modules():
        observed = subject.named(subject[module.path].named_parameters(recurse=False))
        assert observed == module.named_parameters(recurse=False)
    assert subject.portrait() == subject.expected_portrait()


@clause(
    "traversal/named_parameters-prefix",
    "torch.nn.Module.named_parameters",
    "prefix to prepend to all parameter names",
)
@for_any_module(blueprint=blueprints(), prefix=prefixes())
def test_prefix_is_prepended_to_every_parameter_name(implementation, device, blueprint, prefix):
    """named_parameters(prefix) puts the prefix and a dot in front of every name."""
    subject = implementation.build(blueprint, device)
    assert subject.named(subject.module.named_parameters(prefix=prefix)) == subject.model.named_parameters(prefix)
    assert subject.portrait() == subject.expected_portrait()


@clause(
    "traversal/named_parameters-every-name-with-duplicates",
    "torch.nn.Module.named_parameters",
    "whether to remove the duplicated parameters in the result.",
    since="2.0",
    needs="Module.named_parameters(remove_duplicate)",
)
@for_any_module(blueprint=blueprints())
def test_remove_duplicate_false_yields_every_name_of_every_parameter(implementation, device, blueprint):
    """named_parameters(remove_duplicate=False) yields a shared parameter once per name."""
    subject = implementation.build(blueprint, device)
    observed = subject.named(subject.module.named_parameters(remove_duplicate=False))
    assert observed == subject.model.named_parameters(remove_duplicate=False)
    assert subject.portrait() == subject.expected_portrait()


@clause(
    "traversal/named_buffers-own-then-children",
    "torch.nn.Module.named_buffers",
    "yielding both the name of the buffer as well as the buffer itself",
)
@for_any_module(blueprint=blueprints())
def test_named_buffers_yields_own_buffers_then_those_of_each_child(implementation, device, blueprint):
    """named_buffers() yields every buffer of the tree, persistent or not, in the order and under the names of a depth-first
    walk, each object once."""
    subject = implementation.build(blueprint, device)
    assert subject.named(subject.module.named_buffers()) == subject.model.named_buffers()
    assert subject.paths(subject.module.buffers()) == [path for _, path in subject.model.named_buffers()]
    assert subject.portrait() == subject.expected_portrait()


@clause(
    "traversal/named_buffers-prefix-and-recurse",
    "torch.nn.Module.named_buffers",
    "prefix to prepend to all buffer names",
)
@for_any_module(blueprint=blueprints(), prefix=prefixes())
def test_prefix_and_recurse_apply_to_buffers_as_to_parameters(implementation, device, blueprint, prefix):
    """named_buffers(prefix, recurse=False) yields the module's own buffers only, the prefix in front of each name."""
    subject = implementation.build(blueprint, device)
    observed = subject.named(subject.module.named_buffers(prefix=prefix, recurse=False))
    assert observed == subject.model.named_buffers(prefix, recurse=False)
    assert subject.named(subject.module.named_buffers(prefix=prefix)) == subject.model.named_buffers(prefix)
    assert subject.portrait() == subject.expected_portrait()


@clause(
    "traversal/named_buffers-every-name-with-duplicates",
    "torch.nn.Module.named_buffers",
    "whether to remove the duplicated buffers in the result. Defaults to True.",
    since="2.0",
    needs="Module.named_buffers(remove_duplicate)",
)
@for_any_module(blueprint=blueprints())
def test_remove_duplicate_false_yields_every_name_of_every_buffer(implementation, device, blueprint):
    """named_buffers(remove_duplicate=False) yields a shared buffer once per name."""
    subject = implementation.build(blueprint, device)
    observed = subject.named(subject.module.named_buffers(remove_duplicate=False))
    assert observed == subject.model.named_buffers(remove_duplicate=False)
    assert subject.portrait() == subject.expected_portrait()
