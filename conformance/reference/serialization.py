"""save() and load(): pickles whose storages lie beside them, each once, tagged with the device it came from."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

from conformance.reference.parameter import Buffer, Parameter
from conformance.reference.storage import CPU, Device, DType, Storage, accelerator_present, dtype
from conformance.reference.tensor import Tensor, rebuild_tensor

_MAGIC = "module-conformance reference, one pickle after another"
_ZIP_START = b"PK\x03\x04"

# --- saving ------------------------------------------------------------------------------------------------------

#: Tags to write instead of "cpu"; the last one counts.
tags: list[str] = []


def save(
    obj: Any,
    f: Any,
    pickle_module: Any = pickle,
    pickle_protocol: int = 2,
    _use_new_zipfile_serialization: bool = True,
) -> None:
    """Write an object to a file: a path, or anything with ``write``."""
    records: dict[str, bytes] = {}
    pickled = _pickled(obj, records, pickle_module, pickle_protocol)
    content = _zip_archive(pickled, records) if _use_new_zipfile_serialization else _two_pickles(pickled, records)
    if isinstance(f, (str, os.PathLike)):
        with open(f, "wb") as file:
            file.write(content)
    elif hasattr(f, "write"):
        f.write(content)
        if hasattr(f, "flush"):
            f.flush()
    else:
        raise AttributeError("expected 'f' to be string, path, or a file-like object with a 'write' attribute")


def _pickled(obj: Any, records: dict[str, bytes], pickle_module: Any, protocol: int) -> bytes:
    """The object without its storages, whose bytes go into the records."""
    keys: dict[Storage, str] = {}

    class Pickler(pickle_module.Pickler):
        def persistent_id(self, thing: Any) -> str | None:
            if not isinstance(thing, Storage):
                return None
            if thing not in keys:
                keys[thing] = str(len(keys))
                records[keys[thing]] = thing.tobytes()
            # One word after another, because protocol 0 knows no other persistent id than a line of text.
            return f"{keys[thing]} {thing.dtype} {location_tag(thing)} {thing.size}"

    buffer = io.BytesIO()
    Pickler(buffer, protocol).dump(obj)
    return buffer.getvalue()


def location_tag(storage: Storage) -> str:
    """What the file says about where a storage lived."""
    return tags[-1] if tags and storage.device == CPU else str(storage.device)


def _zip_archive(pickled: bytes, records: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/byteorder", "little")
        for key, data in records.items():
            archive.writestr(f"archive/data/{key}", data)
        archive.writestr("archive/version", "3\n")
    return buffer.getvalue()


def _two_pickles(pickled: bytes, records: dict[str, bytes]) -> bytes:
    return pickle.dumps((_MAGIC, records), 2) + pickled


# --- loading -----------------------------------------------------------------------------------------------------

#: What a file may name if it is loaded with ``weights_only``.
_SAFE: dict[str, Any] = {
    **{f"{kind.__module__}.{kind.__qualname__}": kind for kind in (Tensor, Parameter, Buffer, Device, OrderedDict)},
    **{f"{function.__module__}.{function.__qualname__}": function for function in (rebuild_tensor, dtype)},
    **{f"{module}.{kind.__name__}": kind for module in ("builtins", "__builtin__")
       for kind in (set, frozenset, complex, bytes, bytearray, int, float, bool, str, list, dict, tuple)},
}  # fmt: skip

_user_safe: list[Any] = []  # what the user has added, in that order

MapLocation = Any


def add_safe_globals(safe_globals: list[Any]) -> None:
    """Allow these classes and functions in files that are loaded with ``weights_only``."""
    _user_safe.extend(thing for thing in safe_globals if thing not in _user_safe)


def get_safe_globals() -> list[Any]:
    """What the user has allowed."""
    return list(_user_safe)


def clear_safe_globals() -> None:
    """Allow nothing any more but what is allowed by default."""
    _user_safe.clear()


@contextlib.contextmanager
def safe_globals(safe_globals: list[Any]) -> Iterator[None]:
    """Allow these classes and functions for the time of a block."""
    before = get_safe_globals()
    add_safe_globals(safe_globals)
    try:
        yield
    finally:
        _user_safe[:] = before


class _Anything(dict):
    """Stands for what is not allowed: takes every argument, state and item, and does nothing."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__()

    def __setstate__(self, state: Any) -> None:
        """Take the state."""


def get_unsafe_globals_in_checkpoint(f: Any) -> list[str]:
    """The names of all classes and functions in a file that ``weights_only`` would refuse."""
    found: set[str] = set()

    def find_class(module: str, name: str) -> Any:
        try:
            return _find_safe_class(module, name)
        except pickle.UnpicklingError:
            found.add(f"{module}.{name}")
            return _Anything

    with _reading(f) as file:
        pickled, records = _opened(file.read())
    _unpickler(pickle, io.BytesIO(pickled), records, "meta", {}, find_class).load()
    return sorted(found)


def load(
    f: Any,
    map_location: MapLocation = None,
    pickle_module: Any = None,
    *,
    weights_only: bool = True,
    **pickle_load_args: Any,
) -> Any:
    """Read what :func:`save` wrote from a path, or from anything with ``read``, ``readline``, ``tell`` and ``seek``.

    Args:
        f: the file.
        map_location: where to put storages instead of where they were: a device, a dict of device tags, or a function
            of the storage (on the CPU) and its tag that returns a storage, or None for the default.
        pickle_module: what to unpickle with, if not ``weights_only``.
        weights_only: refuse everything but tensors, parameters, and Python's own containers and numbers.
        pickle_load_args: passed on to the unpickler, if not ``weights_only``.
    """
    if weights_only and pickle_module is not None:
        raise RuntimeError("Can not safely load weights when explicit pickle_module is specified")
    with _reading(f) as file:
        return _load(file, map_location, pickle_module or pickle, weights_only, pickle_load_args)


