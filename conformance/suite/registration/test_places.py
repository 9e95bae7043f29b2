"""Places: what registering None keeps, and the order that registering, replacing and deleting leave."""

from __future__ import annotations

from hypothesis import strategies as st

from conformance.contract import OBSERVED, clause, given
from conformance.language import blueprint as bp
from conformance.suite.support.registering import KINDS, only, put, registered
from strategies import names
from strategies.pieces import pieces


@clause(
    "registration/child-none-is-an-empty-place",
    "source:torch.nn.Module.add_module",
    "if not isinstance(module, Module) and module is not None:",
    severity=OBSERVED,
)
@given(pieces=pieces(), name=names())
def test_add_module_takes_none(implementation, device, pieces, name):
    """add_module(name, None) makes an attribute that is None and in neither children() nor modules(); a Module assigned
    to it is a child."""
    subject = implementation.build(pieces, device)
    module = implementation.Module()
    module.add_module(name, None)
    assert getattr(module, name) is None
    assert registered(subject, module) == only()
    assert [known for known, _ in module.named_modules()] == [""]
    setattr(module, name, subject["module"])
    assert registered(subject, module) == only(module=[(name, "module")])


@clause(
    "registration/none-keeps-the-place",
    "source:torch.nn.Module.__setattr__",
    "(torch.nn.Module or None expected)",
    severity=OBSERVED,
)
@given(pieces=pieces(), kind=st.sampled_from(KINDS))
def test_assigning_none_empties_the_place_and_keeps_it(implementation, device, pieces, kind):
    """Assigning None to a registered name empties it (the attribute is None, no collection has it); a value of its kind
    assigned later is back in the old place."""
    subject = implementation.build(pieces, device)
    module = implementation.Module()
    put(implementation, module, kind, "first", subject[kind])
    put(implementation, module, kind, "second", subject[f"other_{kind}"])
    module.first = None
    assert module.first is None
    assert registered(subject, module) == only(**{kind: [("second", f"other_{kind}")]})
    module.first = subject[kind]
    assert registered(subject, module) == only(**{kind: [("first", kind), ("second", f"other_{kind}")]})


@clause(
    "registration/order-is-that-of-a-dict",
    "source:torch.nn.Module.__init__",
    'super().__setattr__("_parameters", {})',
    severity=OBSERVED,
)
@given(
    kind=st.sampled_from(KINDS),
    edits=st.lists(
        st.tuples(st.sampled_from(("assign", "delete")), st.sampled_from(("a", "b", "c", "layer"))),
        min_size=3,
        max_size=10,
    ),
)
def test_replacing_keeps_the_place_and_adding_again_goes_to_the_end(implementation, device, kind, edits):
    """Parameters, buffers and children come in the order in which they were first registered: replacing one keeps its
    place, deleting it and registering it again puts it at the end."""
    make = {"parameter": bp.Parameter((1,)), "buffer": bp.Buffer((1,)), "module": bp.Identity()}[kind]
    subject = implementation.build(bp.Module({f"m{i}": make for i in range(len(edits))}), device)
    module, expected = implementation.Module(), {}
    for i, (edit, name) in enumerate(edits):
        if edit == "delete" and name in expected:
            delattr(module, name)
            del expected[name]
        elif edit == "assign":
            put(implementation, module, kind, name, subject[f"m{i}"])
            expected[name] = f"m{i}"
    assert registered(subject, module)[kind] == list(expected.items())


@clause(
    "registration/one-object-under-two-names",
    "torch.nn.Module.named_parameters",
    "whether to remove the duplicated parameters in the result.",
)
@given(pieces=pieces(), kind=st.sampled_from(KINDS))
def test_one_object_may_have_two_names_and_keeps_the_one_that_is_not_deleted(implementation, device, pieces, kind):
    """One Parameter, buffer or Module may be registered under two names of a module; deleting one name leaves the
    other."""
    subject = implementation.build(pieces, device)
    module = implementation.Module()
    put(implementation, module, kind, "first", subject[kind])
    put(implementation, module, kind, "second", subject[kind])
    assert module.first is module.second
    assert registered(subject, module) == only(**{kind: [("first", kind)]})
    del module.first
    assert registered(subject, module) == only(**{kind: [("second", kind)]})
