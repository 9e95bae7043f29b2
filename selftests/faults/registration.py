"""Wrong ways to register, replace, delete and list members, and wrong parameters and buffers."""

from __future__ import annotations

import functools

from conformance import reference
from conformance.reference.autograd import grad_enabled
from conformance.reference.optim import Optimizer
from conformance.reference.registry import REGISTRIES, Registry
from selftests.faults import fault

Module, Tensor, Parameter, Buffer = reference.Module, reference.Tensor, reference.Parameter, reference.Buffer


def instead(patch, owner, method, wrong):
    """Call ``wrong(original, self, ...)`` instead of the method."""
    original = getattr(owner, method)

    @functools.wraps(original)  # the signature says what the implementation is capable of
    def replacement(self, *args, **kwargs):
        return wrong(original, self, *args, **kwargs)

    patch.setattr(owner, method, replacement)


def new_parameter(patch, make):
    """Call ``make(original, data, requires_grad)`` to make a Parameter."""
    original = Parameter.__new__

    def wrong(cls, data=None, requires_grad=True):
        return make(lambda data, requires_grad: original(cls, data, requires_grad), data, requires_grad)

    patch.setattr(Parameter, "__new__", staticmethod(wrong))


@fault(
    "registration/parameter-by-assignment",
    "registration/parameter-takes-over-the-name",
    "registration/parameter-requires-grad-by-default",
)
def parameters_that_need_no_gradient_are_plain_attributes(patch):
    def wrong(original, self, name, value):
        frozen = isinstance(value, Parameter) and not value.requires_grad
        return None if frozen else original(self, name, value)

    instead(patch, Registry, "_kind_to_assign", wrong)


@fault("registration/parameter-takes-over-the-name", "registration/module-takes-over-the-name")
def a_name_stays_in_its_old_registry(patch):
    def wrong(self, name, except_kind=None):
        vars(self).pop(name, None)

    patch.setattr(Registry, "_forget", wrong)


@fault("registration/module-by-assignment", "registration/module-takes-over-the-name")
def modules_without_parameters_are_plain_attributes(patch):
    def wrong(original, self, name, value):
        empty = isinstance(value, Registry) and not list(value.parameters())
        return None if empty else original(self, name, value)

    instead(patch, Registry, "_kind_to_assign", wrong)


@fault("registration/plain-tensor-is-not-registered")
def every_assigned_tensor_becomes_a_buffer(patch):
    def wrong(original, self, name, value):
        kind = original(self, name, value)
        return "buffer" if kind is None and isinstance(value, Tensor) else kind

    instead(patch, Registry, "_kind_to_assign", wrong)


@fault("registration/temporaries-are-not-registered")
def computing_with_a_parameter_gives_a_parameter(patch):
    instead(patch, Parameter, "__add__", lambda original, self, other: Parameter(original(self, other).detach()))


@fault("registration/other-values-are-plain-attributes")
def assigning_none_over_a_plain_attribute_does_nothing(patch):
    def wrong(original, self, name, value):
        if value is not None or name not in vars(self):
            original(self, name, value)

    instead(patch, Registry, "__setattr__", wrong)


@fault("registration/python-containers-hide-their-items", "registration/optimizer-says-empty-parameter-list")
def items_of_a_list_are_registered(patch):
    def wrong(original, self, name, value):
        for i, item in enumerate(value if isinstance(value, list) else ()):
            if isinstance(item, (Parameter, Registry)):
                original(self, f"{name}_{i}", item)
        original(self, name, value)

    instead(patch, Registry, "__setattr__", wrong)


@fault("registration/python-containers-hide-their-items")
def the_values_of_a_dict_are_registered(patch):
    def wrong(original, self, name, value):
        for key, item in value.items() if isinstance(value, dict) else ():
            if isinstance(item, (Parameter, Registry)):
                original(self, f"{name}_{key}", item)
        original(self, name, value)

    instead(patch, Registry, "__setattr__", wrong)


@fault("registration/optimizer-says-empty-parameter-list")
def an_optimizer_takes_an_empty_list(patch):
    def wrong(original, self, params, defaults):
        original(self, list(params) or [{"params": []}], defaults)

    instead(patch, Optimizer, "__init__", wrong)


@fault("registration/buffer-by-assignment", "registration/buffer-persistent-argument")
def an_assigned_buffer_is_a_plain_attribute(patch):
    def wrong(original, self, name, value):
        kind = original(self, name, value)
        return None if isinstance(value, Buffer) and name not in self._buffers else kind

    instead(patch, Registry, "_kind_to_assign", wrong)


