"""Checkpoints: training that stops, is saved with its optimizer, and goes on from the file as if it had not stopped."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

from conformance.contract import OBSERVED, RECOMMENDED, clause, given
from conformance.language import blueprint as bp
from conformance.language.transform import refilled
from conformance.model.files import mapped
from conformance.model.state import state_readings
from conformance.suite.support.files import loaded, saved
from strategies import blueprints
from strategies.checkpoints import networks, optimizers

TUTORIAL = "https://docs.pytorch.org/tutorials/beginner/saving_loading_models.html"
FILE = ("save", "load")
TRAINING = ("autograd", "Module.zero_grad", "SGD", "Adam")


class Run:
    """A network and its optimizer."""

    def __init__(self, implementation, blueprint, optimizer, lr, device):
        self.implementation = implementation
        self.subject = implementation.build(blueprint, device)
        self.module = self.subject.module
        self.optimizer = getattr(implementation, optimizer)(self.module.parameters(), lr=lr)
        self.input = implementation.tensor([[0.5, -1.0], [0.25, 2.0]], "float32", device)

    def steps(self, count):
        """Train for that many steps; the parameters after each."""
        trajectory = []
        for _ in range(count):
            self.module.zero_grad()
            self.implementation.backward(self.module(self.input))
            self.optimizer.step()
            trajectory.append(self.subject.readings())
        return trajectory

    def checkpoint(self):
        """What is to be saved of it."""
        return {"model_state_dict": self.module.state_dict(), "optimizer_state_dict": self.optimizer.state_dict()}

    def resume(self, checkpoint):
        """Take up the state of a run that was saved."""
        self.module.load_state_dict(checkpoint["model_state_dict"])
        self.optimizer.load_state_dict(checkpoint["optimizer_state_dict"])
        return self


@clause(
    "checkpoints/several-models-in-one-file",
    TUTORIAL,
    "Models, tensors, and dictionaries of all kinds of objects can be saved using this function.",
    needs=FILE,
)
@given(trees=st.lists(blueprints(max_nodes=6), min_size=2, max_size=3))
def test_several_models_saved_in_one_file_load_each_into_its_own(implementation, device, trees):
    """The state_dicts of several models saved in one dict load into several models, each getting its own values."""
    origins = [implementation.build(tree, device) for tree in trees]
    targets = [implementation.build(refilled(tree), device) for tree in trees]
    content = saved(implementation.save, {f"model{i}": one.module.state_dict() for i, one in enumerate(origins)})
    checkpoint = loaded(implementation.load, content)
    for i, (origin, target) in enumerate(zip(origins, targets, strict=True)):
        target.module.load_state_dict(checkpoint[f"model{i}"])
        assert implementation.readings(target.module.state_dict()) == state_readings(origin.model)


@clause(
    "checkpoints/training-resumes",
    "torch.optim.Optimizer.load_state_dict",
    "optimizer state. Should be an object returned from a call to :meth:`state_dict`.",
    needs=(*FILE, *TRAINING, "Linear"),
)
@given(network=networks(), optimizer=optimizers(), before=st.integers(0, 3), after=st.integers(1, 2))
def test_training_resumed_from_a_checkpoint_goes_on_as_if_it_had_not_stopped(
    implementation, device, network, optimizer, before, after
):
    """A network and an optimizer, both made anew with other values and another learning rate, that load a checkpoint
    take the very steps that the saved ones would have taken."""
    run = Run(implementation, network, optimizer, 0.0625, device)
    run.steps(before)
    content = saved(implementation.save, {"epoch": before, **run.checkpoint(), "loss": 0.5})
    expected = run.steps(after)
    fresh = Run(implementation, refilled(network), optimizer, 0.5, device)
    assert fresh.resume(loaded(implementation.load, content)).steps(after) == expected


@clause(
    "checkpoints/several-models-and-optimizers-resume",
    "torch.optim.Optimizer.load_state_dict",
    "optimizer state. Should be an object returned from a call to :meth:`state_dict`.",
    needs=(*FILE, *TRAINING, "Linear"),
)
@given(first=networks(), second=networks(), kinds=st.tuples(optimizers(), optimizers()))
def test_two_models_and_their_optimizers_resume_from_one_file(implementation, device, first, second, kinds):
    """Two networks and their optimizers saved in one file resume independently of each other."""
    runs = [Run(implementation, tree, kind, 0.0625, device) for tree, kind in zip((first, second), kinds, strict=True)]
    for count, run in enumerate(runs, start=1):
        run.steps(count)
    content = saved(implementation.save, {"a": runs[0].checkpoint(), "b": runs[1].checkpoint()})
    expected = [run.steps(2) for run in runs]
    checkpoint = loaded(implementation.load, content)
    for name, tree, kind, trajectory in zip("ab", (first, second), kinds, expected, strict=True):
        fresh = Run(implementation, refilled(tree), kind, 0.5, device)
        assert fresh.resume(checkpoint[name]).steps(2) == trajectory


@clause(
    "checkpoints/resumes-on-another-device",
    "torch.load",
    "and then :meth:`load_state_dict` to avoid GPU RAM surge when loading a model checkpoint.",
    severity=RECOMMENDED,
    needs=(*FILE, *TRAINING, "load(map_location)", "Linear"),
)
@given(network=networks(), optimizer=optimizers(), before=st.integers(1, 3))
def test_a_checkpoint_mapped_to_the_cpu_resumes_on_the_device(implementation, device, network, optimizer, before):
    """A checkpoint loaded with map_location="cpu" resumes training on the device of the network it is loaded into."""
    run = Run(implementation, network, optimizer, 0.0625, device)
    run.steps(before)
    content = saved(implementation.save, run.checkpoint())
    expected = run.steps(2)
    fresh = Run(implementation, refilled(network), optimizer, 0.5, device)
    assert fresh.resume(loaded(implementation.load, content, map_location="cpu")).steps(2) == expected
    assert {implementation.device(parameter) for parameter in fresh.module.parameters()} == {device}


@clause(
    "checkpoints/optimizer-state-round-trip",
    "torch.optim.Optimizer.state_dict",
    "Return the state of the optimizer as a :class:`dict`.",
    needs=(*FILE, *TRAINING, "Linear"),
)
@given(network=networks(), optimizer=optimizers(), before=st.integers(0, 3))
def test_the_state_of_an_optimizer_loads_as_it_was_saved(implementation, device, network, optimizer, before):
    """optimizer.state_dict() comes back from a file with the same structure, numbers and tensors, and an optimizer that
    loads it returns it from its own state_dict()."""

    def plain(state):
        return mapped(state, lambda leaf: implementation.read(leaf) if implementation.is_tensor(leaf) else leaf)

    run = Run(implementation, network, optimizer, 0.0625, device)
    run.steps(before)
    state = plain(run.optimizer.state_dict())
    back = loaded(implementation.load, saved(implementation.save, run.optimizer.state_dict()))
    fresh = Run(implementation, network, optimizer, 0.5, device)
    fresh.optimizer.load_state_dict(back)
    assert plain(back) == state
    assert plain(fresh.optimizer.state_dict()) == state


@clause(
    "checkpoints/loading-keeps-the-optimizer",
    "torch.nn.Module.load_state_dict",
    "Copy parameters and buffers from :attr:`state_dict` into this module and its descendants.",
    needs=(*FILE, *TRAINING, "Linear"),
)
@given(network=networks(), optimizer=optimizers())
def test_an_optimizer_made_before_loading_trains_the_loaded_values(implementation, device, network, optimizer):
    """An optimizer made before load_state_dict() goes on training the module: its steps start from the loaded
    values."""
    origin = Run(implementation, network, optimizer, 0.0625, device)
    late = Run(implementation, refilled(network), optimizer, 0.0625, device)
    content = saved(implementation.save, origin.module.state_dict())
    late.module.load_state_dict(loaded(implementation.load, content))
    assert late.steps(2) == origin.steps(2)


@clause(
    "checkpoints/optimizer-refuses-another-size",
    "source:torch.optim.Optimizer.load_state_dict",
    "loaded state dict contains a parameter group that doesn't match the size of optimizer's group",
    severity=OBSERVED,
    needs=("SGD", "Adam"),
)
@given(sizes=st.tuples(st.integers(1, 4), st.integers(1, 3)), optimizer=optimizers())
def test_an_optimizer_refuses_the_state_of_one_with_another_number_of_parameters(
    implementation, device, sizes, optimizer
):
    """optimizer.load_state_dict() raises ValueError where the saved optimizer had another number of parameters, and
    keeps its own options."""
    size, more = sizes

    def made(count, lr):
        members = {f"p{i}": bp.Parameter((1,), fill=i) for i in range(count)}
        module = implementation.build(bp.Module(members), device).module
        return getattr(implementation, optimizer)(module.parameters(), lr=lr)

    one, other = made(size, 0.5), made(size + more, 0.25)
    for target, source, lr in ((one, other, 0.5), (other, one, 0.25)):
        with pytest.raises(ValueError):
            target.load_state_dict(source.state_dict())
        assert [group["lr"] for group in target.param_groups] == [lr]
