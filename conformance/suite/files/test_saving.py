"""Saving and loading state_dicts and Python objects, to and from every kind of file."""

from __future__ import annotations

import io

import pytest
from hypothesis import strategies as st

from conformance.contract import OBSERVED, clause, for_any_module, given
from conformance.language import blueprint as bp
from conformance.language.transform import extended, refilled
from conformance.model import reading
from conformance.model.files import mapped
from conformance.model.state import state_readings
from conformance.suite.support.files import Sink, Source, load_from, loaded, save_to, saved
from strategies import blueprints, parameters, tensors
from strategies.objects import file_kinds, objects

FILE = ("save", "load")
NOTE = "https://docs.pytorch.org/docs/stable/notes/serialization.html"


@clause(
    "serialization/state_dict-round-trip",
    "torch.load",
    "Loads an object saved with :func:`torch.save` from a file.",
    needs=FILE,
)
@for_any_module(blueprint=blueprints())
def test_a_loaded_state_dict_has_the_keys_and_values_of_the_saved_one(implementation, device, blueprint):
    """load(file) returns the state_dict that save wrote into the file: the same keys in the same order, each with the
    same shape, dtype and values."""
    subject = implementation.build(blueprint, device)
    state = loaded(implementation.load, saved(implementation.save, subject.module.state_dict()))
    assert list(state) == [key for key, _ in subject.model.state_dict()]
    assert implementation.readings(state) == state_readings(subject.model)
    assert subject.portrait() == subject.expected_portrait()


@clause(
    "serialization/tensor-of-any-dtype",
    "torch.load",
    "Loads an object saved with :func:`torch.save` from a file.",
    needs=FILE,
)
@given(tensor=tensors())
def test_a_loaded_tensor_has_the_dtype_shape_and_values_of_the_saved_one(implementation, device, tensor):
    """load(file) gives a tensor of any dtype and shape back as it was saved."""
    tensor = implementation.restrict(tensor)
    back = loaded(implementation.load, saved(implementation.save, {"tensor": implementation.make(tensor, device)}))
    assert implementation.read(back["tensor"]) == reading(tensor)


@clause(
    "serialization/saved-state-restores-another-module",
    "torch.nn.Module.load_state_dict",
    "Copy parameters and buffers from :attr:`state_dict` into this module and its descendants.",
    needs=FILE,
)
@for_any_module(blueprint=blueprints())
def test_a_module_restored_from_a_file_has_the_values_of_the_saved_module(implementation, device, blueprint):
    """load_state_dict(load(file)) gives a module of the same structure the values of the module whose state_dict was
    saved."""
    source = implementation.build(blueprint, device)
    target = implementation.build(refilled(blueprint), device)
    content = saved(implementation.save, source.module.state_dict())
    target.module.load_state_dict(loaded(implementation.load, content))
    assert implementation.readings(target.module.state_dict()) == state_readings(source.model)


@clause(
    "serialization/every-kind-of-file",
    "torch.save",
    "a file-like object (has to implement write and flush) or a string or os.PathLike object containing a file name",
    needs=(*FILE, "save.file"),
)
@for_any_module(blueprint=blueprints(max_nodes=6), target=file_kinds(), source=file_kinds())
def test_save_and_load_take_paths_path_objects_open_files_and_buffers(
    implementation, device, blueprint, target, source
):
    """save and load take a path as str, an os.PathLike, an open file or a BytesIO; what one kind saved, any kind
    loads."""
    subject = implementation.build(blueprint, device)
    content = save_to(target, lambda file: implementation.save(subject.module.state_dict(), file))
    state = load_from(source, content, implementation.load)
    assert implementation.readings(state) == state_readings(subject.model)
    assert subject.portrait() == subject.expected_portrait()


@clause(
    "serialization/save-needs-write-and-flush-only",
    "torch.save",
    "a file-like object (has to implement write and flush)",
    since="1.12",
    needs=(*FILE, "save.file"),
)
@for_any_module(blueprint=blueprints(max_nodes=6))
def test_save_writes_to_an_object_with_write_and_flush_only(implementation, device, blueprint):
    """save writes to any object that implements write and flush."""
    subject = implementation.build(blueprint, device)
    sink = Sink()
    implementation.save(subject.module.state_dict(), sink)
    assert implementation.readings(loaded(implementation.load, sink.content)) == state_readings(subject.model)
    assert subject.portrait() == subject.expected_portrait()


