"""Wrong ways to load state: keys, values, assignment, errors, subclasses and hooks."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from types import SimpleNamespace

from conformance.reference.autograd import no_grad
from conformance.reference.module import Module
from conformance.reference.parameter import Parameter
from conformance.reference.registry import Registry
from conformance.reference.state import EXTRA_STATE, IncompatibleKeys, Stateful
from conformance.reference.tensor import Tensor
from selftests.faults import fault


def loading(patch, change):
    """Let ``change(self, state_dict, strict, assign, load)`` stand for load_state_dict()."""
    load = Stateful.load_state_dict

    def wrong(self, state_dict, strict=True, assign=False):
        return change(self, state_dict, strict, assign, load)

    patch.setattr(Stateful, "load_state_dict", wrong)


def entries(patch, change):
    """Let ``change(self, key, name, tensor, entry, assign, errors, load)`` load one entry."""
    load = Stateful._load_entry
    patch.setattr(Stateful, "_load_entry", lambda self, *arguments: change(self, *arguments, load))


def assigning(patch, change):
    """Let ``change(self, name, tensor, entry, assign)`` make an entry the module's own."""
    assign = Stateful._assign_entry
    patch.setattr(Stateful, "_assign_entry", lambda self, *arguments: change(self, *arguments, assign))


def expecting(patch, change):
    """Let a key also be expected where ``change(self, name, dot)`` says so of what follows the prefix."""
    expects = Stateful._expects

    def wrong(self, key, prefix):
        name, dot, _ = key.removeprefix(prefix).partition(".")
        return expects(self, key, prefix) or change(self, name, dot)

    patch.setattr(Stateful, "_expects", wrong)


def hooked(patch, method, change):
    """Let ``method`` register ``change(hook)`` in place of each hook."""
    register = getattr(Stateful, method)
    patch.setattr(Stateful, method, lambda self, hook: register(self, change(hook)))


# What is restored


@fault(
    "load_state_dict/round-trip-restores-every-value",
    "load_state_dict/read-only-mapping-accepted",
    "load_state_dict/partial-transfer-between-trees",
    "load_state_dict/copies-into-the-same-memory",
    "naming/data_parallel-module-state-fits-the-bare-module",
)
def buffers_are_not_loaded(patch):
    def wrong(self, key, name, tensor, entry, assign, errors, load):
        if name not in self._buffers:
            load(self, key, name, tensor, entry, assign, errors)

    entries(patch, wrong)


@fault("load_state_dict/plain-dict-in-any-order")
def entries_are_matched_by_their_order(patch):
    def wrong(self, state_dict, strict, assign, load):
        own = self.state_dict()
        if isinstance(state_dict, Mapping) and len(own) == len(state_dict):
            state_dict = OrderedDict(zip(own, state_dict.values(), strict=True))
        return load(self, state_dict, strict, assign)

    loading(patch, wrong)


@fault("load_state_dict/copies-into-the-same-objects", "load_state_dict/copies-into-the-same-memory")
def loading_puts_copies_in_place_of_parameters_and_buffers(patch):
    def wrong(self, key, name, tensor, entry, assign, errors, load):
        if assign or not isinstance(entry, Tensor) or tensor.shape != entry.shape:
            load(self, key, name, tensor, entry, assign, errors)
        else:
            self._assign_entry(name, tensor, entry.to(tensor.dtype).clone())

    entries(patch, wrong)


@fault("load_state_dict/source-is-copied-not-shared", "load_state_dict/dtype-and-requires_grad-of-the-module-stay")
def loading_lets_the_tensors_look_at_the_source(patch):
    def wrong(self, key, name, tensor, entry, assign, errors, load):
        if assign or not isinstance(entry, Tensor) or tensor.shape != entry.shape:
            load(self, key, name, tensor, entry, assign, errors)
        else:
            tensor.data = entry

    entries(patch, wrong)


@fault("load_state_dict/dtype-and-requires_grad-of-the-module-stay")
def loading_unfreezes_parameters(patch):
    def wrong(self, key, name, tensor, entry, assign, errors, load):
        load(self, key, name, tensor, entry, assign, errors)
        if name in self._parameters and tensor.dtype.is_differentiable:
            tensor.requires_grad_(True)

    entries(patch, wrong)


@fault("load_state_dict/mode-and-attributes-are-left")
def loading_puts_the_module_into_evaluation_mode(patch):
    def wrong(self, state_dict, strict, assign, load):
        result = load(self, state_dict, strict, assign)
        self.eval()
        return result

    loading(patch, wrong)


@fault("load_state_dict/mode-and-attributes-are-left")
def loading_deletes_plain_attributes(patch):
    def wrong(self, state_dict, strict, assign, load):
        result = load(self, state_dict, strict, assign)
        for module in self.modules():
            for name in set(vars(module)) - set(Module._initial_state()):
                if not name.startswith("_"):
                    delattr(module, name)
        return result

    loading(patch, wrong)