def _reading(f: Any) -> Any:
    """A context in which the file is open; one that was open already stays so."""
    if isinstance(f, (str, os.PathLike)):
        return open(f, "rb")
    _check_seekable(f)
    return contextlib.nullcontext(f)


def _check_seekable(f: Any) -> None:
    for method in ("seek", "tell"):
        if not hasattr(f, method):
            raise AttributeError(
                f"{type(f).__name__!r} object has no attribute {method!r}. You can only torch.load from a file that is "
                "seekable. Please pre-load the data into a buffer like io.BytesIO and try to load from it instead."
            )


def _load(f: Any, map_location: MapLocation, pickle_module: Any, weights_only: bool, options: dict[str, Any]) -> Any:
    content = f.read()
    try:
        pickled, records = _opened(content)
        if weights_only:
            unpickler = _unpickler(pickle, io.BytesIO(pickled), records, map_location, {}, _find_safe_class)
        else:
            unpickler = _unpickler(pickle_module, io.BytesIO(pickled), records, map_location, options)
        return unpickler.load()
    except pickle.UnpicklingError as error:
        if not weights_only:
            raise
        raise pickle.UnpicklingError(
            "Weights only load failed. Re-running `load` with `weights_only` set to `False` will likely succeed, but "
            f"it can result in arbitrary code execution. Do it only if you trust the source of the file.\n\t{error}"
        ) from None


def _opened(content: bytes) -> tuple[bytes, dict[str, bytes]]:
    """The pickled object and the bytes of its storages, from a file in either format."""
    if content.startswith(_ZIP_START):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            files = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
        return files["data.pkl"], {n[len("data/") :]: data for n, data in files.items() if n.startswith("data/")}
    stream = io.BytesIO(content)
    header = _Restricted(stream).load()
    if not isinstance(header, tuple) or header[0] != _MAGIC:
        raise pickle.UnpicklingError("Invalid magic number; corrupt file?")
    return stream.read(), header[1]


def _find_safe_class(module: str, name: str) -> Any:
    if (module, name) == ("_codecs", "encode"):  # how protocol 2 writes bytes
        return _encode
    for thing in _user_safe:
        if (thing.__module__, thing.__qualname__) == (module, name):
            return thing
    if f"{module}.{name}" not in _SAFE:
        raise pickle.UnpicklingError(
            f"Unsupported global: GLOBAL {module}.{name} was not an allowed global by default."
        )
    return _SAFE[f"{module}.{name}"]


def _encode(text: str, encoding: str) -> bytes:
    return text.encode(encoding)


class _Restricted(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        return _find_safe_class(module, name)


def _unpickler(
    pickle_module: Any,
    stream: io.BytesIO,
    records: dict[str, bytes],
    map_location: MapLocation,
    options: dict[str, Any],
    find_class: Callable[[str, str], Any] | None = None,
) -> Any:
    restore = restorer(map_location)
    storages: dict[str, Storage] = {}

    class Unpickler(pickle_module.Unpickler):
        def persistent_load(self, text: Any) -> Storage:
            key, name, tag, count = str(text).split(" ")
            if key not in storages:
                storages[key] = _storage(dtype(name), tag, int(count), records[key], restore)
            return storages[key]

        def find_class(self, module: str, name: str) -> Any:
            return super().find_class(module, name) if find_class is None else find_class(module, name)

    return Unpickler(stream, **options)


def _storage(
    element_type: DType, tag: str, count: int, data: bytes, restore: Callable[[Storage, str], Storage]
) -> Storage:
    if tag == "meta":
        return Storage(element_type, Device("meta"), count)
    return restore(Storage(element_type, CPU, count, element_type.decode(data)), tag)


# --- where storages go -------------------------------------------------------------------------------------------


def restorer(map_location: MapLocation) -> Callable[[Storage, str], Storage]:
    """The function that puts a storage, given with its tag, where ``map_location`` says."""
    if map_location is None:
        return restore_to_tag
    if isinstance(map_location, dict):
        return lambda storage, tag: restore_to_tag(storage, map_location.get(tag, tag))
    if isinstance(map_location, (str, Device)):
        return lambda storage, tag: restore_to_tag(storage, str(map_location))

    def restore(storage: Storage, tag: str) -> Storage:
        result = map_location(storage, tag)
        return restore_to_tag(storage, tag) if result is None else result

    return restore


def restore_to_tag(storage: Storage, tag: str) -> Storage:
    """Put a storage onto the device that its tag names."""
    device = Device.of(str(tag))
    if device.type == "cuda" and not accelerator_present():
        raise RuntimeError(
            "Attempting to deserialize object on a CUDA device but torch.cuda.is_available() is False. If you are "
            "running on a CPU-only machine, please use torch.load with map_location=torch.device('cpu') to map your "
            "storages to the CPU."
        )
    if device.type == "cuda" and device.index:  # the simulated machine has one accelerator
        raise RuntimeError(
            f"Attempting to deserialize object on CUDA device {device.index} but torch.cuda.device_count() is 1. "
            "Please use torch.load with map_location to map your storages to an existing device."
        )
    return storage.to(device)
