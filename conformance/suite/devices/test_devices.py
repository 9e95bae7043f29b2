"""Saving on one device and loading on another: location tags and every form of map_location.

Where a property says "device" it means the one that the run is about; "cpu" is always the other end.
"""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

from conformance.contract import OBSERVED, clause, for_any_module, given
from conformance.language import blueprint as bp
from conformance.language.transform import extended, refilled, without_empty
from conformance.model import reading
from conformance.model.files import ties
from conformance.model.state import state_readings
from conformance.suite.support.files import loaded, saved
from strategies import blueprints, parameters

FILE = ("save", "load", "load(map_location)")
TAGGED = (*FILE, "save.device_tag")
#: A device with this index is on no machine, whatever kind it has.
NOWHERE = "cuda:99"


def ends():
    """Where one end of a journey lies: on the device of the run, or on the CPU."""
    return st.sampled_from(("device", "cpu"))


def forms():
    """The forms of map_location that say where tensors go, by name."""
    return st.sampled_from(("string", "device", "dict", "callable"))


def place(implementation, device):
    """The device object of that device, which is what its tensors' ``device`` attribute holds."""
    return implementation.tensor([0.0], "float32", device).device


def map_location(implementation, form, tag, target):
    """A map_location of that form that brings what is tagged ``tag`` to the target."""
    if form == "callable":
        return lambda storage, location: storage  # it is on the CPU, and stays there
    return {"string": target, "device": place(implementation, target), "dict": {tag: target}}[form]


def tagged(implementation, tag, thing, **options):
    """A file that holds the thing as if its tensors lived on the device of that tag."""
    with implementation.tagging(tag):
        return saved(implementation.save, thing, **options)


def located(implementation, state):
    """Where each entry lies."""
    return {key: implementation.device(value) for key, value in state.items()}


@clause(
    "devices/loads-where-it-was-saved",
    "torch.load",
    "then moved to the device they were saved from",
    needs=("save", "load"),
)
@for_any_module(blueprint=blueprints())
def test_without_map_location_tensors_load_to_the_device_they_were_saved_from(implementation, device, blueprint):
    """load(file) puts every tensor on the device from which it was saved."""
    subject = implementation.build(blueprint, device)
    state = loaded(implementation.load, saved(implementation.save, subject.module.state_dict()))
    assert located(implementation, state) == dict.fromkeys(subject.model.state(), device)
    assert implementation.readings(state) == state_readings(subject.model)


@clause(
    "devices/map_location-string",
    "torch.load",
    "a string containing a device tag, it indicates the location where all tensors should be loaded.",
    needs=FILE,
)
@for_any_module(blueprint=blueprints(), source=ends(), target=ends())
def test_map_location_as_a_string_puts_every_tensor_there(implementation, device, blueprint, source, target):
    """load(file, map_location="...") puts every tensor on the device so named, wherever it was saved, with its
    values."""
    source, target = (device if end == "device" else end for end in (source, target))
    subject = implementation.build(blueprint, source)
    content = saved(implementation.save, subject.module.state_dict())
    state = loaded(implementation.load, content, map_location=target)
    assert located(implementation, state) == dict.fromkeys(subject.model.state(), target)
    assert implementation.readings(state) == state_readings(subject.model)


@clause(
    "devices/map_location-device",
    "torch.load",
    "If :attr:`map_location` is a :class:`torch.device` object",
    needs=FILE,
)
@for_any_module(blueprint=blueprints(), source=ends(), target=ends())
def test_map_location_as_a_device_puts_every_tensor_there(implementation, device, blueprint, source, target):
    """load(file, map_location=device object) puts every tensor on that device, with its values."""
    source, target = (device if end == "device" else end for end in (source, target))
    subject = implementation.build(blueprint, source)
    content = saved(implementation.save, subject.module.state_dict())
    state = loaded(implementation.load, content, map_location=place(implementation, target))
    assert located(implementation, state) == dict.fromkeys(subject.model.state(), target)
    assert implementation.readings(state) == state_readings(subject.model)