@fault(
    "registration/buffer-persistent-argument",
    "registration/copied-buffer-stays-a-buffer",
    "registration/register_buffer-overridden-without-persistent",
)
def every_assigned_buffer_is_persistent(patch):
    patch.setattr(Registry, "_assign_buffer", lambda self, name, buffer: self.register_buffer(name, buffer))


@fault("registration/register_buffer-overridden-without-persistent")
def assignment_passes_by_an_overridden_register_buffer(patch):
    def wrong(self, name, buffer):
        if not buffer.persistent and type(self).register_buffer is not Registry.register_buffer:
            raise RuntimeError("Registering a non-persistent buffer is not allowed.")
        Registry.register_buffer(self, name, buffer, buffer.persistent)

    patch.setattr(Registry, "_assign_buffer", wrong)


@fault("registration/assigned-tensor-updates-the-buffer")
def a_tensor_assigned_to_a_buffer_makes_it_persistent(patch):
    def wrong(original, self, kind, name, value):
        original(self, kind, name, value)
        if kind == "buffer" and not isinstance(value, Buffer):
            self._mark_persistent(name, True)

    instead(patch, Registry, "_assign", wrong)


@fault("registration/buffer-over-a-plain-attribute")
def a_buffer_over_a_plain_attribute_is_refused(patch):
    def wrong(original, self, name, value):
        if isinstance(value, Buffer) and name in vars(self):
            raise KeyError(f"attribute '{name}' already exists")
        original(self, name, value)

    instead(patch, Registry, "__setattr__", wrong)


@fault("registration/parameter-over-a-class-attribute", "registration/module-over-a-class-attribute")
def a_class_attribute_hides_the_member_of_its_name(patch):
    patch.setattr(Registry, "__getattribute__", object.__getattribute__)


@fault("registration/reserved-parameter-takes-parameters-only")
def a_name_reserved_for_a_parameter_takes_anything(patch):
    def wrong(original, self, name, value):
        if name in self._parameters and self._parameters[name] is None and value is not None:
            self._forget(name)
        original(self, name, value)

    instead(patch, Module, "__setattr__", wrong)


@fault("registration/reserved-buffer-takes-no-parameter-or-module")
def a_name_reserved_for_a_buffer_takes_parameters_and_modules(patch):
    def wrong(original, self, name, value):
        if isinstance(value, (Parameter, Registry)):
            return "parameter" if isinstance(value, Parameter) else "module"
        return original(self, name, value)

    instead(patch, Registry, "_kind_to_assign", wrong)


@fault("registration/reserved-buffer-takes-tensors", "registration/buffer-name-refuses-non-tensors")
def a_buffers_name_takes_any_value(patch):
    def wrong(original, self, name, value):
        if self._slot(name) == "buffer" and not isinstance(value, (Tensor, Registry)):
            return "buffer"
        return original(self, name, value)

    instead(patch, Registry, "_kind_to_assign", wrong)


@fault("registration/parameter-name-refuses-other-values", "registration/reserved-parameter-takes-parameters-only")
def a_tensor_assigned_to_a_parameters_name_is_made_a_parameter(patch):
    def wrong(original, self, name, value):
        plain = isinstance(value, Tensor) and not isinstance(value, Parameter)
        if plain and self._slot(name) == "parameter":
            value = Parameter(value, requires_grad=False)
        original(self, name, value)

    instead(patch, Registry, "__setattr__", wrong)


@fault("registration/child-name-refuses-other-values")
def a_tensor_replaces_a_child(patch):
    def wrong(original, self, name, value):
        if isinstance(value, Tensor) and self._slot(name) == "module":
            self._forget(name)
        original(self, name, value)

    instead(patch, Registry, "__setattr__", wrong)


@fault("state_dict/none-entries-absent")
def the_state_dict_lists_what_is_none(patch):
    def wrong(original, self, destination, prefix, keep_vars):
        original(self, destination, prefix, keep_vars)
        destination.update({prefix + name: None for name, tensor in self._own_state().items() if tensor is None})

    instead(patch, Module, "_save_to_state_dict", wrong)


@fault("registration/child-none-is-an-empty-place", "registration/child-name-refuses-other-values")
def add_module_ignores_none(patch):
    def wrong(original, self, name, module):
        if module is not None:
            original(self, name, module)

    instead(patch, Registry, "add_module", wrong)


@fault("registration/none-keeps-the-place")
def assigning_none_gives_the_place_away(patch):
    def wrong(original, self, name, value):
        if value is None and self._slot(name) == "module":
            self._forget(name)
        original(self, name, value)

    instead(patch, Registry, "__setattr__", wrong)


