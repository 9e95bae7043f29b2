"""Wrong ways to give out the state of a tree: keys, values, hooks, extra state, names in containers and wrappers."""

from __future__ import annotations

from collections import OrderedDict

from conformance.reference import DataParallel, ModuleDict, ParameterDict, ParameterList, Sequential
from conformance.reference import registry as registry_module
from conformance.reference import state as state_module
from conformance.reference.containers import _ModuleSequence
from conformance.reference.module import Module
from conformance.reference.registry import Registry
from conformance.reference.state import EXTRA_STATE, Stateful
from selftests.faults import fault


def saving(patch, change):
    """Let ``change(self, destination, prefix, keep_vars, save)`` write a module's own entries."""
    save = Stateful._save_to_state_dict
    patch.setattr(Stateful, "_save_to_state_dict", lambda self, *arguments: change(self, *arguments, save))


def asked(patch, change):
    """Let ``change(self, state)`` stand for what state_dict() returns where it makes the dictionary itself."""
    collect = Stateful.state_dict

    def wrong(self, *args, destination=None, **options):
        made = collect(self, *args, destination=destination, **options)
        return change(self, made) if destination is None and not args else made

    patch.setattr(Stateful, "state_dict", wrong)


def hooked(patch, method, change):
    """Let ``method`` register ``change(hook)`` in place of each hook."""
    register = getattr(Stateful, method)
    patch.setattr(Stateful, method, lambda self, hook: register(self, change(hook)))


# Keys and values


@fault("state_dict/parameters-and-persistent-buffers", "state_dict/values-are-those-of-the-tensors")
def buffers_below_the_root_are_not_saved(patch):
    def wrong(self, destination, prefix, keep_vars, save):
        save(self, destination, prefix, keep_vars)
        for name in self._buffers if prefix else ():
            destination.pop(prefix + name, None)

    saving(patch, wrong)


@fault("state_dict/parameters-and-persistent-buffers", "state_dict/keep_vars-gives-the-own-objects")
def a_tied_tensor_is_saved_under_its_first_name_only(patch):
    def wrong(self, destination, prefix, keep_vars, save):
        known = {value.data_ptr() for value in destination.values()}
        for name, tensor in self._own_state().items():
            if tensor is not None and tensor.data_ptr() not in known:
                destination[prefix + name] = tensor if keep_vars else tensor.detach()
                known.add(tensor.data_ptr())

    saving(patch, wrong)


@fault("state_dict/keys-follow-registration-order")
def buffers_are_saved_before_parameters(patch):
    own = Stateful._own_state
    patch.setattr(
        Stateful, "_own_state", lambda self: dict(sorted(own(self).items(), key=lambda x: x[0] in self._parameters))
    )


@fault("state_dict/values-are-those-of-the-tensors")
def entries_are_saved_as_float32(patch):
    def wrong(self, destination, prefix, keep_vars, save):
        save(self, destination, prefix, keep_vars)
        for name in self._own_state():
            if prefix + name in destination and destination[prefix + name].is_floating_point():
                destination[prefix + name] = destination[prefix + name].float()

    saving(patch, wrong)


@fault("state_dict/values-alias-the-module", "load_state_dict/copies-into-the-same-memory")
def entries_are_copies(patch):
    def wrong(self, destination, prefix, keep_vars, save):
        for name, tensor in self._own_state().items():
            if tensor is not None:
                destination[prefix + name] = tensor if keep_vars else tensor.detach().clone()

    saving(patch, wrong)


@fault("state_dict/non_persistent-buffers-absent", "load_state_dict/non_persistent-buffer-is-unexpected")
def buffers_are_persistent_whatever_was_asked(patch):
    patch.setattr(Registry, "_mark_persistent", lambda self, name, persistent: None)


@fault("state_dict/none-entries-absent")
def what_is_none_is_saved_as_none(patch):
    def wrong(self, destination, prefix, keep_vars, save):
        save(self, destination, prefix, keep_vars)
        destination.update((prefix + name, None) for name, tensor in self._own_state().items() if tensor is None)

    saving(patch, wrong)