@clause(
    "devices/map_location-meta-keeps-shapes-and-dtypes",
    "torch.load",
    "it indicates the location where all tensors should be loaded.",
    since="1.13",
    needs=(*FILE, "device.meta"),
)
@for_any_module(blueprint=blueprints(), as_string=st.booleans())
def test_map_location_meta_gives_meta_tensors_of_the_saved_shapes_and_dtypes(
    implementation, device, blueprint, as_string
):
    """load(file, map_location="meta") gives meta tensors with the saved keys, shapes and dtypes."""
    subject = implementation.build(blueprint, device)
    source = subject.module.state_dict()
    target = "meta" if as_string else place(implementation, "meta")
    state = loaded(implementation.load, saved(implementation.save, source), map_location=target)
    assert located(implementation, state) == dict.fromkeys(subject.model.state(), "meta")
    shapes = {key: tensor.shape for key, tensor in subject.model.state().items()}
    assert {key: tuple(tensor.shape) for key, tensor in state.items()} == shapes
    assert [tensor.dtype for tensor in state.values()] == [tensor.dtype for tensor in source.values()]


@clause(
    "devices/map_location-dict-remaps-tags",
    "torch.load",
    "it will be used to remap location tags appearing in the file (keys), to ones that specify where to put the "
    "storages (values).",
    needs=TAGGED,
)
@for_any_module(blueprint=blueprints(), index=st.integers(0, 99), target=ends())
def test_map_location_as_a_dict_sends_each_tag_to_its_value(implementation, device, blueprint, index, target):
    """load(file, map_location={tag: place}) puts what the file tags with a key at the value, whether or not the tagged
    device exists here."""
    target = device if target == "device" else target
    subject = implementation.build(blueprint)
    content = tagged(implementation, f"cuda:{index}", subject.module.state_dict())
    state = loaded(implementation.load, content, map_location={f"cuda:{index}": target, "cuda:100": "nowhere"})
    assert located(implementation, state) == dict.fromkeys(subject.model.state(), target)
    assert implementation.readings(state) == state_readings(subject.model)


@clause(
    "devices/map_location-dict-leaves-other-tags",
    "torch.load",
    "it will be used to remap location tags appearing in the file (keys)",
    needs=FILE,
)
@for_any_module(blueprint=blueprints())
def test_map_location_as_a_dict_leaves_tags_that_it_does_not_name(implementation, device, blueprint):
    """load(file, map_location={tag: place}) loads tensors whose tag is no key of it to the device they were saved
    from."""
    subject = implementation.build(blueprint, device)
    content = saved(implementation.save, subject.module.state_dict())
    state = loaded(implementation.load, content, map_location={NOWHERE: "cpu"})
    assert located(implementation, state) == dict.fromkeys(subject.model.state(), device)
    assert implementation.readings(state) == state_readings(subject.model)


@clause(
    "devices/map_location-called-once-a-storage",
    "torch.load",
    "it will be called once for each serialized storage with two arguments: storage and location.",
    needs=FILE,
)
@for_any_module(blueprint=blueprints(), parameter=parameters(("float32",)))
def test_a_callable_map_location_is_called_once_for_each_storage_with_its_tag(
    implementation, device, blueprint, parameter
):
    """A callable map_location is called once for each storage, tied tensors having one, with the storage and the tag of
    the device it was saved from."""
    tied = without_empty(extended(blueprint, one=parameter, other=bp.Shared("one")))
    subject = implementation.build(tied, device)
    tags = []
    content = saved(implementation.save, subject.module.state_dict())
    loaded(implementation.load, content, map_location=lambda storage, location: tags.append(location))
    count = len({path for _, path in subject.model.state_dict()})
    assert [tag.partition(":")[0] for tag in tags] == [device] * count


@clause(
    "devices/map_location-called-once-for-an-empty-storage",
    "torch.load",
    "it will be called once for each serialized storage with two arguments: storage and location.",
    needs=FILE,
)
@given(shape=st.sampled_from(((0,), (2, 0, 3))), names=st.integers(2, 4))
def test_a_callable_map_location_is_called_once_for_a_storage_without_elements(implementation, device, shape, names):
    """A callable map_location is called once for the storage of a tensor without elements, however many names it
    has."""
    members = {"own": bp.Parameter(shape), **{f"tied{i}": bp.Shared("own") for i in range(1, names)}}
    subject = implementation.build(bp.Module(members), device)
    tags = []
    content = saved(implementation.save, subject.module.state_dict())
    loaded(implementation.load, content, map_location=lambda storage, location: tags.append(location))
    assert [tag.partition(":")[0] for tag in tags] == [device]


