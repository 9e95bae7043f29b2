"""load_state_dict(): entries that do not fit, and names of every kind."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

from conformance.contract import OBSERVED, clause, for_any_module, given
from conformance.language import blueprint as bp
from conformance.language.transform import extended, refilled
from conformance.model.state import loaded
from conformance.suite.support.loading import keys
from conformance.suite.support.nesting import nest
from strategies import blueprints, fills, names, parameters, refused_names
from strategies.state import mismatched_shapes, name_paths

LOAD = "torch.nn.Module.load_state_dict"
LOAD_OWN = "torch.nn.Module._load_from_state_dict"
EXACTLY = (
    "If :attr:`strict` is ``True``, then the keys of :attr:`state_dict` must exactly match the keys returned by this "
    "module's :meth:`~torch.nn.Module.state_dict` function."
)


@clause(
    "load_state_dict/other-shape-is-refused",
    "source:torch.nn.Module._load_from_state_dict",
    "size mismatch for {key}: copying a param with shape",
    severity=OBSERVED,
)
@given(shapes=mismatched_shapes(), buffer=st.booleans(), names=name_paths(), strict=st.booleans(), fill=fills())
def test_an_entry_of_another_shape_raises_strict_or_not(implementation, device, shapes, buffer, names, strict, fill):
    """An entry whose shape differs from that of the parameter or buffer raises RuntimeError, also with strict=False
    and where the one could be broadcast to the other, and leaves that tensor as it was."""
    own = (bp.Buffer if buffer else bp.Parameter)(shapes[0], fill=fill)
    subject = implementation.build(bp.Module({"own": own}), device)
    entry = implementation.make(bp.Tensor(shapes[1], fill=fill + 1), device)
    with pytest.raises(RuntimeError):
        nest(implementation.Module, names, subject.module).load_state_dict({".".join([*names, "own"]): entry}, strict)
    assert subject.portrait() == subject.expected_portrait()


@clause(
    "load_state_dict/one-element-fits-a-scalar",
    "source:torch.nn.Module._load_from_state_dict",
    "Backward compatibility: loading 1-dim tensor from 0.3.* to version 0.4+",
    severity=OBSERVED,
)
@given(buffer=st.booleans(), names=name_paths(), fill=fills())
def test_an_entry_of_shape_one_loads_into_a_scalar(implementation, device, buffer, names, fill):
    """An entry of shape (1,) loads into a parameter or buffer of shape ()."""
    subject = implementation.build(bp.Module({"own": (bp.Buffer if buffer else bp.Parameter)((), fill=fill)}), device)
    entry = bp.Tensor((1,), fill=fill + 1)
    root = nest(implementation.Module, names, subject.module)
    root.load_state_dict({".".join([*names, "own"]): implementation.make(entry, device)})
    assert subject.readings() == {"own": ((), "float32", entry.flat)}


@clause(
    "load_state_dict/what-is-no-tensor-is-refused",
    "source:torch.nn.Module._load_from_state_dict",
    "expected torch.Tensor or Tensor-like object from checkpoint but ",
    severity=OBSERVED,
    since="1.12",
)
@for_any_module(
    blueprint=blueprints(), parameter=parameters(), wrong=st.sampled_from((None, 0, 1.5, "text", [1.0, 2.0], ()))
)
def test_an_entry_that_is_no_tensor_raises(implementation, device, blueprint, parameter, wrong):
    """An entry that is no tensor raises RuntimeError, also with strict=False, and leaves the parameter as it was."""
    subject = implementation.build(extended(blueprint, own=parameter), device)
    for strict in (True, False):
        with pytest.raises(RuntimeError):
            subject.module.load_state_dict({**subject.module.state_dict(), "own": wrong}, strict=strict)
    assert subject.portrait() == subject.expected_portrait()


@clause(
    "load_state_dict/errors-are-reported-together",
    LOAD_OWN,
    "error messages should be added to this list, and will be reported together in "
    ":meth:`~torch.nn.Module.load_state_dict`",
    needs="Module._load_from_state_dict",
)
@given(names=name_paths(), messages=st.lists(st.sampled_from(("first", "second", "third")), min_size=1, unique=True))
def test_the_error_messages_of_all_modules_are_reported_together(implementation, device, names, messages):
    """What _load_from_state_dict() of several modules adds to error_msgs is reported in one RuntimeError, strict or
    not."""

    class Net(implementation.Module):
        def _load_from_state_dict(self, *given):
            given[-1].append(self.message)

    module = implementation.Module()
    for number, message in enumerate(messages):
        module.add_module(str(number), Net())
        getattr(module, str(number)).message = message
    with pytest.raises(RuntimeError) as raised:
        nest(implementation.Module, names, module).load_state_dict({}, strict=False)
    assert [message for message in messages if message not in str(raised.value)] == []


@clause(
    "load_state_dict/none-slot-with-a-key-raises",
    LOAD,
    "If a parameter or buffer is registered as ``None`` and its corresponding key exists in :attr:`state_dict`, "
    ":meth:`load_state_dict` will raise a ``RuntimeError``.",
    needs=("tree.empty_parameter", "tree.empty_buffer"),
)
@for_any_module(blueprint=blueprints(), kind=st.sampled_from(("parameter", "buffer")), names=name_paths(), fill=fills())
def test_a_key_for_a_parameter_or_buffer_that_is_none_raises(implementation, device, blueprint, kind, names, fill):
    """Strict loading of a key whose parameter or buffer is registered as None raises RuntimeError."""
    subject = implementation.build(extended(blueprint, own=bp.Empty(kind)), device)
    root = nest(implementation.Module, names, subject.module)
    entry = implementation.make(bp.Tensor((2,), fill=fill), device)
    with pytest.raises(RuntimeError):
        root.load_state_dict({**root.state_dict(), ".".join([*names, "own"]): entry})
    root.load_state_dict(root.state_dict())
    assert subject.portrait() == subject.expected_portrait()


@clause(
    "load_state_dict/none-slot-with-a-key-raises-without-strict",
    LOAD,
    "If a parameter or buffer is registered as ``None`` and its corresponding key exists in :attr:`state_dict`, "
    ":meth:`load_state_dict` will raise a ``RuntimeError``.",
    needs=("tree.empty_parameter", "tree.empty_buffer"),
)
@for_any_module(blueprint=blueprints(), kind=st.sampled_from(("parameter", "buffer")), names=name_paths(), fill=fills())
def test_without_strict_too_a_key_for_what_is_none_raises(implementation, device, blueprint, kind, names, fill):
    """With strict=False too, a key whose parameter or buffer is registered as None raises RuntimeError."""
    subject = implementation.build(extended(blueprint, own=bp.Empty(kind)), device)
    root = nest(implementation.Module, names, subject.module)
    entry = implementation.make(bp.Tensor((2,), fill=fill), device)
    with pytest.raises(RuntimeError):
        root.load_state_dict({**root.state_dict(), ".".join([*names, "own"]): entry}, strict=False)
    root.load_state_dict(root.state_dict(), strict=False)
    assert subject.portrait() == subject.expected_portrait()


@clause("load_state_dict/parameter-of-any-name-round-trips", LOAD, EXACTLY)
@given(name=st.one_of(names(), st.sampled_from(("_extra_state", "_metadata"))), parameter=parameters())
def test_a_parameter_of_any_accepted_name_loads_from_its_own_state(implementation, device, name, parameter):
    """A module loads its own state_dict(), whatever the name under which a parameter was registered."""
    subject = implementation.build(bp.Module({name: parameter}), device)
    source = implementation.build(refilled(subject.blueprint), device)
    subject.module.load_state_dict(source.module.state_dict())
    assert subject.readings() == loaded(subject.model, source.model.state())


@clause("load_state_dict/child-of-any-name-round-trips", LOAD, EXACTLY)
@given(name=st.one_of(names(), refused_names()))
def test_a_child_of_any_accepted_name_loads_from_the_state_of_its_parent(implementation, device, name):
    """Where a module accepts a child by setattr() under a name, dots in it or not, it loads the state_dict() of a module
    of equal structure."""
    layers = [implementation.build(bp.Linear(2, 2, fill=fill), device) for fill in (1, 2)]
    one, other = implementation.Module(), implementation.Module()
    try:
        setattr(one, name, layers[0].module)
        setattr(other, name, layers[1].module)
    except KeyError:
        return  # to refuse the name is the other way to keep the promise
    assert keys(one.load_state_dict(other.state_dict())) == ([], [])
    assert layers[0].readings() == layers[1].expected_readings()
