"""Saving and loading: state_dicts, whole modules and Python objects, in both formats, restricted and unrestricted."""

from __future__ import annotations

import io
import pickle
import zipfile

import pytest
from hypothesis import strategies as st

from conformance.contract import OBSERVED, RECOMMENDED, clause, given
from conformance.language import blueprint as bp
from conformance.language.transform import extended, refilled
from conformance.model import reading
from conformance.model.files import mapped, ties
from conformance.model.state import state_readings
from conformance.suite.support.files import Sink, Source, load_from, loaded, save_to, saved
from strategies import blueprints, parameters, tensors
from strategies.objects import file_kinds, objects

FILE = ("save", "load")
NOTE = "https://docs.pytorch.org/docs/stable/notes/serialization.html"
LEGACY = {"_use_new_zipfile_serialization": False}


class Opaque:
    """A class of the user's own, which a restricted load does not know."""

    def __init__(self, value):
        self.value = value


@clause(
    "serialization/state_dict-round-trip",
    "torch.load",
    "Loads an object saved with :func:`torch.save` from a file.",
    needs=FILE,
)
@given(blueprint=blueprints())
def test_a_loaded_state_dict_has_the_keys_and_values_of_the_saved_one(implementation, device, blueprint):
    """load(file) returns the state_dict that save wrote into the file: the same keys in the same order, each with the
    same shape, dtype and values."""
    subject = implementation.build(blueprint, device)
    state = loaded(implementation.load, saved(implementation.save, subject.module.state_dict()))
    assert list(state) == [key for key, _ in subject.model.state_dict()]
    assert implementation.readings(state) == state_readings(subject.model)


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
@given(blueprint=blueprints())
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
@given(blueprint=blueprints(max_nodes=6), target=file_kinds(), source=file_kinds())
def test_save_and_load_take_paths_path_objects_open_files_and_buffers(
    implementation, device, blueprint, target, source
):
    """save and load take a path as str, an os.PathLike, an open file or a BytesIO; what one kind saved, any kind
    loads."""
    subject = implementation.build(blueprint, device)
    content = save_to(target, lambda file: implementation.save(subject.module.state_dict(), file))
    state = load_from(source, content, implementation.load)
    assert implementation.readings(state) == state_readings(subject.model)


@clause(
    "serialization/save-needs-write-and-flush-only",
    "torch.save",
    "a file-like object (has to implement write and flush)",
    since="1.12",
    needs=(*FILE, "save.file"),
)
@given(blueprint=blueprints(max_nodes=6))
def test_save_writes_to_an_object_with_write_and_flush_only(implementation, device, blueprint):
    """save writes to any object that implements write and flush."""
    subject = implementation.build(blueprint, device)
    sink = Sink()
    implementation.save(subject.module.state_dict(), sink)
    assert implementation.readings(loaded(implementation.load, sink.content)) == state_readings(subject.model)


@clause(
    "serialization/load-needs-read-readline-tell-and-seek-only",
    "torch.load",
    "a file-like object (has to implement :meth:`read`, :meth:`readline`, :meth:`tell`, and :meth:`seek`)",
    needs=(*FILE, "save.file"),
)
@given(blueprint=blueprints(max_nodes=6))
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
@given(blueprint=blueprints())
def test_saving_leaves_the_module_as_it_was(implementation, device, blueprint):
    """Saving a module's state_dict replaces none of its parameters and buffers, and changes no value."""
    subject = implementation.build(blueprint, device)
    saved(implementation.save, subject.module.state_dict())
    assert subject.named(subject.module.named_parameters()) == subject.model.named_parameters()
    assert subject.named(subject.module.named_buffers()) == subject.model.named_buffers()
    assert subject.readings() == subject.expected_readings()


@clause(
    "serialization/loaded-tensors-are-new",
    "torch.load",
    "Loads an object saved with :func:`torch.save` from a file.",
    needs=FILE,
)
@given(blueprint=blueprints(max_nodes=6), parameter=parameters(("float32",)))
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
    "serialization/tied-entries-stay-tied",
    "torch.save",
    "PyTorch preserves storage sharing across serialization.",
    needs=FILE,
)
@given(blueprint=blueprints(), parameter=parameters(("float32",)))
def test_entries_that_share_storage_share_it_after_loading(implementation, device, blueprint, parameter):
    """Two entries of a state_dict share storage after loading exactly if they did when it was saved: tied parameters
    and buffers stay tied, and no others become so."""
    subject = implementation.build(extended(blueprint, one=parameter, other=bp.Shared("one")), device)
    state = loaded(implementation.load, saved(implementation.save, subject.module.state_dict()))
    check_ties(implementation, state, subject.model)