@fault(
    "registration/order-is-that-of-a-dict",
    "registration/none-keeps-the-place",
    "registration/registering-again-replaces",
    "registration/assigned-tensor-updates-the-buffer",
)
def replacing_moves_to_the_end(patch):
    def wrong(original, self, kind, name, member):
        getattr(self, REGISTRIES[kind]).pop(name, None)
        original(self, kind, name, member)

    instead(patch, Registry, "_store", wrong)


@fault("registration/one-object-under-two-names")
def an_object_has_one_name_only(patch):
    def wrong(original, self, kind, name, member):
        registry = getattr(self, REGISTRIES[kind])
        for other in [other for other, known in registry.items() if known is member and member is not None]:
            del registry[other]
        original(self, kind, name, member)

    instead(patch, Registry, "_store", wrong)


@fault("registration/register_parameter-adds-an-attribute", "registration/parameter-by-assignment")
def register_parameter_keeps_a_copy(patch):
    def wrong(original, self, name, param):
        original(self, name, None if param is None else Parameter(param.detach(), param.requires_grad))

    instead(patch, Registry, "register_parameter", wrong)


@fault("registration/register_buffer-adds-an-attribute")
def buffers_are_not_persistent_by_default(patch):
    def wrong(original, self, name, tensor, persistent=False):
        original(self, name, tensor, persistent)

    instead(patch, Registry, "register_buffer", wrong)


@fault("state_dict/non_persistent-buffers-absent")
def buffers_that_are_not_persistent_are_not_listed(patch):
    def wrong(original, self, prefix="", recurse=True, remove_duplicate=True):
        for name, buffer in original(self, prefix, recurse, remove_duplicate):
            if name not in self._non_persistent_buffers_set:
                yield name, buffer

    instead(patch, Registry, "named_buffers", wrong)


@fault("registration/add_module-adds-an-attribute")
def add_module_makes_the_name_an_identifier(patch):
    def wrong(original, self, name, module):
        original(self, name.replace("-", "_") if isinstance(name, str) else name, module)

    instead(patch, Registry, "add_module", wrong)


@fault("registration/register_module-is-add_module")
def register_module_keeps_the_module_that_is_there(patch):
    def wrong(original, self, name, module):
        if name not in self._modules:
            original(self, name, module)

    instead(patch, Registry, "register_module", wrong)


@fault("registration/registering-again-replaces")
def registering_a_second_time_is_refused(patch):
    def wrong(original, self, kind, name):
        if getattr(self, REGISTRIES[kind]).get(name) is not None or name in self._modules:
            raise KeyError(f"attribute '{name}' already exists")
        original(self, kind, name)

    instead(patch, Registry, "_check_free", wrong)


class Clinging(set):
    """A set that does not let go."""

    def discard(self, item):
        pass


@fault(
    "registration/registering-a-buffer-again-sets-persistence",
    "registration/deleted-buffer-leaves-no-persistence-behind",
)
def a_name_once_not_persistent_never_is_again(patch):
    original = Module._initial_state
    clinging = staticmethod(lambda: {**original(), "_non_persistent_buffers_set": Clinging()})
    patch.setattr(Module, "_initial_state", clinging)


@fault("registration/name-must-be-a-string")
def a_name_that_is_no_string_is_made_one(patch):
    def wrong(original, self, name, *args, **kwargs):
        original(self, name if isinstance(name, str) else str(name).replace(".", ""), *args, **kwargs)

    for method in ("register_parameter", "register_buffer", "add_module"):
        instead(patch, Registry, method, wrong)


@fault("registration/empty-and-dotted-names-are-refused", "registration/assigned-parameter-names-are-checked")
def parameters_take_any_name(patch):
    def wrong(original, self, kind, name):
        if kind != "parameter" or not isinstance(name, str):
            original(self, kind, name)

    instead(patch, Registry, "_check_name", wrong)


@fault("registration/empty-and-dotted-names-are-refused", "registration/assigned-buffer-names-are-checked")
def a_buffers_name_may_end_with_a_dot(patch):
    def wrong(original, self, kind, name):
        original(self, kind, name[:-1] if kind == "buffer" and isinstance(name, str) and len(name) > 1 else name)

    instead(patch, Registry, "_check_name", wrong)


@fault("registration/every-child-name-is-a-path")
def an_assigned_module_may_have_a_dot_in_its_name(patch):
    def wrong(original, self, kind, name):
        if kind != "module":
            original(self, kind, name)

    instead(patch, Registry, "_check_name", wrong)


@fault("registration/attribute-names-are-refused")
def a_member_may_have_the_name_of_a_method(patch):
    def wrong(original, self, kind, name):
        if not callable(getattr(type(self), name, None)):
            original(self, kind, name)

    instead(patch, Registry, "_check_free", wrong)