@fault("load_state_dict/child-of-any-name-round-trips")
def loading_does_nothing_at_all(patch):
    loading(patch, lambda self, state_dict, strict, assign, load: IncompatibleKeys([], []))


# Keys


@fault("load_state_dict/strict-refuses-missing-keys", "load_state_dict/strict-message-lists-both")
def strict_accepts_missing_keys(patch):
    errors = Stateful._strict_errors
    patch.setattr(
        Stateful, "_strict_errors", lambda self, keys: errors(self, IncompatibleKeys([], keys.unexpected_keys))
    )


@fault("load_state_dict/strict-refuses-unexpected-keys", "load_state_dict/strict-message-lists-both")
def strict_accepts_unexpected_keys(patch):
    errors = Stateful._strict_errors
    patch.setattr(Stateful, "_strict_errors", lambda self, keys: errors(self, IncompatibleKeys(keys.missing_keys, [])))


@fault("load_state_dict/strict-refuses-keys-below-a-parameter")
def keys_below_a_parameter_are_expected(patch):
    expecting(patch, lambda self, name, dot: bool(dot) and name in self._own_state())


@fault("load_state_dict/strict-refuses-keys-below-a-none-child")
def keys_below_a_child_that_is_none_are_expected(patch):
    expecting(patch, lambda self, name, dot: bool(dot) and name in self._modules)


@fault("load_state_dict/strict-refuses-the-name-of-a-child")
def the_name_of_a_child_is_expected(patch):
    expecting(patch, lambda self, name, dot: name in self._modules)


@fault("load_state_dict/non_persistent-buffer-is-unexpected")
def the_key_of_a_non_persistent_buffer_is_expected(patch):
    expecting(patch, lambda self, name, dot: name in self._buffers)


@fault("load_state_dict/strict-message-lists-both")
def the_message_lists_unexpected_keys_only_if_none_is_missing(patch):
    errors = Stateful._strict_errors
    patch.setattr(Stateful, "_strict_errors", lambda self, keys: errors(self, keys)[:1])


@fault(
    "load_state_dict/result-names-missing-keys",
    "load_state_dict/result-names-unexpected-keys",
    "load_state_dict/partial-transfer-between-trees",
)
def the_result_names_the_first_key_of_each_kind(patch):
    def wrong(self, state_dict, strict, assign, load):
        missing, unexpected = load(self, state_dict, strict, assign)
        return IncompatibleKeys(missing[:1], unexpected[:1])

    loading(patch, wrong)


@fault("load_state_dict/result-is-a-named-tuple")
def the_result_is_no_tuple(patch):
    def wrong(self, state_dict, strict, assign, load):
        return SimpleNamespace(**load(self, state_dict, strict, assign)._asdict())

    loading(patch, wrong)


@fault("load_state_dict/result-prints-all-keys-matched")
def the_result_prints_success_if_no_key_is_missing(patch):
    patch.setattr(
        IncompatibleKeys,
        "__repr__",
        lambda self: "IncompatibleKeys()" if self.missing_keys else "<All keys matched successfully>",
    )


@fault("load_state_dict/non_strict-loads-what-is-given", "load_state_dict/partial-transfer-between-trees")
def without_strict_nothing_is_loaded_where_a_key_is_missing(patch):
    def wrong(self, state_dict, strict, assign, load):
        missing = [key for key in self.state_dict() if key not in state_dict]
        unexpected = [key for key in state_dict if key not in self.state_dict()]
        return IncompatibleKeys(missing, unexpected) if missing else load(self, state_dict, strict, assign)

    loading(patch, wrong)


# The mapping


@fault("load_state_dict/given-mapping-keeps-its-entries")
def unexpected_keys_are_removed_from_the_given_dictionary(patch):
    def wrong(self, state_dict, strict, assign, load):
        result = load(self, state_dict, strict, assign)
        for key in result.unexpected_keys:
            del state_dict[key]
        return result

    loading(patch, wrong)


@fault("load_state_dict/read-only-mapping-accepted")
def only_dictionaries_are_accepted(patch):
    def wrong(self, state_dict, strict, assign, load):
        if not isinstance(state_dict, dict):
            raise TypeError("expected a dict")
        return load(self, state_dict, strict, assign)

    loading(patch, wrong)


@fault("load_state_dict/what-is-no-mapping-is-refused")
def what_is_empty_counts_as_an_empty_dictionary(patch):
    loading(patch, lambda self, state_dict, strict, assign, load: load(self, state_dict or {}, strict, assign))


# Entries that do not fit


