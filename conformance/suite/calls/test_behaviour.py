"""What a module computes, whatever that is: calls compared with calls of the same module, or of another in the same state."""

from __future__ import annotations

import copy
import io

from conformance.contract import OBSERVED, RECOMMENDED, clause, for_any_module
from conformance.language.transform import refilled
from conformance.suite.support.numbers import differentiate, outcome
from strategies import callables
from strategies.inputs import rows
from strategies.tensors import FLOATING

#: Modules without hooks, so that a call is what the module computes.
TREES = callables(hooks=False)
#: Whose results can be compared: a module may draw numbers, or count its calls.
REPEATED = ("example", "example.repeatable")


def differentiable(implementation, value):
    """An input that collects its gradient, where it can."""
    floating = implementation.is_tensor(value) and implementation.read(value).dtype in FLOATING
    return implementation.parameter(value) if floating else value


def computed(implementation, module, arguments):
    """What the module returns in evaluation mode."""
    return outcome(implementation, module.eval()(*arguments))


@clause(
    "behaviour/call-gives-what-forward-gives",
    "torch.nn.Module.forward",
    "Define the computation performed at every call.",
    needs=REPEATED,
)
@for_any_module(blueprint=TREES, rows=rows())
def test_a_call_gives_what_forward_gives(implementation, device, blueprint, rows):
    """In evaluation mode and without hooks, module(x) returns what module.forward(x) returns."""
    module = implementation.build(blueprint, device).module.eval()
    arguments = implementation.example(rows, device)
    assert outcome(implementation, module.forward(*arguments)) == outcome(implementation, module(*arguments))


@clause(
    "behaviour/state-carries-the-computation",
    "torch.nn.Module.load_state_dict",
    "Copy parameters and buffers from :attr:`state_dict` into this module and its descendants.",
    severity=RECOMMENDED,
    needs=REPEATED,
)
@for_any_module(blueprint=TREES, rows=rows())
def test_a_module_that_loads_the_state_of_another_computes_what_that_computes(implementation, device, blueprint, rows):
    """A module of the same structure that loads another's state_dict returns in evaluation mode what the other
    returns."""
    source = implementation.build(blueprint, device)
    target = implementation.build(refilled(blueprint, transient=False), device)
    target.module.load_state_dict(source.module.state_dict())
    arguments = implementation.example(rows, device)
    expected = computed(implementation, source.module, arguments)
    assert computed(implementation, target.module, arguments) == expected


@clause(
    "behaviour/saved-module-computes-the-same",
    "https://docs.pytorch.org/docs/stable/notes/serialization.html",
    "Custom data structures that include PyTorch tensors can also be saved if the data structure is pickle-able.",
    severity=RECOMMENDED,
    since="1.13",  # before, any argument of load() went to the unpickler
    needs=(*REPEATED, "save", "load", "pickle.module", "load(weights_only)"),
)
@for_any_module(blueprint=TREES, rows=rows())
def test_a_module_that_was_saved_and_loaded_computes_the_same(implementation, device, blueprint, rows):
    """A whole module that was saved and loaded returns in evaluation mode what it returned before."""
    module = implementation.build(blueprint, device).module
    arguments = implementation.example(rows, device)
    expected = computed(implementation, module, arguments)
    file = io.BytesIO()
    implementation.save(module, file)
    file.seek(0)
    assert computed(implementation, implementation.load(file, weights_only=False), arguments) == expected


@clause(
    "behaviour/deep-copy-computes-the-same",
    "source:torch.optim.swa_utils.AveragedModel.__init__",
    "self.module = deepcopy(model)",
    severity=OBSERVED,
    needs=REPEATED,
)
@for_any_module(blueprint=TREES, rows=rows())
def test_a_deep_copy_computes_what_the_module_computes(implementation, device, blueprint, rows):
    """copy.deepcopy(module) returns in evaluation mode what the module returns."""
    module = implementation.build(blueprint, device).module
    arguments = implementation.example(rows, device)
    expected = computed(implementation, module, arguments)
    assert computed(implementation, copy.deepcopy(module), arguments) == expected


