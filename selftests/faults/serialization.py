"""Wrong ways to save, to load, and to resume from a checkpoint."""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import pickle
from collections import OrderedDict

from conformance import reference
from conformance.reference import serialization
from conformance.reference.optim import Optimizer
from conformance.reference.state import Stateful
from conformance.reference.storage import CPU, Device, Storage
from conformance.reference.tensor import Tensor, rebuild_tensor
from selftests.faults import fault

ACCELERATED = "conformance.implementations.reference:with_accelerator"


def around(function):
    """Make a wrapper that introspection takes for the function."""
    return functools.wraps(function)


# What is in the file


@fault("serialization/state_dict-round-trip", "serialization/old-format-keeps-ties")
def loaded_state_dicts_are_sorted(patch):
    patch_loads(patch, lambda thing: type(thing)(sorted(thing.items())) if isinstance(thing, OrderedDict) else thing)


def patch_loads(patch, change, only=lambda options: True):
    load = serialization.load

    @around(load)
    def wrong(f, *args, **options):
        thing = load(f, *args, **options)
        return change(thing) if only(options) else thing

    patch.setattr(reference, "load", wrong)


@fault("serialization/state_dict-loads-restricted-and-unrestricted")
def an_unrestricted_load_sorts_the_keys(patch):
    patch_loads(
        patch,
        lambda thing: type(thing)(sorted(thing.items())) if isinstance(thing, OrderedDict) else thing,
        lambda options: options.get("weights_only") is False,
    )


@fault("serialization/tensor-of-any-dtype")
def half_tensors_load_as_single(patch):
    def wide(tensor):
        return tensor.float() if tensor.dtype.name == "float16" else tensor

    patch_loads(patch, lambda thing: {key: wide(tensor) for key, tensor in thing.items()})


@fault("serialization/python-objects-with-tensors")
def tuples_load_as_lists(patch):
    def lists(thing):
        if isinstance(thing, dict):
            return type(thing)((key, lists(item)) for key, item in thing.items())
        return [lists(item) for item in thing] if isinstance(thing, (list, tuple)) else thing

    patch_loads(patch, lists)


@fault(
    "serialization/saved-state-restores-another-module",
    "devices/load_state_dict-stays-on-the-device-of-the-module",
    "checkpoints/several-models-in-one-file",
)
def load_state_dict_skips_buffers(patch):
    load = Stateful._load_entry

    def wrong(self, key, name, *rest):
        if name not in self._buffers:
            load(self, key, name, *rest)

    patch.setattr(Stateful, "_load_entry", wrong)


@fault("serialization/saving-changes-nothing")
def saving_clears_what_was_saved(patch):
    save = serialization.save

    @around(save)
    def wrong(obj, f, **options):
        save(obj, f, **options)
        for tensor in list(obj.values())[:1]:
            tensor.zero_()

    patch.setattr(reference, "save", wrong)


@fault("serialization/loaded-tensors-are-new")
def files_of_the_same_content_load_as_one_object(patch):
    load, known = serialization.load, {}

    @around(load)
    def wrong(f, **options):
        content = f.read()
        f.seek(0)
        return known.setdefault(content, load(f, **options))

    patch.setattr(reference, "load", wrong)


@fault(
    "serialization/tied-entries-stay-tied",
    "serialization/old-format-keeps-ties",
    "serialization/one-record-a-storage",
    "devices/map_location-called-once-a-storage",
    "devices/map_location-called-once-for-an-empty-storage",
    "devices/ties-survive-map_location",
)
def every_tensor_is_saved_with_a_storage_of_its_own(patch):
    def wrong(self, protocol):
        own = self.detach().clone()
        return rebuild_tensor, (type(self), own._storage, 0, self._shape, self.requires_grad, dict(self.__dict__))

    patch.setattr(Tensor, "__reduce_ex__", wrong)


# Files and formats


@fault("serialization/every-kind-of-file")
def paths_must_be_strings(patch):
    save = serialization.save

    @around(save)
    def wrong(obj, f, **options):
        if isinstance(f, os.PathLike):
            raise AttributeError("expected 'f' to be string or a file-like object")
        save(obj, f, **options)

    patch.setattr(reference, "save", wrong)