@fault("load_state_dict/other-shape-is-refused")
def an_entry_of_one_element_is_broadcast(patch):
    def wrong(self, key, name, tensor, entry, assign, errors, load):
        if isinstance(entry, Tensor) and entry.numel() == 1 and not assign:
            tensor.fill_(entry.item())
        else:
            load(self, key, name, tensor, entry, assign, errors)

    entries(patch, wrong)


@fault(
    "load_state_dict/other-shape-is-refused",
    "load_state_dict/what-is-no-tensor-is-refused",
    "load_state_dict/errors-are-reported-together",
    "load_state_dict/none-slot-with-a-key-raises-without-strict",
)
def without_strict_nothing_is_an_error(patch):
    def wrong(self, state_dict, strict, assign, load):
        try:
            return load(self, state_dict, strict, assign)
        except RuntimeError:
            if strict:
                raise
            return IncompatibleKeys([], [])

    loading(patch, wrong)


@fault("load_state_dict/one-element-fits-a-scalar")
def a_scalar_takes_an_entry_of_its_own_shape_only(patch):
    def wrong(self, key, name, tensor, entry, assign, errors, load):
        if tensor.shape == () and entry.shape == (1,):
            errors.append(f"size mismatch for {key}")
        else:
            load(self, key, name, tensor, entry, assign, errors)

    entries(patch, wrong)


@fault("load_state_dict/what-is-no-tensor-is-refused")
def entries_that_are_no_tensors_are_passed_over(patch):
    def wrong(self, key, name, tensor, entry, assign, errors, load):
        if isinstance(entry, Tensor):
            load(self, key, name, tensor, entry, assign, errors)

    entries(patch, wrong)


@fault("load_state_dict/errors-are-reported-together")
def the_first_error_only_is_reported(patch):
    load = Stateful._load_tree

    def wrong(self, *arguments):
        load(self, *arguments)
        del arguments[-1][1:]

    patch.setattr(Stateful, "_load_tree", wrong)


@fault("load_state_dict/none-slot-with-a-key-raises", "load_state_dict/none-slot-with-a-key-raises-without-strict")
def a_key_for_what_is_none_is_passed_over(patch):
    load = Stateful._load_from_state_dict

    def wrong(self, state_dict, prefix, *rest):
        for name, tensor in self._own_state().items():
            if tensor is None:
                state_dict.pop(prefix + name, None)
        load(self, state_dict, prefix, *rest)

    patch.setattr(Stateful, "_load_from_state_dict", wrong)


@fault("load_state_dict/parameter-of-any-name-round-trips")
def a_parameter_may_be_called_as_extra_state_is(patch):
    expects = Stateful._expects

    def wrong(self, key, prefix):
        return expects(self, key, prefix) and (key != prefix + EXTRA_STATE or self._overrides("set_extra_state"))

    patch.setattr(Stateful, "_expects", wrong)


@fault("load_state_dict/child-of-any-name-round-trips")
def a_child_may_have_a_dot_in_its_name(patch):
    patch.setattr(Registry, "_check_name", lambda self, kind, name: None)


# assign=True


@fault("load_state_dict/assign-takes-values-and-dtype-of-the-source")
def assign_keeps_the_dtype_of_the_module(patch):
    def wrong(self, name, tensor, entry, assign):
        assign(self, name, tensor, entry if entry.dtype == tensor.dtype else entry.to(tensor.dtype))

    assigning(patch, wrong)


@fault("load_state_dict/assign-shares-the-given-tensors", "load_state_dict/assign-takes-the-very-parameter")
def assign_copies(patch):
    assigning(patch, lambda self, name, tensor, entry, assign: assign(self, name, tensor, entry.detach().clone()))


@fault("load_state_dict/assign-takes-the-very-parameter")
def assign_wraps_parameters_anew(patch):
    assigning(patch, lambda self, name, tensor, entry, assign: assign(self, name, tensor, entry.detach()))


@fault("load_state_dict/assign-keeps-requires_grad-of-the-module")
def assign_takes_requires_grad_of_the_source(patch):
    def wrong(self, name, tensor, entry, assign):
        assign(self, name, tensor, entry)
        if name in self._parameters:
            self._parameters[name] = Parameter(entry, requires_grad=entry.requires_grad)

    assigning(patch, wrong)


@fault("load_state_dict/assign-of-one-module-binds-no-other")
def assign_is_noted_in_the_metadata_of_the_caller(patch):
    load = Stateful._load_tree

    def wrong(self, state_dict, metadata, prefix, strict, assign, *rest):
        if assign and prefix[:-1] in metadata:
            metadata[prefix[:-1]]["assign_to_params_buffers"] = True
        load(self, state_dict, metadata, prefix, strict, assign, *rest)

    patch.setattr(Stateful, "_load_tree", wrong)


# Subclasses and hooks


