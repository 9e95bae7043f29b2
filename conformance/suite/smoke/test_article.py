"""CivilNet: the network of the article that this project started from, and every claim made of it, corrected where the
documentation says otherwise today. The expected names are written out: nothing here is computed by the model. Each is an
example of what the clauses that it shows state of every module, so none is counted as a clause of its own."""

from __future__ import annotations

import io

import pytest

from conformance.contract import smoke
from conformance.language import blueprint as bp
from conformance.suite.support.loading import contents

LAYERS = {
    "conv1": bp.Conv2d(3, 6, 5),
    "pool": bp.MaxPool2d(2, 2),
    "conv2": bp.Conv2d(6, 16, 5),
    "fc1": bp.Linear(16 * 5 * 5, 120),
    "fc2": bp.Linear(120, 84),
    "fc3": bp.Linear(84, 10),
}
CIVIL_NET = bp.Module({**LAYERS, "gemfield": bp.Attribute("gemfield.org"), "syszux": bp.Attribute(bp.Tensor((1, 1)))})
KEYS = [
    "conv1.weight",
    "conv1.bias",
    "conv2.weight",
    "conv2.bias",
    "fc1.weight",
    "fc1.bias",
    "fc2.weight",
    "fc2.bias",
    "fc3.weight",
    "fc3.bias",
]
CONVOLUTION = ("Conv2d", "MaxPool2d")


def civil_net(implementation, device):
    """CivilNet as its author wrote it, with known values."""
    subject = implementation.build(CIVIL_NET, device)

    class CivilNet(implementation.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.pool, self.conv2 = subject["conv1"], subject["pool"], subject["conv2"]
            self.fc1, self.fc2, self.fc3 = subject["fc1"], subject["fc2"], subject["fc3"]
            self.gemfield, self.syszux = "gemfield.org", subject["syszux"]

    return CivilNet()


def zeroed(implementation, net):
    """The net with every parameter set to zero."""
    for parameter in net.parameters():
        reading = implementation.read(parameter)
        implementation.write(parameter, bp.nest([0.0] * len(reading.flat), reading.shape))
    return net


@smoke(
    "article/members-filed-by-type",
    "torch.nn.Module",
    shows=(
        "registration/module-by-assignment",
        "registration/plain-tensor-is-not-registered",
        "registration/other-values-are-plain-attributes",
        "traversal/named_children-immediate-in-order",
    ),
    needs=CONVOLUTION,
)
def test_layers_of_civil_net_are_children_and_its_text_and_tensor_are_plain_attributes(implementation, device):
    """CivilNet's six layers are its children in the order of assignment; the string gemfield and the plain tensor syszux
    are ordinary attributes, registered nowhere."""
    net = civil_net(implementation, device)
    assert [name for name, _ in net.named_children()] == ["conv1", "pool", "conv2", "fc1", "fc2", "fc3"]
    assert net.gemfield == "gemfield.org"
    assert implementation.read(net.syszux).shape == (1, 1)
    assert list(net.named_buffers()) == []


@smoke(
    "article/own-parameters-empty-all-parameters-recursive",
    "torch.nn.Module.parameters",
    shows=("traversal/own-parameters-only-without-recurse", "traversal/named_parameters-own-then-children"),
    needs=CONVOLUTION,
)
def test_civil_net_owns_no_parameter_and_reaches_ten(implementation, device):
    """CivilNet itself has no parameter; parameters() finds the weights and biases of its layers recursively."""
    net = civil_net(implementation, device)
    assert list(net.parameters(recurse=False)) == []
    assert [name for name, _ in net.named_parameters()] == KEYS


@smoke(
    "article/layers-in-a-plain-list-are-lost",
    "torch.nn.ModuleList",
    shows=("registration/python-containers-hide-their-items", "naming/module_list-items-by-position"),
    needs=CONVOLUTION,
)
def test_layers_in_a_plain_list_have_no_parameters_until_it_is_a_module_list(implementation, device):
    """Layers kept in a plain list are not registered, so parameters() is empty; in a ModuleList they are."""
    subject = implementation.build(CIVIL_NET, device)
    net = implementation.Module()
    net.layer1 = [subject["conv1"], subject["pool"], subject["conv2"]]
    assert list(net.parameters()) == []
    net.layer1 = implementation.ModuleList(net.layer1)
    assert [name for name, _ in net.named_parameters()] == [
        "layer1.0.weight",
        "layer1.0.bias",
        "layer1.2.weight",
        "layer1.2.bias",
    ]


@smoke(
    "article/state_dict-keys",
    "torch.nn.Module.state_dict",
    shows="state_dict/keys-follow-registration-order",
    needs=CONVOLUTION,
)
def test_state_dict_of_civil_net_has_ten_keys(implementation, device):
    """The keys of CivilNet's state_dict are conv1.weight, conv1.bias, ..., fc3.bias, in that order."""
    assert list(civil_net(implementation, device).state_dict()) == KEYS


@smoke(
    "article/module_list-keys-count-the-pooling-layer",
    "torch.nn.ModuleList",
    shows="naming/module_list-items-by-position",
    needs=CONVOLUTION,
)
def test_keys_of_a_module_list_count_the_layer_without_parameters(implementation, device):
    """With the six layers in a ModuleList the keys begin with gemfield.0, 2, 3, 4 and 5: position 1 is the pooling layer,
    which has no parameters but still counts."""
    subject = implementation.build(bp.Module({"gemfield": bp.ModuleList(LAYERS.values())}), device)
    prefixes = list(dict.fromkeys(key.rpartition(".")[0] for key in subject.module.state_dict()))
    assert prefixes == ["gemfield.0", "gemfield.2", "gemfield.3", "gemfield.4", "gemfield.5"]


@smoke(
    "article/data_parallel-keys",
    "torch.nn.DataParallel",
    shows=("naming/data_parallel-adds-module", "naming/data_parallel-keeps-the-module"),
    needs=(*CONVOLUTION, "DataParallel"),
)
def test_data_parallel_puts_module_in_front_of_every_key(implementation, device):
    """DataParallel(net).state_dict() has every key of CivilNet behind "module."; .module.state_dict() is free of it."""
    net = civil_net(implementation, device)
    parallel = implementation.DataParallel(net)
    assert list(parallel.state_dict()) == [f"module.{key}" for key in KEYS]
    assert list(parallel.module.state_dict()) == KEYS


@smoke(
    "article/buffers-are-kept-with-the-parameters",
    "torch.nn.Module.register_buffer",
    shows="construction/batch_norm-statistics-are-buffers",
)
def test_running_mean_of_a_batch_norm_is_a_buffer_in_the_state(implementation, device):
    """BatchNorm's running_mean is a buffer: in buffers() and in the state_dict, not in parameters()."""
    net = implementation.build(bp.BatchNorm1d(2), device).module
    assert [name for name, _ in net.named_parameters()] == ["weight", "bias"]
    assert [name for name, _ in net.named_buffers()] == ["running_mean", "running_var", "num_batches_tracked"]
    assert list(net.state_dict()) == ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]