def check_ties(implementation, state, model):
    """Each loaded entry shares storage with the first entry of the same object and with no other first entry. Tensors
    without elements have no storage to share."""
    expected = ties(entry for entry in model.state_dict() if model.tensors()[entry[1]].flat)
    for key, first in expected.items():
        sharing = [one for one in set(expected.values()) if implementation.same_storage(state[key], state[one])]
        assert sharing == [first], f"{key!r} shares storage with {sharing}, expected [{first!r}]"


@clause(
    "serialization/old-format-keeps-ties",
    "torch.save",
    "``torch.load`` still retains the ability to load files in the old format.",
    since="1.6",
    needs=(*FILE, "save.legacy", "save(_use_new_zipfile_serialization)"),
)
@given(blueprint=blueprints(), parameter=parameters(("float32",)))
def test_the_old_format_holds_the_same_state_with_the_same_ties(implementation, device, blueprint, parameter):
    """save(..., _use_new_zipfile_serialization=False) writes the old format, which is no zip archive, and load reads
    it: the same keys, values and ties."""
    subject = implementation.build(extended(blueprint, one=parameter, other=bp.Shared("one")), device)
    content = saved(implementation.save, subject.module.state_dict(), **LEGACY)
    state = loaded(implementation.load, content)
    assert not zipfile.is_zipfile(io.BytesIO(content))
    assert list(state) == [key for key, _ in subject.model.state_dict()]
    assert implementation.readings(state) == state_readings(subject.model)
    check_ties(implementation, state, subject.model)


@clause(
    "serialization/zip-archive-by-default",
    "torch.save",
    "switched ``torch.save`` to use a new zipfile-based file format",
    since="1.6",
    needs=(*FILE, "save.zip"),
)
@given(blueprint=blueprints(max_nodes=6))
def test_a_saved_file_is_an_intact_zip_archive(implementation, device, blueprint):
    """save writes a zip archive by default, uncompressed and without a damaged entry."""
    subject = implementation.build(blueprint, device)
    content = saved(implementation.save, subject.module.state_dict())
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}


@clause(
    "serialization/one-record-a-storage",
    NOTE,
    "contains all the storages in the object, where each storage is a separate file",
    since="1.6",
    needs=(*FILE, "save.zip"),
)
@given(blueprint=blueprints(), parameter=parameters(("float32",)))
def test_the_archive_has_one_record_for_each_storage(implementation, device, blueprint, parameter):
    """The zip archive holds data.pkl, version, and below data/ one file for each tensor of the state_dict, tied ones
    counted once."""
    subject = implementation.build(extended(blueprint, one=parameter, other=bp.Shared("one")), device)
    content = saved(implementation.save, subject.module.state_dict())
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = [name.partition("/")[2] for name in archive.namelist()]
    assert {"data.pkl", "version"} <= set(names)
    records = [name for name in names if name.startswith("data/")]
    assert len(records) == len({path for _, path in subject.model.state_dict()})


@clause(
    "serialization/state_dict-loads-restricted-and-unrestricted",
    "torch.load",
    "Indicates whether unpickler should be restricted to loading only tensors, primitive types, dictionaries",
    since="1.13",
    needs=(*FILE, "load(weights_only)", "save.legacy", "save(_use_new_zipfile_serialization)"),
)
@given(blueprint=blueprints(), restricted=st.booleans(), zipped=st.booleans())
def test_weights_only_or_not_gives_the_same_state_in_both_formats(
    implementation, device, blueprint, restricted, zipped
):
    """A state_dict loads to the same keys and values with weights_only=True and with weights_only=False, from either
    format."""
    subject = implementation.build(blueprint, device)
    content = saved(implementation.save, subject.module.state_dict(), _use_new_zipfile_serialization=zipped)
    state = loaded(implementation.load, content, weights_only=restricted)
    assert list(state) == [key for key, _ in subject.model.state_dict()]
    assert implementation.readings(state) == state_readings(subject.model)


