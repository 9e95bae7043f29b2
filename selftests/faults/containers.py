"""Wrong ways to hold modules and parameters in lists and dictionaries."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Iterable

from conformance.reference import (
    Module,
    ModuleDict,
    ModuleList,
    Parameter,
    ParameterDict,
    ParameterList,
    Sequential,
    Tensor,
    containers,
)
from selftests.faults import fault

LISTS = (ModuleList, Sequential)


def hold(container, values):
    """Make a list of modules hold exactly these, under their positions."""
    container._modules.clear()
    container._modules.update((str(i), value) for i, value in enumerate(values))


# Lists of modules


@fault(
    "module_list/constructor-keeps-the-order",
    "module_list/extend-at-the-end",
    "module_list/append-and-extend-return-the-list",
    "module_list/plus-makes-a-new-list",
    "module_list/plus-assignment-extends-in-place",
    "sequential/extend-at-the-end",
    "sequential/append-extend-and-insert-return-it",
)
def extend_skips_modules_that_are_there_already(patch):
    for kind in LISTS:
        extend = kind.extend

        def wrong(self, modules, extend=extend):
            return extend(self, dict.fromkeys(module for module in modules if module not in list(self)))

        patch.setattr(kind, "extend", wrong)


@fault("sequential/constructor-keeps-the-order", "sequential/forward-chains-outputs-to-inputs")
def a_sequential_takes_each_module_once(patch):
    init = Sequential.__init__

    def wrong(self, *modules):
        named = len(modules) == 1 and isinstance(modules[0], OrderedDict)
        init(self, *(modules if named else dict.fromkeys(modules)))

    patch.setattr(Sequential, "__init__", wrong)


@fault("sequential/ordered_dict-gives-the-names", "sequential/members-are-registered")
def a_sequential_numbers_modules_that_have_names(patch):
    init = Sequential.__init__

    def wrong(self, *modules):
        named = len(modules) == 1 and isinstance(modules[0], OrderedDict)
        init(self, *(modules[0].values() if named else modules))

    patch.setattr(Sequential, "__init__", wrong)


@fault("sequential/constructor-refuses-what-is-no-module")
def a_sequential_takes_a_list_or_a_dict(patch):
    init = Sequential.__init__

    def wrong(self, *modules):
        if modules and isinstance(modules[0], (list, dict)) and not isinstance(modules[0], OrderedDict):
            modules = [OrderedDict(modules[0])] if isinstance(modules[0], dict) else modules[0]
        init(self, *modules)

    patch.setattr(Sequential, "__init__", wrong)


@fault(
    "sequential/forward-chains-outputs-to-inputs",
    "sequential/computes-the-composition-of-its-members",
    "sequential/runs-in-the-order-left-by-edits",
)
def forward_runs_a_module_that_is_held_twice_once(patch):
    def wrong(self, input):
        for module in self.children():
            input = module(input)
        return input

    patch.setattr(Sequential, "forward", wrong)


@fault("sequential/runs-what-replaced-a-member")
def a_sequential_runs_what_it_was_made_with(patch):
    init = Sequential.__init__

    def wrong(self, *modules):
        init(self, *modules)
        self.made_with = list(self)

    def run(self, input):
        for module in self.made_with:
            input = module(input)
        return input

    patch.setattr(Sequential, "__init__", wrong)
    patch.setattr(Sequential, "forward", run)


@fault("sequential/empty-returns-its-input")
def an_empty_sequential_returns_a_copy(patch):
    forward = Sequential.forward
    patch.setattr(Sequential, "forward", lambda self, x: forward(self, x) if len(self) else copy.copy([x])[:1])


@fault(
    "module_list/visible-to-all-module-methods",
    "sequential/members-are-registered",
    "module_dict/visible-to-all-module-methods",
)
def containers_keep_their_modules_out_of_eval(patch):
    for kind in (ModuleList, Sequential, ModuleDict):

        def wrong(self, mode=True):
            self.training = mode
            return self

        patch.setattr(kind, "train", wrong)


@fault(
    "module_list/any-edits-leave-what-a-list-would-hold",
    "module_list/visible-to-all-module-methods",
    "module_list/deletion-renumbers",
    "module_list/slice-deletion-renumbers",
    "module_list/pop-removes-and-returns",
    "sequential/any-edits-leave-what-a-list-would-hold",
    "sequential/pop-removes-and-returns",
    "sequential/deletion-renumbers",
)
def deleting_leaves_a_gap_in_the_numbers(patch):
    def wrong(self, index):
        names = list(self._modules)[index]
        for name in names if isinstance(index, slice) else [names]:
            del self._modules[name]

    for kind in LISTS:
        patch.setattr(kind, "__delitem__", wrong)


@fault("module_list/deletion-renumbers", "module_list/pop-removes-and-returns", "sequential/deletion-renumbers")
def deleting_removes_a_module_wherever_it_is_held(patch):
    for kind in LISTS:
        delete = kind.__delitem__

        def wrong(self, index, delete=delete):
            gone = self[index]
            delete(self, index)
            if isinstance(gone, Module) and not isinstance(index, slice):
                hold(self, [module for module in self if module is not gone])

        patch.setattr(kind, "__delitem__", wrong)


@fault("module_list/index-as-a-list", "sequential/index-as-a-list", "parameter_list/index-as-a-list")
def an_index_must_be_an_int(patch):
    for kind in (*LISTS, ParameterList):
        get = kind.__getitem__

        def wrong(self, index, get=get):
            if not isinstance(index, (int, slice)):
                raise TypeError(f"{index} is no int")
            return get(self, index)

        patch.setattr(kind, "__getitem__", wrong)


@fault(
    "module_list/index-out-of-range-raises-index_error",
    "sequential/index-as-a-list",
    "parameter_list/wrong-index-raises",
)
def an_index_out_of_range_gives_the_first_item(patch):
    for kind in (*LISTS, ParameterList):
        get = kind.__getitem__

        def wrong(self, index, get=get):
            beyond = isinstance(index, int) and len(self) and not -len(self) <= index < len(self)
            return get(self, 0 if beyond else index)

        patch.setattr(kind, "__getitem__", wrong)


@fault("module_list/wrong-index-type-raises-type_error", "parameter_list/wrong-index-raises")
def a_name_is_an_index(patch):
    for kind in (ModuleList, ParameterList):
        get = kind.__getitem__

        def wrong(self, index, get=get):
            return get(self, int(index) if isinstance(index, str) and index.isdigit() else index)

        patch.setattr(kind, "__getitem__", wrong)


@fault("module_list/slice-as-a-list", "parameter_list/slice-as-a-list")
def a_slice_is_a_python_list(patch):
    for kind in (ModuleList, ParameterList):
        get = kind.__getitem__

        def wrong(self, index, get=get):
            return list(self)[index] if isinstance(index, slice) else get(self, index)

        patch.setattr(kind, "__getitem__", wrong)


@fault("module_list/slice-as-a-list", "parameter_list/slice-as-a-list", "sequential/slice-keeps-the-names")
def a_slice_ignores_its_step(patch):
    for kind in (*LISTS, ParameterList):
        get = kind.__getitem__

        def wrong(self, index, get=get):
            return get(self, slice(index.start, index.stop) if isinstance(index, slice) else index)

        patch.setattr(kind, "__getitem__", wrong)


@fault("module_list/slice-keeps-the-class", "sequential/slice-keeps-the-names")
def a_slice_of_a_subclass_is_of_the_base_class(patch):
    for kind in LISTS:
        get = kind.__getitem__

        def wrong(self, index, get=get, kind=kind):
            if not isinstance(index, slice):
                return get(self, index)
            return kind(list(self)[index]) if kind is ModuleList else kind(*list(self)[index])

        patch.setattr(kind, "__getitem__", wrong)


@fault("module_list/assignment-replaces-one-item", "module_list/any-edits-leave-what-a-list-would-hold")
def assigning_replaces_a_module_wherever_it_is_held(patch):
    def wrong(self, index, module):
        old = self[index]
        hold(self, [module if kept is old else kept for kept in self])

    patch.setattr(ModuleList, "__setitem__", wrong)


@fault("sequential/assignment-keeps-the-name")
def assigning_puts_the_name_last(patch):
    def wrong(self, index, module):
        name = list(self._modules)[index]
        del self._modules[name]
        self._modules[name] = module

    patch.setattr(Sequential, "__setitem__", wrong)


@fault("module_list/slice-assignment-as-a-list", "parameter_list/slice-assignment-as-a-list")
def assigning_to_a_slice_keeps_the_length(patch):
    for kind in (ModuleList, ParameterList):
        put = kind.__setitem__

        def wrong(self, index, values, put=put):
            if not isinstance(index, slice):
                return put(self, index, values)
            for i, value in zip(range(len(self))[index], values, strict=False):
                put(self, i, value)

        patch.setattr(kind, "__setitem__", wrong)


@fault(
    "module_list/append-at-the-end",
    "sequential/append-at-the-end",
    "sequential/any-edits-leave-what-a-list-would-hold",
    "parameter_list/append-at-the-end",
    "parameter_list/any-edits-leave-what-a-list-would-hold",
)
def append_ignores_what_is_last_already(patch):
    for kind in (*LISTS, ParameterList):
        append = kind.append

        def wrong(self, value, append=append):
            return self if len(self) and self[-1] is value else append(self, value)

        patch.setattr(kind, "append", wrong)


@fault(
    "module_list/append-and-extend-return-the-list",
    "sequential/append-extend-and-insert-return-it",
    "parameter_list/append-and-extend-return-the-list",
)
def append_returns_nothing_as_for_a_python_list(patch):
    for kind in (*LISTS, ParameterList):
        append = kind.append
        patch.setattr(kind, "append", lambda self, value, append=append: append(self, value) and None)


@fault("sequential/append-keeps-the-names")
def append_numbers_modules_that_have_names(patch):
    def wrong(self, module):
        hold(self, [*self, module])
        return self

    patch.setattr(Sequential, "append", wrong)


@fault("sequential/append-to-a-slice-loses-no-module", "sequential/extend-of-a-named-one-loses-no-module")
def the_name_of_what_is_appended_is_the_length(patch):
    def wrong(self, module):
        self.add_module(str(len(self)), module)
        return self

    patch.setattr(Sequential, "append", wrong)


@fault("module_list/extend-by-itself-doubles")
def extending_by_itself_changes_nothing(patch):
    extend = ModuleList.extend
    patch.setattr(ModuleList, "extend", lambda self, modules: self if modules is self else extend(self, modules))


@fault("module_list/extend-refuses-what-is-no-iterable", "parameter_list/extend-refuses-what-is-no-iterable")
def extend_takes_a_single_value(patch):
    for kind in (ModuleList, ParameterList):
        extend = kind.extend

        def wrong(self, values, extend=extend):
            single = isinstance(values, Tensor) or not isinstance(values, Iterable)
            return extend(self, [values] if single else values)

        patch.setattr(kind, "extend", wrong)


@fault(
    "module_list/insert-before-an-index",
    "module_list/insert-before-a-negative-index",
    "sequential/insert-at-an-index",
    "sequential/insert-counts-from-the-end-or-refuses",
    "parameter_list/insert-as-a-list",
)
def insert_puts_a_value_behind_the_index(patch):
    for kind in (*LISTS, ParameterList):
        insert = kind.insert

        def wrong(self, index, value, insert=insert):
            return insert(self, index + 1 if -len(self) <= index < len(self) else index, value)

        patch.setattr(kind, "insert", wrong)


@fault("module_list/insert-beyond-the-ends-as-a-list", "sequential/insert-counts-from-the-end-or-refuses")
def insert_beyond_an_end_does_nothing(patch):
    for kind in LISTS:
        insert = kind.insert

        def wrong(self, index, module, insert=insert):
            return insert(self, index, module) if -len(self) <= index <= len(self) else self

        patch.setattr(kind, "insert", wrong)


@fault("sequential/insert-into-a-named-one")
def insert_takes_names_for_positions(patch):
    def wrong(self, index, module):
        for i in range(len(self), index, -1):
            self._modules[str(i)] = self._modules[str(i - 1)]
        self._modules[str(index)] = module
        return self

    patch.setattr(Sequential, "insert", wrong)


@fault(
    "module_list/refuses-what-is-no-module",
    "sequential/refuses-what-is-no-module",
    "module_dict/refuses-what-is-no-module",
    "module_dict/refuses-keys-that-are-no-names",
)
def anything_can_be_added_under_any_name(patch):
    patch.setattr(ModuleList, "append", lambda self, value: self._modules.update({str(len(self)): value}) or self)
    patch.setattr(Sequential, "append", lambda self, value: self._modules.update({str(len(self)): value}) or self)
    patch.setattr(ModuleDict, "__setitem__", lambda self, key, value: self._modules.update({key: value}))


@fault(
    "module_list/pop-removes-and-returns",
    "sequential/pop-removes-and-returns",
    "sequential/runs-in-the-order-left-by-edits",
)
def pop_returns_one_module_and_removes_the_last(patch):
    def wrong(self, index):
        found = self[index]
        del self[index if isinstance(index, slice) else -1]
        return found

    for kind in LISTS:
        patch.setattr(kind, "pop", wrong)


@fault("module_list/plus-makes-a-new-list", "sequential/plus-joins-two")
def plus_extends_the_left_operand(patch):
    for kind in LISTS:
        patch.setattr(kind, "__add__", kind.__iadd__)


@fault(
    "module_list/plus-assignment-extends-in-place",
    "sequential/plus-assignment-extends-in-place",
    "parameter_list/append-and-extend-return-the-list",
)
def plus_assignment_makes_a_new_list(patch):
    for kind in (*LISTS, ParameterList):

        def wrong(self, values, kind=kind):
            values = [*self, *values]
            return kind(*values) if kind is Sequential else kind(values)

        patch.setattr(kind, "__iadd__", wrong)


@fault("sequential/plus-refuses-what-is-no-sequential")
def plus_takes_any_iterable(patch):
    patch.setattr(Sequential, "__add__", lambda self, modules: Sequential(*self, *modules))
    patch.setattr(Sequential, "__iadd__", Sequential.extend)


@fault("sequential/times-repeats-the-modules")
def times_copies_the_modules(patch):
    def wrong(self, count):
        return Sequential(*self, *(copy.deepcopy(module) for _ in range(count - 1) for module in self))

    patch.setattr(Sequential, "__mul__", wrong)
    patch.setattr(Sequential, "__rmul__", wrong)


@fault("sequential/times-refuses-other-factors")
def times_zero_is_an_empty_sequential(patch):
    for name in ("__mul__", "__rmul__", "__imul__"):
        times = getattr(Sequential, name)
        patch.setattr(Sequential, name, lambda self, n, times=times: Sequential() if n == 0 else times(self, n))


@fault("module_list/acts-as-an-iterable", "sequential/acts-as-an-iterable")
def iteration_gives_a_module_that_is_held_twice_once(patch):
    for kind in LISTS:
        patch.setattr(kind, "__iter__", lambda self: self.children())


@fault("module_list/dir-hides-positions", "sequential/acts-as-an-iterable", "parameter_list/attributes-are-no-elements")
def dir_shows_positions(patch):
    for kind in (*LISTS, ParameterList):
        show = kind.__dir__
        patch.setattr(kind, "__dir__", lambda self, show=show: [*show(self), *map(str, range(len(self)))])


# Dicts of modules


@fault("module_dict/constructor-keeps-the-order", "module_dict/update-keeps-the-order")
def update_sorts_the_keys_of_a_plain_dict(patch):
    update = ModuleDict.update

    def wrong(self, modules):
        update(self, sorted(modules.items(), key=lambda pair: pair[0]) if type(modules) is dict else modules)

    patch.setattr(ModuleDict, "update", wrong)


@fault(
    "module_dict/order-of-insertion",
    "module_dict/any-edits-leave-what-a-dict-would-hold",
    "parameter_dict/any-edits-leave-what-a-dict-would-hold",
    "parameter_dict/assignment-converts-tensors",
    "parameter_dict/any-value-can-be-replaced-by-any-other",
)
def assigning_to_a_key_moves_it_to_the_end(patch):
    for kind in (ModuleDict, ParameterDict):
        put = kind.__setitem__

        def wrong(self, key, value, put=put):
            if key in self:
                del self[key]
            put(self, key, value)

        patch.setattr(kind, "__setitem__", wrong)


@fault("module_dict/contains-its-keys", "parameter_dict/deleting-a-missing-key-raises-key_error")
def attributes_count_as_keys(patch):
    for kind in (ModuleDict, ParameterDict):
        patch.setattr(kind, "__contains__", lambda self, key: key in list(self) or hasattr(self, key))


@fault("module_dict/missing-key-raises-key_error")
def popping_a_missing_key_returns_none(patch):
    pop = ModuleDict.pop
    patch.setattr(ModuleDict, "pop", lambda self, key: pop(self, key) if key in self else None)


@fault(
    "module_dict/update-overwrites-existing-keys",
    "module_dict/update-keeps-the-order",
    "parameter_dict/update-overwrites-existing-keys",
    "parameter_dict/update-keeps-the-order",
)
def update_leaves_existing_keys_alone(patch):
    for kind in (ModuleDict, ParameterDict):
        update = kind.update

        def wrong(self, values, update=update):
            pairs = values.items() if hasattr(values, "items") else values
            new = [pair for pair in pairs if len(pair) != 2 or pair[0] not in list(self)]
            update(self, OrderedDict(new))

        patch.setattr(kind, "update", wrong)


@fault("module_dict/update-refuses-what-holds-no-pairs", "parameter_dict/update-refuses-what-holds-no-pairs")
def update_skips_what_is_no_pair(patch):
    for kind in (ModuleDict, ParameterDict):
        update = kind.update

        def wrong(self, values, update=update):
            if isinstance(values, list):
                values = [pair for pair in values if isinstance(pair, tuple) and len(pair) == 2]
            update(self, values)

        patch.setattr(kind, "update", wrong)


@fault("module_dict/keys-values-and-items-in-order", "parameter_dict/keys-values-and-items-in-order")
def values_gives_what_is_held_twice_once(patch):
    patch.setattr(ModuleDict, "values", lambda self: self.children())
    patch.setattr(ParameterDict, "values", lambda self: self.parameters())


@fault("module_dict/pop-removes-and-returns", "parameter_dict/pop-removes-and-returns")
def pop_removes_every_key_of_what_it_returns(patch):
    for kind in (ModuleDict, ParameterDict):

        def wrong(self, key):
            found = self[key]
            for other in [name for name in self if self[name] is found]:
                del self[other]
            return found

        patch.setattr(kind, "pop", wrong)


@fault("module_dict/clear-removes-all", "parameter_dict/clear-removes-all")
def clear_keeps_the_first_entry(patch):
    for kind in (ModuleDict, ParameterDict):

        def wrong(self):
            for key in list(self)[1:]:
                del self[key]

        patch.setattr(kind, "clear", wrong)


@fault("module_dict/any-key-that-a-dict-takes", "parameter_dict/any-key-that-a-dict-takes")
def keys_that_are_attributes_are_refused(patch):
    for kind in (ModuleDict, ParameterDict):
        put = kind.__setitem__

        def wrong(self, key, value, put=put):
            if key not in list(self) and hasattr(self, key):
                raise KeyError(f"attribute '{key}' already exists")
            put(self, key, value)

        patch.setattr(kind, "__setitem__", wrong)


# Lists and dicts of parameters


@fault(
    "parameter_list/constructor-keeps-the-order",
    "parameter_list/constructor-converts-tensors",
    "parameter_list/append-converts-tensors",
    "parameter_list/assignment-converts-tensors",
    "parameter_dict/constructor-holds-every-entry",
    "parameter_dict/constructor-converts-tensors",
    "parameter_dict/assignment-converts-tensors",
    "parameter_dict/update-converts-tensors",
)
def tensors_are_kept_as_they_are(patch):
    patch.setattr(containers, "as_parameter", lambda value: value)


@fault("parameter_list/converts-tensors-of-any-dtype", "parameter_dict/converts-tensors-of-any-dtype")
def tensors_without_gradients_are_kept_as_they_are(patch):
    convert = containers.as_parameter

    def wrong(value):
        return value if isinstance(value, Tensor) and not value.dtype.is_differentiable else convert(value)

    patch.setattr(containers, "as_parameter", wrong)


@fault(
    "parameter_list/constructor-converts-tensors",
    "parameter_list/parameters-are-registered",
    "parameter_list/append-at-the-end",
    "parameter_list/extend-at-the-end",
    "parameter_dict/constructor-converts-tensors",
    "parameter_dict/parameters-are-registered",
    "parameter_dict/copy-is-shallow",
)
def a_parameter_is_wrapped_in_a_new_one(patch):
    def wrong(value):
        return Parameter(value, requires_grad=value.requires_grad) if isinstance(value, Tensor) else value

    patch.setattr(containers, "as_parameter", wrong)


@fault(
    "parameter_list/other-objects-as-they-are",
    "parameter_list/any-element-can-be-replaced-by-any-value",
    "parameter_dict/other-objects-as-in-a-dict",
    "parameter_dict/any-value-can-be-replaced-by-any-other",
)
def objects_are_kept_as_text(patch):
    convert = containers.as_parameter
    patch.setattr(containers, "as_parameter", lambda value: convert(value) if isinstance(value, Tensor) else str(value))


@fault("parameter_list/deletion-and-pop-as-a-list")
def deleting_removes_the_first_element(patch):
    delete = ParameterList.__delitem__

    def wrong(self, index):
        delete(self, index if isinstance(index, slice) else 0)

    patch.setattr(ParameterList, "__delitem__", wrong)


@fault("parameter_list/plus-and-times-as-a-list")
def plus_and_times_change_the_list_itself(patch):
    patch.setattr(ParameterList, "__add__", ParameterList.__iadd__)
    patch.setattr(ParameterList, "__mul__", ParameterList.__imul__)


@fault("parameter_list/clear-and-reverse-as-a-list")
def a_copy_is_the_list_itself(patch):
    patch.setattr(ParameterList, "copy", lambda self: self)


@fault(
    "parameter_list/any-element-can-be-replaced-by-any-value",
    "parameter_dict/any-value-can-be-replaced-by-any-other",
)
def a_parameter_is_replaced_by_parameters_only(patch):
    for kind in (ParameterList, ParameterDict):
        put = kind.__setitem__

        def wrong(self, key, value, put=put):
            if not isinstance(value, Tensor) and isinstance(dict(self.named_parameters()).get(str(key)), Parameter):
                raise TypeError(f"cannot assign to parameter {key}")
            put(self, key, value)

        patch.setattr(kind, "__setitem__", wrong)


@fault("parameter_list/documented-argument-name", "parameter_dict/documented-argument-name")
def the_argument_is_called_otherwise(patch):
    for kind in (ParameterList, ParameterDict):
        init = kind.__init__
        patch.setattr(kind, "__init__", lambda self, content=None, init=init: init(self, content))


@fault("parameter_list/acts-as-an-iterable", "parameter_list/other-objects-as-they-are")
def iteration_gives_tensors_only(patch):
    iterate = ParameterList.__iter__
    patch.setattr(ParameterList, "__iter__", lambda self: (v for v in iterate(self) if isinstance(v, Tensor)))


@fault("parameter_list/cannot-be-called")
def calling_a_parameter_list_returns_its_input(patch):
    patch.setattr(ParameterList, "__call__", lambda self, x: x)


@fault("parameter_dict/missing-key-raises-key_error", "parameter_dict/get-returns-value-or-default")
def a_missing_key_gives_the_attribute_of_that_name(patch):
    get = ParameterDict.__getitem__

    def wrong(self, key):
        return get(self, key) if key in list(self) else getattr(self, key)

    patch.setattr(ParameterDict, "__getitem__", wrong)
    patch.setattr(ParameterDict, "get", lambda self, key, default=None: getattr(self, key, default))


@fault("parameter_dict/deleting-a-missing-key-raises-key_error")
def deleting_a_missing_key_does_nothing(patch):
    delete = ParameterDict.__delitem__
    patch.setattr(ParameterDict, "__delitem__", lambda self, key: delete(self, key) if key in self else None)


@fault("parameter_dict/refused-assignment-leaves-it-unchanged")
def a_refused_key_is_left_behind(patch):
    put = ParameterDict.__setitem__

    def wrong(self, key, value):
        if key not in self:
            self._others[key] = None
        put(self, key, value)

    patch.setattr(ParameterDict, "__setitem__", wrong)


@fault("parameter_dict/keys-must-be-strings")
def keys_are_turned_into_strings(patch):
    put = ParameterDict.__setitem__
    patch.setattr(ParameterDict, "__setitem__", lambda self, key, value: put(self, str(key).replace(".", "_"), value))


@fault("parameter_dict/constructor-holds-every-entry", "parameter_dict/update-keeps-the-order")
def update_sorts_the_keys_of_any_mapping(patch):
    update = ParameterDict.update

    def wrong(self, values):
        mapping = isinstance(values, (dict, ParameterDict))
        update(self, sorted(values.items(), key=lambda pair: pair[0]) if mapping else values)

    patch.setattr(ParameterDict, "update", wrong)


@fault("parameter_dict/popitem-takes-the-last")
def popitem_takes_the_first(patch):
    def wrong(self):
        key = next(iter(self))
        return key, self.pop(key)

    patch.setattr(ParameterDict, "popitem", wrong)


@fault("parameter_dict/get-returns-value-or-default", "parameter_dict/setdefault-returns-or-inserts")
def defaults_are_inserted_by_get_and_not_by_setdefault(patch):
    setdefault = ParameterDict.setdefault
    patch.setattr(ParameterDict, "get", setdefault)
    patch.setattr(
        ParameterDict,
        "setdefault",
        lambda self, key, default=None: self[key] if key in self else containers.as_parameter(default),
    )


@fault("parameter_dict/copy-is-shallow")
def a_copy_has_copies_of_the_values(patch):
    patch.setattr(ParameterDict, "copy", copy.deepcopy)


@fault("parameter_dict/fromkeys-makes-a-new-dict")
def fromkeys_puts_its_keys_into_the_dict_itself(patch):
    def wrong(self, keys, default=None):
        self.update([(key, default) for key in keys])
        return self

    patch.setattr(ParameterDict, "fromkeys", wrong)


@fault("parameter_dict/ordered-both-ways")
def reversed_gives_the_keys_sorted(patch):
    patch.setattr(ParameterDict, "__reversed__", lambda self: iter(sorted(self, reverse=True)))


@fault("parameter_dict/or-merges")
def the_left_operand_of_or_wins(patch):
    merge = ParameterDict.__or__
    patch.setattr(ParameterDict, "__or__", lambda self, other: merge(other, self))


@fault("parameter_list/plus-and-times-as-a-list")
def times_assignment_leaves_the_parameter_list_as_it_is(patch):
    patch.setattr(ParameterList, "__imul__", lambda self, count: self)