@fault(
    "state_dict/entries-may-be-edited",
    "state_dict/new-ordered_dict-by-default",
    "state_dict/none-entries-absent",
    "extra_state/asked-at-each-state_dict",
)
def the_dictionary_is_made_once_and_kept(patch):
    def wrong(self, made):
        return vars(self).setdefault("_kept", made)

    asked(patch, wrong)


@fault("state_dict/values-are-detached")
def entries_below_the_root_are_not_detached(patch):
    saving(patch, lambda self, destination, prefix, keep_vars, save: save(self, destination, prefix, bool(prefix)))


@fault("state_dict/keep_vars-gives-the-own-objects", "state_dict/positional-arguments-in-order")
def keep_vars_holds_for_the_root_only(patch):
    def wrong(self, destination, prefix, keep_vars, save):
        save(self, destination, prefix, keep_vars and "." not in prefix)

    saving(patch, wrong)


# Arguments


@fault("state_dict/prefix-before-every-key")
def a_prefix_without_a_dot_gets_one(patch):
    collect = Stateful.state_dict

    def wrong(self, *args, prefix="", **options):
        return collect(self, *args, prefix=f"{prefix}." if prefix and prefix[-1] != "." else prefix, **options)

    patch.setattr(Stateful, "state_dict", wrong)


@fault("state_dict/destination-is-updated-and-returned")
def entries_of_the_destination_are_not_overwritten(patch):
    def wrong(self, destination, prefix, keep_vars, save):
        before = dict(destination)
        save(self, destination, prefix, keep_vars)
        destination.update(before)

    saving(patch, wrong)


@fault("state_dict/destination-is-updated-and-returned", "state_dict/positional-arguments-in-order")
def a_copy_of_the_destination_is_returned(patch):
    collect = Stateful.state_dict
    patch.setattr(Stateful, "state_dict", lambda self, *args, **options: OrderedDict(collect(self, *args, **options)))


@fault("state_dict/new-ordered_dict-by-default", "state_dict/metadata-holds-every-version")
def a_plain_dict_is_returned(patch):
    asked(patch, lambda self, made: dict(made))


@fault("state_dict/positional-arguments-in-order")
def the_first_positional_argument_is_the_prefix(patch):
    collect = Stateful.state_dict

    def wrong(self, *args, **options):
        return collect(self, *args[1::-1], *args[2:], **options)

    patch.setattr(Stateful, "state_dict", wrong)