@fault("registration/names-of-another-kind-are-refused")
def a_name_that_holds_none_is_free_for_any_kind(patch):
    def wrong(original, self, kind, name):
        if getattr(self, name, None) is not None:
            original(self, kind, name)

    instead(patch, Registry, "_check_free", wrong)


@fault("registration/values-of-another-type-are-refused")
def register_buffer_makes_a_tensor_of_a_number(patch):
    def wrong(original, self, name, tensor, persistent=True):
        original(self, name, Tensor(tensor) if isinstance(tensor, int) else tensor, persistent)

    instead(patch, Registry, "register_buffer", wrong)


@fault("registration/absent-attribute-raises")
def attributes_are_looked_up_in_the_children_too(patch):
    def wrong(original, self, name):
        for child in vars(self).get("_modules", {}).values():
            if child is not None and hasattr(child, name):
                return getattr(child, name)
        return original(self, name)

    instead(patch, Registry, "__getattr__", wrong)


@fault("registration/deletion-removes-the-name", "registration/deleted-names-are-free")
def deleting_a_child_leaves_its_place(patch):
    def wrong(original, self, name):
        if self._slot(name) == "module":
            self._modules[name] = None
        else:
            original(self, name)

    instead(patch, Registry, "__delattr__", wrong)


@fault("registration/dir-lists-members")
def dir_forgets_the_buffers(patch):
    def wrong(original, self):
        return [name for name in original(self) if name not in self._buffers]

    instead(patch, Registry, "__dir__", wrong)


@fault("registration/parameter-is-a-tensor")
def parameters_are_always_float32(patch):
    new_parameter(patch, lambda make, data, grad: make(data.float() if data is not None else None, grad))


@fault("registration/parameter-shares-memory-with-its-data")
def a_parameter_copies_its_data(patch):
    new_parameter(patch, lambda make, data, grad: make(None if data is None else data.detach().clone(), grad))


@fault("registration/parameter-requires-grad-under-no_grad")
def a_parameter_made_under_no_grad_needs_no_gradient(patch):
    new_parameter(patch, lambda make, data, grad: make(data, grad and grad_enabled()))


@fault("registration/parameter-without-data-is-empty")
def a_parameter_without_data_is_a_zero(patch):
    new_parameter(patch, lambda make, data, grad: make(Tensor([0.0]) if data is None else data, grad))


@fault("registration/integer-parameter-cannot-require-grad")
def a_parameter_of_integers_quietly_needs_no_gradient(patch):
    new_parameter(patch, lambda make, data, grad: make(data, grad and data.dtype.is_differentiable))


@fault("registration/parameter-repr-says-so")
def the_text_of_a_parameter_is_on_one_line(patch):
    patch.setattr(Parameter, "__repr__", lambda self: f"Parameter containing: {Tensor.__repr__(self)}")


@fault("registration/copied-parameter-is-independent")
def a_deep_copy_of_a_parameter_shares_its_memory(patch):
    def wrong(self, memo):
        return memo.setdefault(id(self), Parameter(self.detach(), self.requires_grad))

    patch.setattr(Parameter, "__deepcopy__", wrong, raising=False)


@fault("registration/copied-parameter-keeps-attributes", "registration/copied-parameter-keeps-its-gradient")
def a_deep_copy_of_a_parameter_has_its_values_only(patch):
    def wrong(self, memo):
        return memo.setdefault(id(self), Parameter(self.detach().clone(), self.requires_grad))

    patch.setattr(Parameter, "__deepcopy__", wrong, raising=False)


@fault("registration/pickled-parameter-keeps-attributes")
def a_pickled_parameter_has_its_values_only(patch):
    patch.setattr(Parameter, "__reduce_ex__", lambda self, protocol: (Parameter, (self.detach(), self.requires_grad)))


@fault("registration/buffer-is-a-tensor")
def buffers_are_always_floating_point(patch):
    original = Buffer.__new__

    def wrong(cls, data=None, *, persistent=True):
        return original(cls, data if data is None else data.float(), persistent=persistent)

    patch.setattr(Buffer, "__new__", staticmethod(wrong))


@fault("registration/copied-buffer-stays-a-buffer")
def a_deep_copy_of_a_buffer_is_a_plain_tensor(patch):
    patch.setattr(Buffer, "__deepcopy__", lambda self, memo: self.detach().clone(), raising=False)


@fault("registration/converted-buffer-stays-a-buffer")
def conversion_makes_plain_tensors_of_buffers(patch):
    patch.setattr(Module, "_converted_buffer", lambda self, buffer, convert: convert(buffer))
