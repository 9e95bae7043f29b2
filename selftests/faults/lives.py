"""Wrong ways to live: for each kind of step in the life of a module, one that only a sequence of steps may bring to light."""

from __future__ import annotations

import copy
from collections.abc import Callable

from conformance import reference
from conformance.reference import (
    Module,
    ModuleDict,
    ModuleList,
    ParameterDict,
    Sequential,
)
from conformance.reference.hooks import RemovableHandle
from conformance.reference.registry import REGISTRIES
from selftests.faults import Plant, fault

LIFE = "lifecycle/every-sequence-of-edits-keeps-the-contract"
LISTS = (ModuleList, Sequential)

#: The fault that shows the step, by the name of the step.
BY_STEP: dict[str, str] = {}


def step(name: str) -> Callable[[Plant], Plant]:
    """Register the decorated function as a fault that lives catch by taking this step."""

    def register(plant: Plant) -> Plant:
        BY_STEP[name] = plant.__name__
        return fault(LIFE)(plant)

    return register


@step("assign")
def a_replaced_child_goes_to_the_end(patch):
    def wrong(self, kind, name, member):
        if kind == "module":
            self._modules.pop(name, None)
        store(self, kind, name, member)

    store = Module._store
    patch.setattr(Module, "_store", wrong)


@step("register_buffer")
def a_buffer_beside_a_child_is_persistent(patch):
    mark = Module._mark_persistent
    patch.setattr(
        Module, "_mark_persistent", lambda self, name, persistent: mark(self, name, persistent or self._modules)
    )


@step("delete")
def what_was_registered_last_is_deleted(patch):
    def wrong(self, name):
        kind = self._slot(name)
        if kind is None:
            object.__delattr__(self, name)
        else:
            self._forget(list(getattr(self, REGISTRIES[kind]))[-1])

    patch.setattr(Module, "__delattr__", wrong)


@step("assign_none")
def only_the_last_child_can_be_set_to_none(patch):
    def wrong(self, kind, name, value):
        if kind != "module" or value is not None or name == list(self._modules)[-1]:
            assign(self, kind, name, value)

    assign = Module._assign
    patch.setattr(Module, "_assign", wrong)


@step("share_module")
def modules_are_listed_under_every_name(patch):
    def wrong(self, memo=None, prefix="", remove_duplicate=True):
        return named_modules(self, memo, prefix, False)

    named_modules = Module.named_modules
    patch.setattr(Module, "named_modules", wrong)


@step("share_parameter")
def a_tied_parameter_is_saved_under_its_first_name(patch):
    def wrong(self):
        state, seen = own(self), set()
        return {
            name: tensor
            for name, tensor in state.items()
            if tensor is None or not (id(tensor) in seen or seen.add(id(tensor)))
        }

    own = Module._own_state
    patch.setattr(Module, "_own_state", wrong)


@step("append")
def the_third_module_of_a_list_becomes_the_first(patch):
    for kind in LISTS:

        def wrong(self, module, append=kind.append):
            append(self, module)
            items = list(self._modules.values())
            if len(items) == 3:
                self._modules.update(zip("012", [items[2], *items[:2]]))
            return self

        patch.setattr(kind, "append", wrong)


@step("extend")
def extend_begins_with_the_last(patch):
    for kind in LISTS:
        extend = kind.extend
        patch.setattr(kind, "extend", lambda self, modules, extend=extend: extend(self, reversed(list(modules))))


@step("insert")
def what_is_inserted_at_the_end_stands_before_the_last(patch):
    for kind in LISTS:

        def wrong(self, index, module, insert=kind.insert):
            return insert(self, max(index - 1, 0) if index == len(self) else index, module)

        patch.setattr(kind, "insert", wrong)


@step("set_item")
def an_item_counted_from_the_end_is_set_from_the_start(patch):
    for kind in LISTS:
        setitem = kind.__setitem__
        patch.setattr(
            kind,
            "__setitem__",
            lambda self, index, module, setitem=setitem: setitem(self, abs(index) - 1 if index < 0 else index, module),
        )


@step("delete_item")
def a_sequential_keeps_the_names_when_one_is_deleted(patch):
    def wrong(self, index):
        for name in list(self._modules)[index if isinstance(index, slice) else slice(index, index + 1 or None)]:
            delattr(self, name)

    patch.setattr(Sequential, "__delitem__", wrong)


@step("delete_slice")
def deleting_a_slice_of_a_list_takes_no_account_of_its_step(patch):
    def wrong(self, index):
        delete(self, slice(*sorted(index.indices(len(self))[:2])) if isinstance(index, slice) else index)

    delete = ModuleList.__delitem__
    patch.setattr(ModuleList, "__delitem__", wrong)


@step("pop_item")
def pop_returns_what_comes_next(patch):
    def wrong(self, key=-1):
        found = self[key]
        del self[key]
        return self[key] if len(self) and key == 0 else found

    for kind in LISTS:
        patch.setattr(kind, "pop", wrong)


