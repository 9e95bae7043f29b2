"""Wrong ways to walk a tree of modules."""

from __future__ import annotations

from conformance.reference import Module, ModuleDict, ModuleList, Sequential
from conformance.reference.registry import join
from conformance.reference.state import IncompatibleKeys
from selftests.faults import fault

CONTAINERS = (ModuleDict, ModuleList, Sequential)
named_modules = Module.named_modules
named_parameters = Module.named_parameters
named_buffers = Module.named_buffers
set_submodule = Module.set_submodule


@fault(
    "traversal/named_parameters-own-then-children",
    "traversal/parameters-are-those-of-named_parameters",
    "traversal/named_buffers-own-then-children",
    "traversal/named_modules-self-first-depth-first",
    "traversal/modules-each-once",
)
def traversal_is_breadth_first(patch):
    def wrong(self, memo=None, prefix="", remove_duplicate=True):
        found = list(named_modules(self, memo, prefix, remove_duplicate))
        return iter(sorted(found, key=lambda pair: pair[0].count("."), reverse=True))

    patch.setattr(Module, "named_modules", wrong)


@fault("traversal/empty-containers-are-visited")
def traversal_passes_over_containers_that_are_empty(patch):
    def wrong(self, memo=None, prefix="", remove_duplicate=True):
        found = named_modules(self, memo, prefix, remove_duplicate)
        return (
            (name, module)
            for name, module in found
            if module is self or not isinstance(module, CONTAINERS) or len(module)
        )

    patch.setattr(Module, "named_modules", wrong)


@fault("traversal/parameters-are-those-of-named_parameters")
def parameters_come_in_reverse(patch):
    patch.setattr(
        Module,
        "parameters",
        lambda self, recurse=True: reversed([p for _, p in self.named_parameters(recurse=recurse)]),
    )


@fault(
    "traversal/own-parameters-only-without-recurse",
    "traversal/named_buffers-prefix-and-recurse",
    "article/own-parameters-empty-all-parameters-recursive",
)
def recurse_false_is_ignored(patch):
    patch.setattr(
        Module,
        "_named_members",
        lambda self, kind, prefix, recurse, remove_duplicate, members=Module._named_members: members(
            self, kind, prefix, True, remove_duplicate
        ),
    )


@fault("traversal/named_parameters-prefix", "traversal/named_buffers-prefix-and-recurse")
def the_prefix_is_joined_without_a_dot(patch):
    def wrong(self, kind, prefix, recurse, remove_duplicate, members=Module._named_members):
        return ((prefix + name, member) for name, member in members(self, kind, "", recurse, remove_duplicate))

    patch.setattr(Module, "_named_members", wrong)


@fault("traversal/named_parameters-own-then-children")
def a_shared_parameter_keeps_its_last_name(patch):
    def wrong(self, prefix="", recurse=True, remove_duplicate=True):
        last = {id(p): (name, p) for name, p in named_parameters(self, prefix, recurse, False)}
        every = named_parameters(self, prefix, recurse, remove_duplicate)
        return (last[id(p)] if remove_duplicate else (name, p) for name, p in every)

    patch.setattr(Module, "named_parameters", wrong)


@fault(
    "traversal/named_parameters-every-name-with-duplicates",
    "traversal/named_buffers-every-name-with-duplicates",
)
def duplicates_are_always_removed_from_members(patch):
    patch.setattr(
        Module,
        "_named_members",
        lambda self, kind, prefix, recurse, remove_duplicate, members=Module._named_members: members(
            self, kind, prefix, recurse, True
        ),
    )


@fault("traversal/parameter-and-buffer-by-path")
def get_parameter_knows_first_names_only(patch):
    def get_parameter(self, target):
        known = dict(named_parameters(self))
        if target not in known:
            raise AttributeError(target)
        return known[target]

    patch.setattr(Module, "get_parameter", get_parameter)


@fault("traversal/named_buffers-own-then-children")
def non_persistent_buffers_are_left_out(patch):
    def wrong(self, prefix="", recurse=True, remove_duplicate=True):
        hidden = {id(m._buffers[name]) for m in self.modules() for name in m._non_persistent_buffers_set}
        return ((n, b) for n, b in named_buffers(self, prefix, recurse, remove_duplicate) if id(b) not in hidden)

    patch.setattr(Module, "named_buffers", wrong)


@fault("traversal/named_children-immediate-in-order", "traversal/apply-children-first")
def a_child_under_two_names_counts_twice(patch):
    def named_children(self):
        return ((name, child) for name, child in self._modules.items() if child is not None)

    patch.setattr(Module, "named_children", named_children)


@fault(
    "traversal/named_modules-every-path-with-duplicates",
    "traversal/modules-every-path-with-duplicates",
)
def shared_modules_are_always_removed(patch):
    patch.setattr(
        Module,
        "named_modules",
        lambda self, memo=None, prefix="", remove_duplicate=True: named_modules(self, memo, prefix),
    )


@fault("traversal/named_modules-self-first-depth-first")
def the_module_itself_has_no_prefix(patch):
    def wrong(self, memo=None, prefix="", remove_duplicate=True):
        for i, (name, module) in enumerate(list(named_modules(self, memo, prefix, remove_duplicate))):
            yield ("" if i == 0 else name), module

    patch.setattr(Module, "named_modules", wrong)


