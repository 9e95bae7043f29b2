"""Both formats of a file: ties between entries, the zip archive, and the protocols of pickle."""

from __future__ import annotations

import io
import pickle
import zipfile

from hypothesis import strategies as st

from conformance.contract import clause, for_any_module
from conformance.language import blueprint as bp
from conformance.language.transform import extended
from conformance.model.files import ties
from conformance.model.state import state_readings
from conformance.suite.support.files import loaded, saved
from strategies import blueprints, parameters

FILE = ("save", "load")
NOTE = "https://docs.pytorch.org/docs/stable/notes/serialization.html"
LEGACY = {"_use_new_zipfile_serialization": False}


@clause(
    "serialization/tied-entries-stay-tied",
    "torch.save",
    "PyTorch preserves storage sharing across serialization.",
    needs=FILE,
)
@for_any_module(blueprint=blueprints(), parameter=parameters(("float32",)))
def test_entries_that_share_storage_share_it_after_loading(implementation, device, blueprint, parameter):
    """Two entries of a state_dict share storage after loading exactly if they did when it was saved: tied parameters
    and buffers stay tied, and no others become so."""
    subject = implementation.build(extended(blueprint, one=parameter, other=bp.Shared("one")), device)
    state = loaded(implementation.load, saved(implementation.save, subject.module.state_dict()))
    check_ties(implementation, state, subject.model)
    assert subject.portrait() == subject.expected_portrait()


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
@for_any_module(blueprint=blueprints(), parameter=parameters(("float32",)))
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
@for_any_module(blueprint=blueprints(max_nodes=6))
def test_a_saved_file_is_an_intact_zip_archive(implementation, device, blueprint):
    """save writes a zip archive by default, without a damaged entry."""
    subject = implementation.build(blueprint, device)
    content = saved(implementation.save, subject.module.state_dict())
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
    assert subject.portrait() == subject.expected_portrait()


@clause(
    "serialization/one-record-a-storage",
    NOTE,
    "contains all the storages in the object, where each storage is a separate file",
    since="1.6",
    needs=(*FILE, "save.zip"),
)
@for_any_module(blueprint=blueprints(), parameter=parameters(("float32",)))
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
    assert subject.portrait() == subject.expected_portrait()


@clause(
    "serialization/state_dict-loads-restricted-and-unrestricted",
    "torch.load",
    "Indicates whether unpickler should be restricted to loading only tensors, primitive types, dictionaries",
    since="1.13",
    needs=(*FILE, "load(weights_only)", "save.legacy", "save(_use_new_zipfile_serialization)"),
)
@for_any_module(blueprint=blueprints(), restricted=st.booleans(), zipped=st.booleans())
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
    "serialization/pickle_protocol-unrestricted",
    "torch.save",
    "pickle_protocol: can be specified to override the default protocol",
    since="1.13",
    needs=(*FILE, "save(pickle_protocol)", "load(weights_only)"),
)
@for_any_module(blueprint=blueprints(max_nodes=6), protocol=st.integers(1, pickle.HIGHEST_PROTOCOL))
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
@for_any_module(blueprint=blueprints(max_nodes=6), protocol=st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_every_pickle_protocol_loads_by_default(implementation, device, blueprint, protocol):
    """A state_dict saved with any pickle_protocol, 0 to pickle.HIGHEST_PROTOCOL, is what load(file) returns."""
    subject = implementation.build(blueprint, device)
    content = saved(implementation.save, subject.module.state_dict(), pickle_protocol=protocol)
    assert implementation.readings(loaded(implementation.load, content)) == state_readings(subject.model)
