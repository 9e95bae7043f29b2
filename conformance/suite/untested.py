"""The gaps we know: documented promises that no property checks yet."""

from __future__ import annotations

from conformance.contract import untested

MODULE, UTILS = "torch.nn.Module", "torch.nn.utils"

for id, sentence, docs in (
    ("registration/non-leaf-parameter-is-refused",
     "Registering a Parameter that was computed from other tensors raises ValueError.", f"source:{MODULE}.register_parameter"),
    ("registration/parameter-of-a-custom-tensor-class",
     "Parameter(data) of a custom class of tensors is a Parameter that keeps that class.",
     "source:torch.nn.parameter.Parameter.__new__"),
    ("construction/device-as-context-manager", "Inside `with torch.device(d):` layers are made on the device d.",
     "https://docs.pytorch.org/docs/stable/tensor_attributes.html"),
    ("handles/hook-on-an-unpickled-module",
     "A hook registered on a module that was pickled with hooks in another process fires after them and displaces none.",
     f"{MODULE}.register_forward_hook"),
    ("conversion/type-casts-all", "type(dtype) casts all parameters and buffers, integer ones too.", f"{MODULE}.type"),
    ("conversion/memory_format-of-4d-tensors", "to(memory_format=...) converts 4-D tensors only.", f"{MODULE}.to"),
    ("conversion/share_memory-moves-all", "share_memory() moves all into shared memory.", f"{MODULE}.share_memory"),
    ("conversion/to_empty-without-recurse", "to_empty(recurse=False) changes the module's own members only.",
     f"{MODULE}.to_empty"),
    ("conversion/optimizer-after-cuda", "cuda() makes parameters different objects, so the optimizer is made after it.",
     f"{MODULE}.cuda"),
    ("future/overwrite-on-conversion", "With the overwrite flag a conversion assigns new parameters.",
     "torch.__future__.set_overwrite_module_params_on_conversion"),
    ("future/swap-keeps-identity", "With the swap flag conversions keep the identity of every parameter.",
     "torch.__future__.set_swap_module_params_on_conversion"),
    ("normalization/weight_norm-keeps-the-weight", "weight_norm splits a weight into magnitude and direction.",
     f"{UTILS}.parametrizations.weight_norm"),
    ("normalization/spectral_norm-bounds-the-weight", "spectral_norm divides a weight by its largest singular value.",
     f"{UTILS}.parametrizations.spectral_norm"),
    ("pruning/mask-and-original", "Pruning moves a parameter to name_orig and adds the buffer name_mask.",
     f"{UTILS}.prune.random_unstructured"),
    ("utilities/parameters_to_vector-in-order", "parameters_to_vector concatenates the flattened parameters in order.",
     f"{UTILS}.parameters_to_vector"),
    ("utilities/clip_grad_norm_-scales", "clip_grad_norm_ scales the gradients to a norm and returns the norm before.",
     f"{UTILS}.clip_grad_norm_"),
    ("utilities/skip_init-skips-initialisation", "skip_init builds a module without running its initialisers.",
     f"{UTILS}.skip_init"),
    ("wrappers/distributed_data_parallel-keys", "DistributedDataParallel puts module. before every key.",
     "torch.nn.parallel.DistributedDataParallel"),
    ("wrappers/compile-keeps-keys", "Module.compile() compiles the call and keeps names and values.", f"{MODULE}.compile"),
    ("wrappers/averaged_model-keys", "AveragedModel holds a copy as module and counts what it averaged.",
     "torch.optim.swa_utils.AveragedModel"),
    ("serialization/skip_data-writes-no-data", "Inside skip_data() save writes records without their bytes.",
     "torch.serialization.skip_data"),
    ("serialization/crc32-can-be-left-out", "Files written without checksums load.", "torch.serialization.set_crc32_options"),
    ("serialization/endianness-of-old-files", "Files without a byteorder record load in the order set as default.",
     "torch.serialization.set_default_load_endianness"),
):  # fmt: skip
    untested(id, sentence, docs)