@fault("state_dict/save_to_state_dict-of-subclasses")
def subclasses_do_not_save_their_own_entries(patch):
    def wrong(self, *, destination=None, prefix="", keep_vars=False):
        destination = OrderedDict() if destination is None else destination
        Stateful._save_to_state_dict(self, destination, prefix, keep_vars)
        for name, child in self._modules.items():
            if child is not None:
                child.state_dict(destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        return destination

    patch.setattr(Stateful, "state_dict", wrong)


@fault("state_dict/metadata-holds-every-version", "load_state_dict/version-reaches-the-subclass")
def every_version_is_written_as_one(patch):
    write = Stateful._write_metadata

    def wrong(self, destination, prefix):
        local_metadata = write(self, destination, prefix)
        local_metadata["version"] = 1
        return local_metadata

    patch.setattr(Stateful, "_write_metadata", wrong)


# Hooks


@fault("state_dict/pre_hook-receives-prefix-and-keep_vars")
def state_dict_pre_hooks_receive_the_empty_prefix(patch):
    hooked(patch, "register_state_dict_pre_hook", lambda hook: lambda module, prefix, keep: hook(module, "", keep))


@fault("state_dict/pre_hook-runs-before-collection")
def state_dict_pre_hooks_run_after_collection(patch):
    def register(self, hook):
        return self._state_dict_hooks.register(lambda module, state, prefix, metadata: hook(module, prefix, False))

    patch.setattr(Stateful, "register_state_dict_pre_hook", register)


@fault("state_dict/post_hook-sees-the-collected-entries", "state_dict/post_hook-edits-the-result")
def state_dict_post_hooks_run_before_the_children(patch):
    def register(self, hook):
        vars(self).setdefault("_early", []).append(hook)

    def wrong(self, destination, prefix, keep_vars, save):
        save(self, destination, prefix, keep_vars)
        for hook in vars(self).get("_early", ()):
            hook(self, destination, prefix, {})

    patch.setattr(Stateful, "register_state_dict_post_hook", register)
    saving(patch, wrong)


@fault("state_dict/post_hook-edits-the-result")
def state_dict_post_hooks_receive_a_copy(patch):
    def copying(hook):
        return lambda module, state, prefix, metadata: hook(module, OrderedDict(state), prefix, metadata)

    hooked(patch, "register_state_dict_post_hook", copying)


@fault("state_dict/post_hook-may-be-a-bound-method")
def state_dict_post_hooks_must_be_functions(patch):
    def marked(hook):
        hook._is_post_hook = True
        return hook

    hooked(patch, "register_state_dict_post_hook", marked)


@fault("state_dict/hooks-run-in-registration-order")
def state_dict_pre_hooks_run_in_reverse_order(patch):
    patch.setattr(
        Stateful,
        "register_state_dict_pre_hook",
        lambda self, hook: self._state_dict_pre_hooks.register(hook, prepend=True),
    )


@fault("state_dict/hooks-run-in-registration-order")
def state_dict_post_hooks_run_in_reverse_order(patch):
    patch.setattr(
        Stateful,
        "register_state_dict_post_hook",
        lambda self, hook: self._state_dict_hooks.register(hook, prepend=True),
    )


@fault("state_dict/post_hook-must-return-none")
def state_dict_post_hooks_may_return_anything(patch):
    hooked(patch, "register_state_dict_post_hook", lambda hook: lambda *given: (hook(*given), None)[1])


# Extra state


@fault("extra_state/stored-in-state_dict", "extra_state/unwanted-entry-is-an-unexpected-key")
def the_extra_state_of_the_root_only_is_saved(patch):
    def wrong(self, destination, prefix, keep_vars, save):
        save(self, destination, prefix, keep_vars)
        if prefix:
            destination.pop(prefix + EXTRA_STATE, None)

    saving(patch, wrong)


@fault("extra_state/stored-in-state_dict", "extra_state/handed-to-set_extra_state")
def extra_state_that_is_false_is_not_saved(patch):
    def wrong(self, destination, prefix, keep_vars, save):
        save(self, destination, prefix, keep_vars)
        if not destination.get(prefix + EXTRA_STATE, True):
            del destination[prefix + EXTRA_STATE]

    saving(patch, wrong)


@fault("extra_state/key-ends-in-_extra_state")
def extra_state_has_another_key(patch):
    patch.setattr(state_module, "EXTRA_STATE", "extra_state")


@fault("extra_state/handed-to-set_extra_state", "extra_state/missing-entry-is-a-missing-key")
def the_extra_state_of_the_root_only_is_loaded(patch):
    load = Stateful._load_extra_state

    def wrong(self, state_dict, key, missing_keys):
        if key == EXTRA_STATE:
            load(self, state_dict, key, missing_keys)

    patch.setattr(Stateful, "_load_extra_state", wrong)


@fault("extra_state/unwanted-entry-is-an-unexpected-key")
def extra_state_is_always_expected(patch):
    expects = Stateful._expects
    patch.setattr(
        Stateful, "_expects", lambda self, key, prefix: key.endswith(EXTRA_STATE) or expects(self, key, prefix)
    )


# Names


@fault("naming/attribute-path-joined-by-dots", "naming/buffer-path-joined-by-dots")
def names_are_joined_by_slashes_below_the_first_dot(patch):
    join = registry_module.join
    patch.setattr(
        registry_module, "join", lambda prefix, name: join(prefix, name) if "." not in prefix else f"{prefix}/{name}"
    )


@fault("naming/sequential-items-by-position", "naming/module_list-items-by-position")
def only_items_with_parameters_are_counted(patch):
    free = _ModuleSequence._free_name

    def counting(self):
        return str(sum(1 for module in self if any(True for _ in module.parameters()))) if len(self) else free(self)

    def init(self, *args):
        Module.__init__(self)
        for module in args:
            self.add_module(self._free_name(), module)

    patch.setattr(_ModuleSequence, "_free_name", counting)
    patch.setattr(Sequential, "__init__", init)


@fault("naming/sequential-items-by-key")
def the_modules_of_an_ordered_dict_are_numbered(patch):
    def init(self, *args):
        Module.__init__(self)
        given = args[0].values() if len(args) == 1 and isinstance(args[0], OrderedDict) else args
        for number, module in enumerate(given):
            self.add_module(str(number), module)

    patch.setattr(Sequential, "__init__", init)


@fault("naming/module_dict-items-by-key")
def the_items_of_a_module_dict_are_sorted_by_key(patch):
    def wrong(self, key, module):
        self.add_module(key, module)
        self.__dict__["_modules"] = dict(sorted(self._modules.items()))

    patch.setattr(ModuleDict, "__setitem__", wrong)


@fault("naming/parameter_list-items-by-position")
def parameters_of_equal_shape_share_a_place_in_a_list(patch):
    arrange = ParameterList._arrange

    def wrong(self, values):
        arrange(self, list({getattr(value, "shape", value): value for value in values}.values()))

    patch.setattr(ParameterList, "_arrange", wrong)


@fault("naming/parameter_dict-items-by-key")
def the_items_of_a_parameter_dict_are_sorted_by_key(patch):
    def wrong(self):
        self.__dict__["_parameters"] = dict(sorted(self._parameters.items()))

    patch.setattr(ParameterDict, "_follow_order", wrong)


@fault("naming/data_parallel-keeps-the-module")
def data_parallel_wraps_a_copy(patch):
    import copy

    init = DataParallel.__init__
    patch.setattr(DataParallel, "__init__", lambda self, module, *rest: init(self, copy.deepcopy(module), *rest))


@fault("naming/data_parallel-adds-module", "naming/data_parallel-state-does-not-fit-the-bare-module")
def data_parallel_has_the_names_of_its_module(patch):
    patch.setattr(DataParallel, "state_dict", lambda self, **options: self.module.state_dict(**options), raising=False)


@fault("naming/data_parallel-module-state-fits-the-bare-module")
def the_wrapped_module_keeps_the_prefix_of_data_parallel(patch):
    init = DataParallel.__init__

    def wrong(self, module, *rest):
        init(self, module, *rest)
        collect = module.state_dict
        vars(module)["state_dict"] = lambda prefix="", **options: collect(prefix=prefix or "module.", **options)

    patch.setattr(DataParallel, "__init__", wrong)


@fault("naming/consume_prefix-strips-in-place", "naming/consume_prefix-lets-a-bare-module-load")
def a_prefix_is_taken_off_wherever_it_is(patch):
    def wrong(state_dict, prefix):
        for key in list(state_dict):
            state_dict[key.replace(prefix, "")] = state_dict.pop(key)

    patch.setattr("conformance.reference.consume_prefix_in_state_dict_if_present", wrong)


@fault("naming/consume_prefix-where-a-child-has-its-name")
def a_stripped_key_replaces_an_entry_that_is_still_to_be_stripped(patch):
    def wrong(state_dict, prefix):
        for key in list(state_dict):
            if key.startswith(prefix):
                state_dict[key[len(prefix) :]] = state_dict.pop(key)

    patch.setattr("conformance.reference.consume_prefix_in_state_dict_if_present", wrong)