@fault("serialization/save-needs-write-and-flush-only")
def save_asks_where_in_the_file_it_is(patch):
    save = serialization.save

    @around(save)
    def wrong(obj, f, **options):
        if hasattr(f, "write"):
            f.tell()
        save(obj, f, **options)

    patch.setattr(reference, "save", wrong)


@fault("serialization/load-needs-read-readline-tell-and-seek-only")
def load_asks_the_file_whether_it_is_readable(patch):
    load = serialization.load

    @around(load)
    def wrong(f, **options):
        if hasattr(f, "read") and not f.readable():
            raise ValueError("the file is not open for reading")
        return load(f, **options)

    patch.setattr(reference, "load", wrong)


@fault("serialization/unseekable-file-refused")
def load_reads_what_cannot_seek(patch):
    patch.setattr(serialization, "_check_seekable", lambda f: None)


@fault("serialization/zip-archive-by-default")
def files_are_of_the_old_format_by_default(patch):
    patch.setattr(serialization, "_zip_archive", serialization._two_pickles)


@fault("serialization/old-format-keeps-ties")
def the_old_format_is_the_new_one(patch):
    patch.setattr(serialization, "_two_pickles", serialization._zip_archive)


@fault("serialization/pickle_protocol-unrestricted", "serialization/pickle_protocol-by-default")
def protocols_with_frames_lose_the_values(patch):
    pickled = serialization._pickled

    def wrong(obj, records, pickle_module, protocol):
        content = pickled(obj, records, pickle_module, protocol)
        if protocol >= 4:
            records.update({key: bytes(len(data)) for key, data in records.items()})
        return content

    patch.setattr(serialization, "_pickled", wrong)


@fault("serialization/mmap-gives-the-same-values", target="torch")
def mapped_files_read_as_zeros(patch):
    import torch

    load = torch.load

    @around(load)
    def wrong(f, **options):
        state = load(f, **options)
        if options.get("mmap"):
            for tensor in state.values():
                tensor.zero_()
        return state

    patch.setattr(torch, "load", wrong)


# Restricted and unrestricted


@fault(
    "serialization/weights_only-refuses-other-classes",
    "serialization/restricted-by-default",
    "serialization/whole-module-refused-by-default",
)
def a_restricted_load_imports_what_it_does_not_know(patch):
    find = serialization._find_safe_class

    def wrong(module, name):
        try:
            return find(module, name)
        except pickle.UnpicklingError:
            return getattr(importlib.import_module(module), name)

    patch.setattr(serialization, "_find_safe_class", wrong)


@fault("serialization/restricted-by-default", "serialization/whole-module-refused-by-default")
def load_is_unrestricted_by_default(patch):
    load = serialization.load

    @around(load)
    def wrong(f, *args, weights_only=False, **options):
        return load(f, *args, weights_only=weights_only, **options)

    patch.setattr(reference, "load", wrong)


@fault("serialization/whole-module-loads-unrestricted")
def a_module_loads_in_training_mode(patch):
    def wrong(self, state):
        vars(self).update({**self._initial_state(), **state, "training": True})

    patch.setattr(reference.Module, "__setstate__", wrong)


@fault("serialization/safe_globals-allow-a-class")
def safe_globals_allow_nothing(patch):
    patch.setattr(serialization, "safe_globals", lambda safe_globals: contextlib.nullcontext())


@fault("serialization/safe_globals-leave-nothing-behind")
def safe_globals_stay_after_the_context(patch):
    @contextlib.contextmanager
    def wrong(safe_globals):
        serialization.add_safe_globals(safe_globals)
        yield

    patch.setattr(serialization, "_user_safe", [])
    patch.setattr(serialization, "safe_globals", wrong)


@fault("serialization/added-safe-globals-outlive-a-context")
def leaving_a_context_removes_what_it_names_whoever_added_it(patch):
    context = serialization.safe_globals

    @contextlib.contextmanager
    def wrong(safe_globals):
        with context(safe_globals):
            yield
        kept = [thing for thing in serialization.get_safe_globals() if thing not in safe_globals]
        serialization.clear_safe_globals()
        serialization.add_safe_globals(kept)

    patch.setattr(serialization, "safe_globals", wrong)