@fault("load_state_dict/load_from_state_dict-of-every-submodule")
def subclasses_do_not_load_their_own_entries(patch):
    def wrong(self, state_dict, metadata, prefix, strict, assign, result, errors):
        with no_grad():
            Stateful._load_from_state_dict(self, state_dict, prefix, {}, strict, *result, errors)
        for name, child in self._modules.items():
            if child is not None:
                child._load_tree(state_dict, metadata, f"{prefix}{name}.", strict, assign, result, errors)

    patch.setattr(Stateful, "_load_tree", wrong)


@fault("load_state_dict/version-reaches-the-subclass")
def metadata_is_found_for_the_root_only(patch):
    load = Stateful._load_tree

    def wrong(self, state_dict, metadata, *rest):
        load(self, state_dict, {"": metadata[""]} if "" in metadata else {}, *rest)

    patch.setattr(Stateful, "_load_tree", wrong)


@fault("load_state_dict/pre_hook-receives-its-prefix")
def load_pre_hooks_receive_the_empty_prefix(patch):
    hooked(
        patch,
        "register_load_state_dict_pre_hook",
        lambda hook: lambda module, state, prefix, *rest: hook(module, state, "", *rest),
    )


@fault("load_state_dict/pre_hook-may-rename-keys")
def load_pre_hooks_receive_a_copy(patch):
    hooked(
        patch,
        "register_load_state_dict_pre_hook",
        lambda hook: lambda module, state, *rest: hook(module, OrderedDict(state), *rest),
    )


@fault("load_state_dict/pre_hook-receives-strict")
def load_pre_hooks_always_receive_strict(patch):
    hooked(
        patch,
        "register_load_state_dict_pre_hook",
        lambda hook: lambda *given: hook(*given[:4], True, *given[5:]),
    )


@fault("load_state_dict/pre_hook-may-be-any-callable")
def the_attribute_hook_of_a_load_pre_hook_is_called(patch):
    hooked(patch, "register_load_state_dict_pre_hook", lambda hook: getattr(hook, "hook", hook))


@fault(
    "load_state_dict/post_hook-runs-after-its-module",
    "load_state_dict/post_hook-receives-the-keys",
    "load_state_dict/post_hook-may-clear-the-keys",
)
def load_post_hooks_run_before_their_module_is_loaded(patch):
    def register(self, hook):
        return self._load_state_dict_pre_hooks.register(
            lambda module, state, prefix, metadata, strict, missing, unexpected, errors: hook(
                module, IncompatibleKeys(missing, unexpected)
            )
        )

    patch.setattr(Stateful, "register_load_state_dict_post_hook", register)


@fault("load_state_dict/post_hook-may-clear-the-keys", "load_state_dict/post_hook-may-add-keys")
def load_post_hooks_receive_copies_of_the_lists(patch):
    hooked(
        patch,
        "register_load_state_dict_post_hook",
        lambda hook: lambda module, keys: hook(module, IncompatibleKeys(*map(list, keys))),
    )


@fault("load_state_dict/post_hook-is-removed-by-its-handle")
def the_handle_removes_the_load_post_hook_registered_last(patch):
    register = Stateful.register_load_state_dict_post_hook

    def wrong(self, hook):
        register(self, hook)
        return SimpleNamespace(remove=self._load_state_dict_post_hooks.pop)

    patch.setattr(Stateful, "register_load_state_dict_post_hook", wrong)


@fault("load_state_dict/post_hook-must-return-none")
def load_post_hooks_may_return_anything(patch):
    hooked(patch, "register_load_state_dict_post_hook", lambda hook: lambda *given: (hook(*given), None)[1])


@fault("load_state_dict/post_hook-runs-after-its-module")
def load_post_hooks_fire_for_the_root_only(patch):
    def wrong(self, state_dict, strict, assign, load):
        below = [module for module in self.modules() if module is not self]
        hooks = [(module, list(module._load_state_dict_post_hooks)) for module in below]
        for module in below:
            module._load_state_dict_post_hooks.clear()
        result = load(self, state_dict, strict, assign)
        for module, own in hooks:
            module._load_state_dict_post_hooks.extend(own)
        return result

    loading(patch, wrong)


@fault("load_state_dict/hooks-run-in-registration-order")
def load_pre_hooks_run_in_reverse_order(patch):
    patch.setattr(
        Stateful,
        "register_load_state_dict_pre_hook",
        lambda self, hook: self._load_state_dict_pre_hooks.register(hook, prepend=True),
    )


@fault("load_state_dict/hooks-run-in-registration-order")
def load_post_hooks_run_in_reverse_order(patch):
    patch.setattr(
        Stateful,
        "register_load_state_dict_post_hook",
        lambda self, hook: self._load_state_dict_post_hooks.register(hook, prepend=True),
    )