@clause(
    "devices/map_location-returned-storage-is-used",
    "torch.load",
    "If :attr:`map_location` returns a storage, it will be used as the final deserialized object, already moved to the "
    "right device.",
    needs=FILE,
)
@for_any_module(blueprint=blueprints())
def test_a_storage_that_a_callable_map_location_returns_is_what_is_loaded(implementation, device, blueprint):
    """A callable map_location that returns the storage it is given leaves every tensor on the CPU, where storages are
    first deserialized."""
    subject = implementation.build(blueprint, device)
    content = saved(implementation.save, subject.module.state_dict())
    state = loaded(implementation.load, content, map_location=lambda storage, location: storage)
    assert located(implementation, state) == dict.fromkeys(subject.model.state(), "cpu")
    assert implementation.readings(state) == state_readings(subject.model)


@clause(
    "devices/map_location-none-returned-falls-back",
    "torch.load",
    "fall back to the default behavior, as if :attr:`map_location` wasn't specified.",
    needs=FILE,
)
@for_any_module(blueprint=blueprints())
def test_none_from_a_callable_map_location_means_the_default(implementation, device, blueprint):
    """A callable map_location that returns None loads every tensor to the device it was saved from."""
    subject = implementation.build(blueprint, device)
    content = saved(implementation.save, subject.module.state_dict())
    state = loaded(implementation.load, content, map_location=lambda storage, location: None)
    assert located(implementation, state) == dict.fromkeys(subject.model.state(), device)
    assert implementation.readings(state) == state_readings(subject.model)


@clause(
    "devices/absent-device-raises",
    "torch.load",
    "If this fails (e.g. because the run time system doesn't have certain devices), an exception is raised.",
    needs=TAGGED,
)
@given(parameter=parameters(), index=st.sampled_from((0, 99)))
def test_a_file_from_a_device_that_is_not_here_raises_without_map_location(implementation, device, parameter, index):
    """load(file) raises an exception where the file was saved on a device that this machine does not have; where it has
    it, the tensors land there."""
    subject = implementation.build(bp.Module({"own": parameter}))
    content = tagged(implementation, f"cuda:{index}", subject.module.state_dict())
    absent = index == 99 or implementation.unavailable("cuda") is not None
    try:
        state = loaded(implementation.load, content)
    except Exception:
        assert absent, "the device is there, yet loading raised"
        return
    assert not absent, f"loaded to {located(implementation, state)} from a device that is not there"
    assert located(implementation, state) == {"own": "cuda"}


@clause(
    "devices/absent-device-error-names-map_location",
    "source:torch.serialization._validate_device",
    "please use torch.load with map_location=torch.device('cpu') to map your storages to the CPU.",
    severity=OBSERVED,
    needs=TAGGED,
)
@given(parameter=parameters())
def test_the_error_for_an_absent_device_names_map_location(implementation, device, parameter):
    """The exception for a file from a device that is not there is a RuntimeError whose message names map_location."""
    subject = implementation.build(bp.Module({"own": parameter}))
    content = tagged(implementation, NOWHERE, subject.module.state_dict())
    with pytest.raises(RuntimeError, match="map_location"):
        loaded(implementation.load, content)


@clause(
    "devices/absent-device-loads-with-map_location",
    "torch.load",
    "storages can be dynamically remapped to an alternative set of devices using the :attr:`map_location` argument.",
    needs=TAGGED,
)
@for_any_module(blueprint=blueprints(), index=st.sampled_from((0, 99)), form=forms())
def test_every_form_of_map_location_opens_a_file_from_an_absent_device(implementation, device, blueprint, index, form):
    """A file saved on a device that is not there loads onto the CPU with map_location as a string, a device, a dict or
    a callable, with every value."""
    subject = implementation.build(blueprint)
    tag = f"cuda:{index}"
    content = tagged(implementation, tag, subject.module.state_dict())
    state = loaded(implementation.load, content, map_location=map_location(implementation, form, tag, "cpu"))
    assert located(implementation, state) == dict.fromkeys(subject.model.state(), "cpu")
    assert implementation.readings(state) == state_readings(subject.model)