@step("take_slice")
def a_slice_of_a_list_holds_copies(patch):
    getitem = ModuleList.__getitem__

    def wrong(self, index):
        return copy.deepcopy(getitem(self, index)) if isinstance(index, slice) else getitem(self, index)

    patch.setattr(ModuleList, "__getitem__", wrong)


@step("set_key")
def a_module_dict_keeps_its_keys_in_their_own_order(patch):
    def wrong(self, key, module):
        setitem(self, key, module)
        items = sorted(self._modules.items())
        self._modules.clear()
        self._modules.update(items)

    setitem = ModuleDict.__setitem__
    patch.setattr(ModuleDict, "__setitem__", wrong)


@step("update_keys")
def update_takes_one_pair(patch):
    for kind in (ModuleDict, ParameterDict):
        update = kind.update
        patch.setattr(kind, "update", lambda self, other, update=update: update(self, list(other.items())[:1]))


@step("delete_key")
def a_parameter_dict_keeps_the_parameter_of_a_deleted_key(patch):
    def wrong(self, key):
        del self._others[key]

    patch.setattr(ParameterDict, "__delitem__", wrong)


@step("pop_key")
def a_module_dict_pops_the_last_key(patch):
    patch.setattr(ModuleDict, "pop", lambda self, key: self._modules.pop(list(self._modules)[-1]))


@step("clear_keys")
def clear_leaves_the_first_key(patch):
    def wrong(self):
        for key in list(self)[1:]:
            del self[key]

    for kind in (ModuleDict, ParameterDict):
        patch.setattr(kind, "clear", wrong)


@step("train")
def a_list_keeps_the_mode_to_itself(patch):
    def wrong(self, mode=True):
        self.training = mode
        return self

    for kind in LISTS:
        patch.setattr(kind, "train", wrong, raising=False)


@step("require_gradients")
def freezing_forgets_the_last_parameter(patch):
    def wrong(self, requires_grad=True):
        for parameter in list(self.parameters())[:-1]:
            parameter.requires_grad_(requires_grad)
        return self

    patch.setattr(Module, "requires_grad_", wrong)


@step("cast")
def a_cast_leaves_modules_in_evaluation_mode_alone(patch):
    def wrong(self, dtype):
        for module in self.modules():
            if module.training:
                cast(module, dtype)
        return self

    def cast(self, dtype):
        return self._apply(lambda tensor: tensor.to(dtype) if tensor.is_floating_point() else tensor, recurse=False)

    patch.setattr(Module, "_cast_floating", wrong)


@step("convert")
def a_conversion_makes_every_buffer_persistent(patch):
    def wrong(self, *arguments, **options):
        for module in self.modules():
            module._non_persistent_buffers_set.clear()
        return to(self, *arguments, **options)

    to = Module.to
    patch.setattr(Module, "to", wrong)


@step("load")
def loading_thaws_what_was_frozen(patch):
    def wrong(self, state, *arguments, **options):
        for parameter in self.parameters():
            if parameter.dtype.is_differentiable:
                parameter.requires_grad_(True)
        return load(self, state, *arguments, **options)

    load = Module.load_state_dict
    patch.setattr(Module, "load_state_dict", wrong)


@step("save_and_load")
def a_file_has_no_values_of_its_own(patch):
    def save_nothing(thing, file):
        files[id(file)] = thing
        save({}, file)

    save, files = reference.save, {}
    patch.setattr(reference, "save", save_nothing)
    patch.setattr(reference, "load", lambda file, **options: files[id(file)])


@step("deep_copy")
def a_deep_copy_is_in_training_mode(patch):
    def wrong(self, memo):
        made = copied(self, memo)
        made.training = True
        return made

    patch.setattr(Module, "__deepcopy__", wrong, raising=False)


def copied(module, memo):
    """What a deep copy should be."""
    made = memo[id(module)] = object.__new__(type(module))
    vars(made).update(copy.deepcopy(vars(module), memo))
    return made


@step("pickle")
def an_unpickled_module_has_only_persistent_buffers(patch):
    def wrong(self, state):
        setstate(self, {**state, "_non_persistent_buffers_set": set()})

    setstate = Module.__setstate__
    patch.setattr(Module, "__setstate__", wrong)
    patch.setattr(Module, "__deepcopy__", copied, raising=False)


@step("hook")
def a_hook_changes_nothing_in_evaluation_mode(patch):
    def wrong(self, hook, call):
        before = call.output
        run(self, hook, call)
        call.output = call.output if self.training else before

    run = Module._run_forward_hook
    patch.setattr(Module, "_run_forward_hook", wrong)


@step("unhook")
def the_handle_of_a_hook_on_a_list_removes_nothing(patch):
    remove = RemovableHandle.remove
    patch.setattr(
        RemovableHandle,
        "remove",
        lambda self: remove(self) if self._hooks() is not None and len(self._hooks()) > 1 else None,
    )


@step("call")
def a_forward_pre_hook_fires_once(patch):
    def wrong(self, call):
        run(self, call)
        self._forward_pre_hooks.clear()

    run = Module._run_forward_pre_hooks
    patch.setattr(Module, "_run_forward_pre_hooks", wrong)
