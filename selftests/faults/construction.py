"""Wrong ways to construct modules."""

from __future__ import annotations

import functools

from conformance import reference
from conformance.reference.registry import REGISTRIES, Registry
from selftests.faults import fault

Module = reference.Module


def after(patch, owner, method, act):
    """Let ``act`` see the object, and the arguments, after each call of the method."""
    original = getattr(owner, method)

    @functools.wraps(original)
    def wrong(self, *args, **kwargs):
        result = original(self, *args, **kwargs)
        act(self, *args, **kwargs)
        return result

    patch.setattr(owner, method, wrong)


@fault(
    "construction/assignment-before-init-raises",
    "construction/buffer-before-init-raises",
    "construction/message-says-before-init",
)
def early_assignments_are_silently_plain_attributes(patch):
    original = Registry.__setattr__

    def wrong(self, name, value):
        (original if "_parameters" in vars(self) else object.__setattr__)(self, name, value)

    patch.setattr(Registry, "__setattr__", wrong)


@fault("construction/message-says-before-init")
def the_message_does_not_say_what_was_assigned(patch):
    def wrong(self, kind, label):
        if REGISTRIES[kind] not in vars(self):
            raise AttributeError("cannot assign before Module.__init__() call")

    patch.setattr(Registry, "_check_initialised", wrong)


@fault("construction/register-before-init-raises")
def registering_early_goes_into_a_registry_that_init_throws_away(patch):
    def wrong(self, kind, label):
        for where in REGISTRIES.values():
            vars(self).setdefault(where, {})
        vars(self).setdefault("_non_persistent_buffers_set", set())

    patch.setattr(Registry, "_check_initialised", wrong)


@fault("construction/plain-values-before-init-survive")
def init_clears_what_was_assigned_before(patch):
    original = Module.__init__

    def wrong(self, *args, **kwargs):
        vars(self).clear()
        original(self, *args, **kwargs)

    patch.setattr(Module, "__init__", wrong)


@fault("construction/subclass-without-init-works")
def a_class_without_its_own_init_registers_no_buffers(patch):
    original = Registry.register_buffer

    def wrong(self, name, tensor, persistent=True):
        if type(self) is Module or "__init__" in vars(type(self)):
            original(self, name, tensor, persistent)
        else:
            object.__setattr__(self, name, tensor)

    patch.setattr(Registry, "register_buffer", wrong)


@fault("construction/members-after-super-init-are-registered", "registration/order-is-that-of-a-dict")
def the_newest_member_comes_first(patch):
    def wrong(self, kind, name, member):
        registry = getattr(self, REGISTRIES[kind])
        others = {other: value for other, value in registry.items() if other != name}
        registry.clear()
        registry.update({name: member, **others})

    patch.setattr(Registry, "_store", wrong)


@fault("construction/new-module-is-empty")
def a_new_module_holds_a_buffer_with_its_version(patch):
    original = Module._initial_state
    version = {"_version_buffer": reference.Tensor([1.0])}
    patch.setattr(Module, "_initial_state", staticmethod(lambda: {**original(), "_buffers": dict(version)}))


@fault("construction/new-modules-do-not-share-members")
def modules_of_one_class_share_their_buffers(patch):
    shared = {}
    after(patch, Module, "__init__", lambda self: vars(self).update(_buffers=shared.setdefault(type(self), {})))


@fault("construction/new-modules-are-in-training-mode")
def a_new_dropout_is_in_evaluation_mode(patch):
    after(patch, reference.Dropout, "__init__", lambda self, p: setattr(self, "training", False))


@fault("construction/init-takes-no-arguments")
def init_ignores_arguments(patch):
    patch.setattr(Module, "_refuse_arguments", lambda self, args, kwargs: None)


@fault("construction/call_super_init-passes-arguments-on")
def call_super_init_drops_keyword_arguments(patch):
    original = Module.__init__

    def wrong(self, *args, **kwargs):
        original(self, *args, **({} if self.call_super_init else kwargs))

    patch.setattr(Module, "__init__", wrong)


@fault("construction/linear-weight-and-bias")
def linear_ignores_bias_false(patch):
    original = reference.Linear.__init__

    def wrong(self, in_features, out_features, bias=True, device=None, dtype=None):
        original(self, in_features, out_features, True, device, dtype)

    patch.setattr(reference.Linear, "__init__", wrong)


@fault("construction/batch_norm-statistics-are-buffers")
def batch_norm_does_not_keep_its_running_variance(patch):
    def forget(self, *args, **kwargs):
        self._non_persistent_buffers_set.add("running_var")

    after(patch, reference.BatchNorm1d, "__init__", forget)


@fault("construction/layers-default-to-float32-on-the-cpu")
def batch_norm_keeps_its_variance_in_float64(patch):
    def widen(self, *args, **kwargs):
        self._buffers["running_var"] = self.running_var.double()

    after(patch, reference.BatchNorm1d, "__init__", widen)


@fault("construction/device-and-dtype-arguments")
def the_dtype_argument_does_not_apply_to_buffers(patch):
    def narrow(self, *args, **kwargs):
        self._buffers["running_mean"] = self.running_mean.float()

    after(patch, reference.BatchNorm1d, "__init__", narrow)