@clause(
    "serialization/load-needs-read-readline-tell-and-seek-only",
    "torch.load",
    "a file-like object (has to implement :meth:`read`, :meth:`readline`, :meth:`tell`, and :meth:`seek`)",
    needs=(*FILE, "save.file"),
)
@for_any_module(blueprint=blueprints(max_nodes=6))
def test_load_reads_an_object_with_read_readline_tell_and_seek_only(implementation, device, blueprint):
    """load reads any object that implements read, readline, tell and seek."""
    subject = implementation.build(blueprint, device)
    source = Source(saved(implementation.save, subject.module.state_dict()))
    assert implementation.readings(implementation.load(source)) == state_readings(subject.model)


@clause(
    "serialization/python-objects-with-tensors",
    NOTE,
    "so you can also save multiple tensors as part of Python objects like tuples, lists, and dicts:",
    needs=FILE,
)
@given(thing=objects())
def test_tensors_inside_dicts_lists_and_tuples_load_as_they_were_saved(implementation, device, thing):
    """Nested dicts, lists and tuples of tensors, numbers, strings and None load equal to what was saved, with the same
    types, keys and order."""
    made = mapped(thing, lambda leaf: implementation.make(leaf, device) if isinstance(leaf, bp.Tensor) else leaf)
    back = loaded(implementation.load, saved(implementation.save, made))
    observed = mapped(back, lambda leaf: implementation.read(leaf) if implementation.is_tensor(leaf) else leaf)
    expected = mapped(thing, lambda leaf: reading(leaf) if isinstance(leaf, bp.Tensor) else leaf)
    # repr tells True from 1 and 1.0, a list from a tuple, and one order of keys from another.
    assert repr(observed) == repr(expected)


@clause(
    "serialization/saving-changes-nothing",
    "torch.save",
    "Saves an object to a disk file.",
    needs=FILE,
)
@for_any_module(blueprint=blueprints())
def test_saving_leaves_the_module_as_it_was(implementation, device, blueprint):
    """Saving a module's state_dict replaces none of its parameters and buffers, and changes no value."""
    subject = implementation.build(blueprint, device)
    saved(implementation.save, subject.module.state_dict())
    assert subject.portrait() == subject.expected_portrait()


@clause(
    "serialization/loaded-tensors-are-new",
    "torch.load",
    "Loads an object saved with :func:`torch.save` from a file.",
    needs=FILE,
)
@for_any_module(blueprint=blueprints(max_nodes=6), parameter=parameters(("float32",)))
def test_writing_into_the_module_or_a_loaded_tensor_reaches_no_other_copy(implementation, device, blueprint, parameter):
    """What a file holds is a copy: writing into the module after saving changes neither the file nor what was loaded
    from it, and each load gives tensors of its own."""
    subject = implementation.build(extended(blueprint, own=parameter), device)
    content = saved(implementation.save, subject.module.state_dict())
    first = loaded(implementation.load, content)
    other = bp.Tensor(parameter.shape, "float32", parameter.fill + 1).values()
    implementation.write(subject["own"], other)
    second = loaded(implementation.load, content)
    implementation.write(first[subject.key("own")], other)
    assert implementation.readings(second) == state_readings(subject.model)


@clause(
    "serialization/mmap-gives-the-same-values",
    "torch.load",
    "Indicates whether the file should be mapped rather than loading all the storages into memory.",
    since="2.1",
    needs=(*FILE, "load(mmap)", "save.zip"),
)
@for_any_module(blueprint=blueprints(), kind=st.sampled_from(("path", "pathlike")))
def test_a_mapped_file_holds_the_same_values(implementation, device, blueprint, kind):
    """load(path, mmap=True) returns the state_dict that was saved, from a path given as str or os.PathLike."""
    subject = implementation.build(blueprint, device)
    content = saved(implementation.save, subject.module.state_dict())
    state = load_from(kind, content, lambda path: implementation.load(path, mmap=True))
    assert list(state) == [key for key, _ in subject.model.state_dict()]
    assert implementation.readings(state) == state_readings(subject.model)


@clause(
    "serialization/unseekable-file-refused",
    "source:torch.serialization._check_seekable",
    "You can only torch.load from a file that is seekable.",
    severity=OBSERVED,
    needs=FILE,
)
@given(value=st.integers())
def test_load_refuses_a_file_that_cannot_seek(implementation, device, value):
    """load raises AttributeError that says "seekable" for a file-like object without seek and tell."""
    content = saved(implementation.save, [value])

    class Unseekable:
        read = staticmethod(io.BytesIO(content).read)
        readline = staticmethod(io.BytesIO(content).readline)

    with pytest.raises(AttributeError, match="seekable"):
        implementation.load(Unseekable())