@smoke(
    "article/call-runs-forward-and-its-hooks",
    "torch.nn.Module.forward",
    shows=("calls/pre-hooks-then-forward-then-hooks", "calls/forward-ignores-hooks"),
    needs=("Module.register_forward_pre_hook", "Module.register_forward_hook"),
)
def test_calling_a_net_runs_pre_hooks_forward_and_hooks_while_forward_alone_runs_none(implementation, device):
    """net(x) runs the forward pre-hooks, forward, then the forward hooks; net.forward(x) computes the same without hooks."""
    log = []

    class Net(implementation.Module):
        def forward(self, x):
            log.append("forward")
            return x

    net = Net()
    x = implementation.tensor([1.0, 2.0], "float32", device)
    net.register_forward_pre_hook(lambda module, args: log.append("pre"))
    net.register_forward_hook(lambda module, args, output: log.append("hook"))
    called = implementation.read(net(x))
    assert log == ["pre", "forward", "hook"]
    log.clear()
    assert implementation.read(net.forward(x)) == called
    assert log == ["forward"]


@smoke(
    "article/pre-hooks-can-change-the-input",
    "torch.nn.Module.register_forward_pre_hook",
    shows="hooks_forward/pre_hook-single-value-is-wrapped",
    since="1.2",
    needs="Module.register_forward_pre_hook",
)
def test_a_forward_pre_hook_can_change_the_input(implementation, device):
    """What a forward pre-hook returns takes the place of the input (the article, written before 1.2, says it cannot)."""
    net = implementation.Identity()
    net.register_forward_pre_hook(lambda module, args: args[0] + 1.0)
    assert implementation.read(net(implementation.tensor([1.0, 2.0], "float32", device))).flat == (2.0, 3.0)


@smoke(
    "article/hooks-can-change-the-output",
    "torch.nn.Module.register_forward_hook",
    shows="hooks_forward/hook-replaces-output",
    since="1.2",
    needs="Module.register_forward_hook",
)
def test_a_forward_hook_can_change_the_output(implementation, device):
    """What a forward hook returns takes the place of the output (the article says that it should not change it)."""
    net = implementation.Identity()
    net.register_forward_hook(lambda module, args, output: output + 1.0)
    assert implementation.read(net(implementation.tensor([1.0, 2.0], "float32", device))).flat == (2.0, 3.0)