@clause(
    "serialization/weights_only-refuses-other-classes",
    "torch.load",
    "restricted to loading only tensors, primitive types, dictionaries and any types added via",
    since="1.13",
    needs=(*FILE, "load(weights_only)"),
)
@given(value=st.integers())
def test_a_restricted_load_refuses_an_object_of_another_class(implementation, device, value):
    """load(weights_only=True) raises pickle.UnpicklingError where the file holds an object of a class of the user's
    own, which load(weights_only=False) returns."""
    content = saved(implementation.save, [Opaque(value)])
    with pytest.raises(pickle.UnpicklingError):
        loaded(implementation.load, content, weights_only=True)
    (back,) = loaded(implementation.load, content, weights_only=False)
    assert isinstance(back, Opaque)
    assert back.value == value


@clause(
    "serialization/restricted-by-default",
    "torch.load",
    "weights_only=True, mmap=None",
    since="2.6",
    needs=(*FILE, "load(weights_only)"),
)
@given(value=st.integers())
def test_a_load_is_restricted_unless_told_otherwise(implementation, device, value):
    """load(file) is load(file, weights_only=True): it raises pickle.UnpicklingError for an object of a class of the
    user's own."""
    content = saved(implementation.save, {"epoch": 1, "net": Opaque(value)})
    with pytest.raises(pickle.UnpicklingError):
        loaded(implementation.load, content)


@clause(
    "serialization/whole-module-loads-unrestricted",
    "torch.load",
    "Loading from a module setting weights_only=False",
    severity=RECOMMENDED,
    since="1.13",
    needs=(*FILE, "pickle.module", "load(weights_only)"),
)
@given(blueprint=blueprints())
def test_a_whole_module_loads_with_weights_only_false(implementation, device, blueprint):
    """load(file, weights_only=False) returns a whole module that was saved: same class, names, values, requires_grad
    and modes."""
    subject = implementation.build(blueprint, device)
    back = loaded(implementation.load, saved(implementation.save, subject.module), weights_only=False)
    assert type(back) is type(subject.module)
    names = [(name, subject.model.at(name).training) for name, _ in subject.model.named_modules()]
    assert [(name, module.training) for name, module in back.named_modules()] == names
    tensors = subject.model.tensors()
    for observed, expected in (
        (back.named_parameters(), subject.model.named_parameters()),
        (back.named_buffers(), subject.model.named_buffers()),
    ):
        assert [(name, implementation.read(t), implementation.requires_grad(t)) for name, t in observed] == [
            (name, reading(tensors[path]), tensors[path].requires_grad) for name, path in expected
        ]


@clause(
    "serialization/whole-module-refused-by-default",
    "torch.load",
    "weights_only=True, mmap=None",
    since="2.6",
    needs=(*FILE, "pickle.module", "load(weights_only)"),
)
@given(blueprint=blueprints(max_nodes=6))
def test_a_whole_module_is_refused_by_default(implementation, device, blueprint):
    """load(file) raises pickle.UnpicklingError for a file that holds a whole module."""
    content = saved(implementation.save, implementation.build(blueprint, device).module)
    with pytest.raises(pickle.UnpicklingError):
        loaded(implementation.load, content)


@clause(
    "serialization/safe_globals-allow-a-class",
    "torch.serialization.safe_globals",
    "Context-manager that adds certain globals as safe for ``weights_only`` load.",
    since="2.5",
    needs=(*FILE, "load(weights_only)", "serialization.safe_globals"),
)
@given(value=st.integers())
def test_a_class_is_allowed_inside_safe_globals_and_refused_after_it(implementation, device, value):
    """Inside safe_globals([C]) a restricted load returns objects of class C; after it, it refuses them again."""
    content = saved(implementation.save, {"net": Opaque(value)})
    with implementation.serialization.safe_globals([Opaque]):
        back = loaded(implementation.load, content, weights_only=True)
    assert isinstance(back["net"], Opaque)
    assert back["net"].value == value
    with pytest.raises(pickle.UnpicklingError):
        loaded(implementation.load, content, weights_only=True)


@clause(
    "serialization/safe_globals-leave-nothing-behind",
    "torch.serialization.safe_globals",
    "assert torch.serialization.get_safe_globals() == []",
    severity=RECOMMENDED,
    since="2.5",
    needs=("serialization.safe_globals", "serialization.get_safe_globals"),
)
def test_get_safe_globals_is_empty_where_the_user_added_none(implementation, device):
    """get_safe_globals() lists what the user has added: it is [] after a safe_globals context where nothing else was
    added."""
    with implementation.serialization.safe_globals([Opaque]):
        assert Opaque in implementation.serialization.get_safe_globals()
    assert implementation.serialization.get_safe_globals() == []