@clause(
    "devices/map_location-in-the-old-format",
    "torch.load",
    "storages can be dynamically remapped to an alternative set of devices using the :attr:`map_location` argument.",
    since="1.6",
    needs=(*TAGGED, "save.legacy", "save(_use_new_zipfile_serialization)"),
)
@for_any_module(blueprint=blueprints(), form=forms())
def test_every_form_of_map_location_works_for_the_old_format(implementation, device, blueprint, form):
    """Every form of map_location brings the tensors of a file in the old format onto the CPU, with every value."""
    subject = implementation.build(blueprint)
    content = tagged(implementation, NOWHERE, subject.module.state_dict(), _use_new_zipfile_serialization=False)
    state = loaded(implementation.load, content, map_location=map_location(implementation, form, NOWHERE, "cpu"))
    assert located(implementation, state) == dict.fromkeys(subject.model.state(), "cpu")
    assert implementation.readings(state) == state_readings(subject.model)


@clause(
    "devices/ties-survive-map_location",
    "torch.save",
    "PyTorch preserves storage sharing across serialization.",
    needs=FILE,
)
@for_any_module(blueprint=blueprints(), parameter=parameters(("float32",)), source=ends(), target=ends())
def test_tied_entries_stay_tied_on_another_device(implementation, device, blueprint, parameter, source, target):
    """Entries of a state_dict that share storage share it after load(file, map_location=...) too."""
    source, target = (device if end == "device" else end for end in (source, target))
    subject = implementation.build(extended(blueprint, one=parameter, other=bp.Shared("one")), source)
    state = loaded(implementation.load, saved(implementation.save, subject.module.state_dict()), map_location=target)
    for key, first in ties(subject.model.state_dict()).items():
        assert implementation.same_storage(state[key], state[first]), f"{key!r} is no longer tied to {first!r}"


@clause(
    "devices/load_state_dict-stays-on-the-device-of-the-module",
    "torch.load",
    "and then :meth:`load_state_dict` to avoid GPU RAM surge when loading a model checkpoint.",
    needs=FILE,
)
@for_any_module(blueprint=blueprints(), source=ends(), target=ends())
def test_a_state_mapped_to_the_cpu_loads_into_a_module_on_any_device(implementation, device, blueprint, source, target):
    """load_state_dict(load(file, map_location="cpu")) copies the values into a module on any device, whose parameters
    and buffers stay there."""
    source, target = (device if end == "device" else end for end in (source, target))
    origin = implementation.build(blueprint, source)
    subject = implementation.build(refilled(blueprint), target)
    content = saved(implementation.save, origin.module.state_dict())
    subject.module.load_state_dict(loaded(implementation.load, content, map_location="cpu"))
    state = subject.module.state_dict()
    assert located(implementation, state) == dict.fromkeys(subject.model.state(), target)
    assert implementation.readings(state) == state_readings(origin.model)


@clause(
    "devices/map_location-moves-whole-modules",
    "torch.load",
    "it indicates the location where all tensors should be loaded.",
    since="1.13",
    needs=(*FILE, "pickle.module", "load(weights_only)"),
)
@for_any_module(blueprint=blueprints(), source=ends(), target=ends())
def test_map_location_moves_every_parameter_and_buffer_of_a_whole_module(
    implementation, device, blueprint, source, target
):
    """load(file, map_location=..., weights_only=False) puts every parameter and buffer of a whole module there."""
    source, target = (device if end == "device" else end for end in (source, target))
    subject = implementation.build(blueprint, source)
    content = saved(implementation.save, subject.module)
    back = loaded(implementation.load, content, map_location=target, weights_only=False)
    tensors = subject.model.tensors()
    for observed, expected in (
        (back.named_parameters(), subject.model.named_parameters()),
        (back.named_buffers(), subject.model.named_buffers()),
    ):
        assert [(name, implementation.device(t), implementation.read(t)) for name, t in observed] == [
            (name, target, reading(tensors[path])) for name, path in expected
        ]