@smoke(
    "article/backward-hooks-wait-for-the-backward-pass",
    "torch.nn.Module.register_full_backward_hook",
    shows="hooks_backward/hooks-fire-in-the-backward-pass",
    since="1.8",
    needs=("Module.register_full_backward_hook", "autograd", "Sequential"),
)
def test_backward_hooks_run_in_the_backward_pass_not_in_the_call(implementation, device):
    """Calling the net runs no backward hook; backward() runs it (the article lists them as the last step of a call)."""
    log = []
    net = implementation.build(bp.Sequential([bp.Linear(2, 2), bp.Linear(2, 2)]), device).module
    net[1].register_full_backward_hook(lambda module, grad_input, grad_output: log.append("backward"))
    output = net(implementation.tensor([[1.0, 2.0]], "float32", device))
    assert log == []
    implementation.backward(output)
    assert log == ["backward"]


@smoke(
    "article/eval-makes-the-output-repeatable",
    "torch.nn.Module.eval",
    shows=("modes/eval-is-train-false", "modes/evaluation-is-deterministic"),
)
def test_eval_clears_training_everywhere_and_makes_the_output_repeatable(implementation, device):
    """eval() sets training to False in every module of the net, and calling it twice then gives the same output."""
    blueprint = bp.Sequential([bp.Linear(2, 2), bp.BatchNorm1d(2), bp.Dropout(0.5)])
    net = implementation.build(blueprint, device).module.eval()
    assert [module.training for module in net.modules()] == [False] * 4
    x = implementation.tensor([[1.0, 2.0], [3.0, 5.0]] * 8, "float32", device)
    assert implementation.read(net(x)) == implementation.read(net(x))


@smoke(
    "article/strict-load-requires-equal-keys",
    "torch.nn.Module.load_state_dict",
    shows=(
        "load_state_dict/strict-message-lists-both",
        "load_state_dict/result-names-missing-keys",
        "load_state_dict/result-names-unexpected-keys",
    ),
    needs=CONVOLUTION,
)
def test_strict_loading_wants_exactly_the_same_keys(implementation, device):
    """load_state_dict() raises RuntimeError where a key of CivilNet is missing or one is too many; strict=False loads the
    rest and says which."""
    net = civil_net(implementation, device)
    state = dict(net.state_dict())
    state["fc4.weight"] = state.pop("fc3.weight")
    with pytest.raises(RuntimeError) as raised:
        net.load_state_dict(state)
    assert "fc3.weight" in str(raised.value) and "fc4.weight" in str(raised.value)
    result = net.load_state_dict(state, strict=False)
    assert (result.missing_keys, result.unexpected_keys) == (["fc3.weight"], ["fc4.weight"])


@smoke(
    "article/save-and-load-a-state_dict",
    "torch.save",
    shows="serialization/saved-state-restores-another-module",
    needs=(*CONVOLUTION, "save", "load"),
)
def test_a_state_dict_saved_and_loaded_initialises_a_new_net(implementation, device):
    """save(net.state_dict()), then load_state_dict(load(...)), gives a new CivilNet the values of the first."""
    first, second = civil_net(implementation, device), zeroed(implementation, civil_net(implementation, device))
    file = io.BytesIO()
    implementation.save(first.state_dict(), file)
    file.seek(0)
    second.load_state_dict(implementation.load(file))
    assert contents(implementation, second) == contents(implementation, civil_net(implementation, device))


@smoke(
    "article/data_parallel-checkpoint-without-prefix",
    "torch.nn.DataParallel",
    shows=(
        "naming/data_parallel-module-state-fits-the-bare-module",
        "naming/data_parallel-state-does-not-fit-the-bare-module",
    ),
    needs=(*CONVOLUTION, "DataParallel"),
)
def test_a_data_parallel_state_loads_into_the_net_only_by_its_module(implementation, device):
    """DataParallel(net).module.state_dict() loads into a plain CivilNet; DataParallel(net).state_dict() is refused."""
    net, saved = zeroed(implementation, civil_net(implementation, device)), civil_net(implementation, device)
    parallel = implementation.DataParallel(saved)
    with pytest.raises(RuntimeError, match="module.fc3.bias"):
        net.load_state_dict(parallel.state_dict())
    net.load_state_dict(parallel.module.state_dict())
    assert contents(implementation, net) == contents(implementation, civil_net(implementation, device))


@smoke(
    "article/print-shows-the-layers",
    "torch.nn.Module.extra_repr",
    shows=("printing/every-child-name-appears", "printing/one-indented-line-per-child"),
    needs=CONVOLUTION,
)
def test_printing_civil_net_shows_its_layers_by_name(implementation, device):
    """repr(net) begins with the name of the class and has one line "(name): ..." for each of the six layers."""
    lines = repr(civil_net(implementation, device)).splitlines()
    assert lines[0] == "CivilNet(" and lines[-1] == ")"
    assert [line.strip().partition(":")[0] for line in lines[1:-1]] == [f"({name})" for name in LAYERS]