@fault("serialization/unsafe-globals-are-listed")
def unsafe_globals_are_never_listed(patch):
    patch.setattr(serialization, "get_unsafe_globals_in_checkpoint", lambda f: [])


# Devices


@fault(
    "devices/loads-where-it-was-saved",
    "devices/map_location-string",
    "devices/map_location-device",
    "devices/map_location-dict-leaves-other-tags",
    "devices/map_location-returned-storage-is-used",
    "devices/map_location-none-returned-falls-back",
    "devices/map_location-moves-whole-modules",
    target=ACCELERATED,
)
def whatever_is_loaded_goes_to_the_accelerator(patch):
    restorer = serialization.restorer

    def wrong(map_location):
        restore = restorer(map_location)
        return lambda storage, tag: restore(storage, tag).to(Device.of("cuda"))

    patch.setattr(serialization, "restorer", wrong)


@fault(
    "devices/map_location-meta-keeps-shapes-and-dtypes",
    "devices/map_location-dict-remaps-tags",
    "devices/absent-device-loads-with-map_location",
    "devices/map_location-in-the-old-format",
)
def map_location_is_ignored(patch):
    patch.setattr(serialization, "restorer", lambda map_location: serialization.restore_to_tag)


@fault("devices/map_location-meta-keeps-shapes-and-dtypes")
def meta_tensors_are_float32(patch):
    to = Storage.to

    def wrong(self, device):
        moved = to(self, device)
        if moved.device.type == "meta":
            moved.dtype = reference.float32
        return moved

    patch.setattr(Storage, "to", wrong)


@fault("devices/absent-device-raises", "devices/absent-device-error-names-map_location")
def files_from_an_absent_device_load_onto_the_cpu(patch):
    restore = serialization.restore_to_tag

    def wrong(storage, tag):
        return restore(storage, CPU if Device.of(str(tag)).type == "cuda" else tag)

    patch.setattr(serialization, "restore_to_tag", wrong)


@fault("devices/absent-device-error-names-map_location")
def the_error_for_an_absent_device_says_nothing_of_map_location(patch):
    restore = serialization.restore_to_tag

    def wrong(storage, tag):
        try:
            return restore(storage, tag)
        except RuntimeError:
            raise RuntimeError(f"no device {tag}") from None

    patch.setattr(serialization, "restore_to_tag", wrong)


# Checkpoints


@fault(
    "checkpoints/training-resumes",
    "checkpoints/several-models-and-optimizers-resume",
    "checkpoints/resumes-on-another-device",
    "checkpoints/optimizer-state-round-trip",
)
def an_optimizer_loads_its_options_only(patch):
    load = Optimizer.load_state_dict

    def wrong(self, state_dict):
        load(self, state_dict)
        self.state = {}

    patch.setattr(Optimizer, "load_state_dict", wrong)


@fault("checkpoints/training-resumes", "checkpoints/optimizer-state-round-trip")
def an_optimizer_keeps_its_own_learning_rate(patch):
    load = Optimizer.load_state_dict

    def wrong(self, state_dict):
        rates = [group["lr"] for group in self.param_groups]
        load(self, state_dict)
        for group, rate in zip(self.param_groups, rates, strict=True):
            group["lr"] = rate

    patch.setattr(Optimizer, "load_state_dict", wrong)


@fault("checkpoints/loading-keeps-the-optimizer", "checkpoints/training-resumes")
def load_state_dict_puts_the_loaded_tensors_in_place_of_the_parameters(patch):
    load = Stateful.load_state_dict
    patch.setattr(Stateful, "load_state_dict", lambda self, state: load(self, state, assign=True))


@fault("checkpoints/optimizer-refuses-another-size")
def an_optimizer_takes_the_options_of_any_number_of_parameters(patch):
    def wrong(self, state_dict):
        for own, loaded in zip(self.param_groups, state_dict["param_groups"], strict=False):
            own.update({**loaded, "params": own["params"]})

    patch.setattr(Optimizer, "load_state_dict", wrong)