@clause(
    "serialization/added-safe-globals-outlive-a-context",
    "torch.serialization.add_safe_globals",
    "Marks the given globals as safe for ``weights_only`` load.",
    since="2.5",
    needs=(*FILE, "load(weights_only)", "serialization.add_safe_globals", "serialization.safe_globals"),
)
@given(value=st.integers())
def test_a_class_added_before_a_context_stays_allowed_after_it(implementation, device, value):
    """A class that add_safe_globals allowed stays allowed after a safe_globals context that names it too."""
    content = saved(implementation.save, {"net": Opaque(value)})
    before = implementation.serialization.get_safe_globals()
    try:
        implementation.serialization.add_safe_globals([Opaque])
        with implementation.serialization.safe_globals([Opaque]):
            loaded(implementation.load, content, weights_only=True)
        back = loaded(implementation.load, content, weights_only=True)
    finally:
        implementation.serialization.clear_safe_globals()
        implementation.serialization.add_safe_globals(before)
    assert isinstance(back["net"], Opaque)


@clause(
    "serialization/unsafe-globals-are-listed",
    "torch.serialization.get_unsafe_globals_in_checkpoint",
    "This function will return any GLOBALs in the checkpoint that are not in the set marked safe",
    since="2.6",
    needs=(*FILE, "serialization.get_unsafe_globals_in_checkpoint"),
)
@given(blueprint=blueprints(max_nodes=6))
def test_the_globals_that_a_restricted_load_would_refuse_are_listed(implementation, device, blueprint):
    """get_unsafe_globals_in_checkpoint(file) lists "module.name" of the classes that a restricted load would refuse:
    none for a state_dict, one for a class of the user's own."""
    state = implementation.build(blueprint, device).module.state_dict()
    listed = implementation.serialization.get_unsafe_globals_in_checkpoint
    assert loaded(listed, saved(implementation.save, state)) == []
    content = saved(implementation.save, {"state": state, "net": Opaque(0)})
    assert loaded(listed, content) == [f"{Opaque.__module__}.{Opaque.__name__}"]


@clause(
    "serialization/pickle_protocol-unrestricted",
    "torch.save",
    "pickle_protocol: can be specified to override the default protocol",
    since="1.13",
    needs=(*FILE, "save(pickle_protocol)", "load(weights_only)"),
)
@given(blueprint=blueprints(max_nodes=6), protocol=st.integers(1, pickle.HIGHEST_PROTOCOL))
def test_every_binary_pickle_protocol_loads_unrestricted(implementation, device, blueprint, protocol):
    """A state_dict saved with any binary pickle_protocol, 1 to pickle.HIGHEST_PROTOCOL, loads with
    weights_only=False."""
    subject = implementation.build(blueprint, device)
    content = saved(implementation.save, subject.module.state_dict(), pickle_protocol=protocol)
    state = loaded(implementation.load, content, weights_only=False)
    assert implementation.readings(state) == state_readings(subject.model)


@clause(
    "serialization/pickle_protocol-by-default",
    "torch.save",
    "pickle_protocol: can be specified to override the default protocol",
    needs=(*FILE, "save(pickle_protocol)"),
)
@given(blueprint=blueprints(max_nodes=6), protocol=st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_every_pickle_protocol_loads_by_default(implementation, device, blueprint, protocol):
    """A state_dict saved with any pickle_protocol, 0 to pickle.HIGHEST_PROTOCOL, is what load(file) returns."""
    subject = implementation.build(blueprint, device)
    content = saved(implementation.save, subject.module.state_dict(), pickle_protocol=protocol)
    assert implementation.readings(loaded(implementation.load, content)) == state_readings(subject.model)


@clause(
    "serialization/mmap-gives-the-same-values",
    "torch.load",
    "Indicates whether the file should be mapped rather than loading all the storages into memory.",
    since="2.1",
    needs=(*FILE, "load(mmap)", "save.zip"),
)
@given(blueprint=blueprints(), kind=st.sampled_from(("path", "pathlike")))
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