@fault("traversal/named_modules-skips-what-memo-holds")
def the_memo_is_not_extended(patch):
    def wrong(self, memo=None, prefix="", remove_duplicate=True):
        return named_modules(self, set(memo or ()), prefix, remove_duplicate)

    patch.setattr(Module, "named_modules", wrong)


@fault("traversal/modules-each-once")
def modules_yields_a_shared_module_again(patch):
    patch.setattr(
        Module,
        "modules",
        lambda self, remove_duplicate=True: (m for _, m in named_modules(self, remove_duplicate=False)),
    )


@fault("traversal/lazy-iterators")
def children_returns_a_list(patch):
    patch.setattr(Module, "children", lambda self: [child for _, child in self.named_children()])


@fault("traversal/apply-children-first")
def apply_visits_the_module_before_its_children(patch):
    def apply(self, fn):
        fn(self)
        for child in self.children():
            child.apply(fn)
        return self

    patch.setattr(Module, "apply", apply)


@fault("traversal/submodule-by-path")
def get_submodule_knows_first_names_only(patch):
    def get_submodule(self, target):
        known = dict(named_modules(self))
        if target not in known:
            raise AttributeError(target)
        return known[target]

    patch.setattr(Module, "get_submodule", get_submodule)


@fault("traversal/wrong-path-raises-attribute_error")
def get_buffer_returns_parameters_too(patch):
    def get_buffer(self, target):
        path, _, name = target.rpartition(".")
        return self.get_submodule(path)._member_at(name)

    patch.setattr(Module, "get_buffer", get_buffer)


@fault("traversal/set_submodule-replaces-by-path")
def set_submodule_does_nothing(patch):
    patch.setattr(Module, "set_submodule", lambda self, target, module, strict=False: None)


@fault("traversal/set_submodule-replaces-by-path")
def set_submodule_forgets_the_path_to_the_parent(patch):
    def wrong(self, target, module, strict=False):
        setattr(self, target.rpartition(".")[2], module)

    patch.setattr(Module, "set_submodule", wrong)


@fault("traversal/set_submodule-refuses-wrong-targets")
def set_submodule_passes_over_parents_that_are_not_there(patch):
    def wrong(self, target, module, strict=False):
        try:
            set_submodule(self, target, module, strict)
        except AttributeError:
            pass

    patch.setattr(Module, "set_submodule", wrong)


@fault("traversal/set_submodule-strict-adds-nothing")
def set_submodule_is_never_strict(patch):
    patch.setattr(
        Module, "set_submodule", lambda self, target, module, strict=False: set_submodule(self, target, module)
    )


@fault("lifecycle/every-sequence-of-edits-keeps-the-contract")
def a_deleted_child_leaves_its_parameters_behind(patch):
    def wrong(self, kind, prefix, recurse, remove_duplicate):
        if remove_duplicate and recurse and "_lost" in vars(self):
            yield from self._lost
        yield from members(self, kind, prefix, recurse, remove_duplicate)

    def forget(self, name, except_kind=None):
        child = self._modules.get(name)
        if child is not None:
            vars(self)["_lost"] = [(join(name, own), p) for own, p in child._parameters.items() if p is not None]
        return forgotten(self, name, except_kind)

    members, forgotten = Module._named_members, Module._forget
    patch.setattr(Module, "_named_members", wrong)
    patch.setattr(Module, "_forget", forget)


@fault("lifecycle/every-sequence-of-edits-keeps-the-contract")
def a_deep_copy_unties_what_was_shared(patch):
    import copy

    def deepcopy(self, memo):
        new = object.__new__(type(self))
        vars(new).update({name: copy.deepcopy(value, {}) for name, value in vars(self).items()})
        new._modules.update({name: copy.deepcopy(child, {}) for name, child in self._modules.items()})
        return new

    patch.setattr(Module, "__deepcopy__", deepcopy, raising=False)


@fault("lifecycle/every-sequence-of-edits-keeps-the-contract")
def loading_does_nothing(patch):
    patch.setattr(Module, "load_state_dict", lambda self, *arguments, **options: IncompatibleKeys([], []))


@fault("traversal/set_submodule-replaces-by-path")
def set_submodule_puts_the_new_module_last(patch):
    def wrong(self, target, module, strict=False):
        set_submodule(self, target, module, strict)
        path, _, name = target.rpartition(".")
        parent = self.get_submodule(path)
        delattr(parent, name)
        parent.add_module(name, module)

    patch.setattr(Module, "set_submodule", wrong)


@fault("traversal/named_modules-skips-what-memo-holds")
def memo_does_not_stop_the_module_that_is_asked(patch):
    def wrong(self, memo=None, prefix="", remove_duplicate=True):
        if memo and self in memo and not prefix:
            return iter([(prefix, self)])
        return named_modules(self, memo, prefix, remove_duplicate)

    patch.setattr(Module, "named_modules", wrong)


@fault("traversal/lazy-iterators")
def every_second_call_lists_the_children_backwards(patch):
    calls = []

    def wrong(self):
        calls.append(self)
        return iter(list(named_children(self))[:: 1 if len(calls) % 2 else -1])

    named_children = Module.named_children
    patch.setattr(Module, "named_children", wrong)