@clause(
    "behaviour/looking-changes-nothing",
    "torch.nn.Module.state_dict",
    "The returned object is a shallow copy. It contains references to the module's parameters and buffers.",
    severity=RECOMMENDED,
    needs=REPEATED,
)
@for_any_module(blueprint=TREES, rows=rows())
def test_looking_at_a_module_does_not_change_what_it_computes(implementation, device, blueprint, rows):
    """Asking a module for its state_dict, parameters, buffers, modules and repr leaves what it computes as it was."""
    module = implementation.build(blueprint, device).module
    arguments = implementation.example(rows, device)
    before = computed(implementation, module, arguments)
    module.state_dict(), list(module.named_parameters()), list(module.named_buffers()), list(module.modules())
    repr(module)
    assert computed(implementation, module, arguments) == before


@clause(
    "behaviour/pre_hook-before-and-hook-after-forward",
    "torch.nn.Module.register_forward_hook",
    "The hook will be called every time after :func:`forward` has computed an output.",
    needs=("example", "Module.register_forward_pre_hook", "Module.register_forward_hook", "hooks.handle"),
)
@for_any_module(blueprint=TREES, rows=rows())
def test_hooks_see_what_goes_in_and_what_comes_out(implementation, device, blueprint, rows):
    """A forward pre-hook is called once with the arguments of the call, then a forward hook once with them and the output
    that the caller gets; once removed neither is called again."""
    module = implementation.build(blueprint, device).module.eval()
    arguments = implementation.example(rows, device)
    seen = []
    first = module.register_forward_pre_hook(lambda called, args: seen.append((called, args)))
    last = module.register_forward_hook(lambda called, args, output: seen.append((called, args, output)))
    output = module(*arguments)
    first.remove()
    last.remove()
    module(*arguments)
    assert [called is module for called, *_ in seen] == [True, True]
    assert [len(args) for _, args, *_ in seen] == [len(arguments)] * 2
    assert all(one is other for _, args, *_ in seen for one, other in zip(args, arguments, strict=True))
    assert seen[1][2] is output


@clause(
    "behaviour/zero_grad-forgets-the-backward-pass",
    "torch.nn.Module.zero_grad",
    "Reset gradients of all model parameters.",
    since="2.0",
    needs=("example", "autograd", "Module.zero_grad"),
)
@for_any_module(blueprint=TREES, rows=rows())
def test_after_zero_grad_no_parameter_has_a_gradient(implementation, device, blueprint, rows):
    """After a backward pass and zero_grad() no parameter of the tree has a gradient; before it, one that requires none has
    none."""
    subject = implementation.build(blueprint, device)
    passed = differentiate(implementation, subject.module.eval()(*implementation.example(rows, device)))
    tensors = subject.model.tensors()
    paths = [path for path, tensor in tensors.items() if tensor.kind == "parameter"]
    frozen = [path for path in paths if not tensors[path].requires_grad]
    reached = [path for path in paths if implementation.grad(subject[path]) is not None]
    assert bool(reached) == passed, "backward() of an output that requires gradients fills some"
    assert [path for path in reached if path in frozen] == []
    subject.module.zero_grad()
    assert [path for path in paths if implementation.grad(subject[path]) is not None] == []


@clause(
    "behaviour/frozen-module-gets-no-gradients",
    "torch.nn.Module.requires_grad_",
    "This method is helpful for freezing part of the module for finetuning or training parts of a model individually",
    needs=("example", "autograd", "Module.requires_grad_"),
)
@for_any_module(blueprint=TREES, rows=rows())
def test_a_frozen_module_collects_no_gradients(implementation, device, blueprint, rows):
    """After requires_grad_(False) a backward pass, which fills the gradients of the inputs, leaves none on any parameter of
    the tree."""
    subject = implementation.build(blueprint, device)
    subject.module.requires_grad_(False)
    inputs = [differentiable(implementation, value) for value in implementation.example(rows, device)]
    passed = differentiate(implementation, subject.module.eval()(*inputs))
    reached = [
        value for value in inputs if implementation.is_parameter(value) and implementation.grad(value) is not None
    ]
    assert bool(reached) == passed, "backward() of an output that requires gradients fills some"
    paths = [path for path, tensor in subject.model.tensors().items() if tensor.kind == "parameter"]
    assert [path for path in paths if implementation.grad(subject[path]) is not None] == []
