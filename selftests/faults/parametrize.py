"""Wrong ways to parametrize tensors."""

from __future__ import annotations

import contextlib

from selftests.faults import fault


def parametrize():
    from torch.nn.utils import parametrize

    return parametrize


def after(patch, function, change):
    """Let ``change(module, *arguments, **options)`` act when the function of that name has returned its first argument."""
    original = getattr(parametrize(), function)

    def wrong(module, *arguments, **options):
        made = original(module, *arguments, **options)
        change(module, *arguments, **options)
        return made

    patch.setattr(parametrize(), function, wrong)


def lists():
    """The class of what is under ``module.parametrizations``."""
    return parametrize().ParametrizationList


@fault("parametrize/register-and-remove", target="torch")
def removal_puts_back_a_copy_of_the_original(patch):
    import torch

    def change(module, name, leave_parametrized=True):
        tensor = getattr(module, name)
        if not leave_parametrized and isinstance(tensor, torch.nn.Parameter):
            setattr(module, name, torch.nn.Parameter(tensor.detach().clone()))

    after(patch, "remove_parametrizations", change)


@fault("parametrize/chained-in-registration-order", target="torch")
def parametrizations_are_applied_the_last_one_first(patch):
    forward = lists().forward

    def wrong(self):
        if not self.is_tensor:
            return forward(self)
        value = self.original
        for each in reversed(list(self)):
            value = each(value)
        return value

    patch.setattr(lists(), "forward", wrong)


@fault("parametrize/state_dict-holds-the-original", target="torch")
def the_state_dict_holds_the_value_too(patch):
    def change(module, name, *arguments, **options):
        module.parametrizations[name].register_buffer("value", getattr(module, name).detach())

    after(patch, "register_parametrization", change)


@fault("parametrize/right-inverse", target="torch")
def right_inverses_are_called_the_first_one_first(patch):
    import torch

    inverse = lists().right_inverse

    @torch.no_grad()
    def wrong(self, value):
        if not self.is_tensor:
            return inverse(self, value)
        for each in self:
            value = each.right_inverse(value)
        self.original.copy_(value)

    patch.setattr(lists(), "right_inverse", wrong)


@fault("parametrize/first-right_inverse-gives-the-original", target="torch")
def the_first_right_inverse_is_not_called(patch):
    register = parametrize().register_parametrization

    def wrong(module, name, *arguments, **options):
        before = getattr(module, name).detach().clone()
        register(module, name, *arguments, **options)
        if len(module.parametrizations[name]) == 1 and module.parametrizations[name].is_tensor:
            module.parametrizations[name].original.data.copy_(before)
        return module

    patch.setattr(parametrize(), "register_parametrization", wrong)


@fault("parametrize/several-originals", target="torch")
def several_originals_are_numbered_from_the_last(patch):
    def change(module, name, *arguments, **options):
        held = module.parametrizations[name]
        if not held.is_tensor:
            held.original0, held.original1 = held.original1, held.original0

    after(patch, "register_parametrization", change)


@fault("parametrize/removal-leaves-the-value", target="torch")
def removal_always_puts_back_the_original(patch):
    remove = parametrize().remove_parametrizations

    def wrong(module, name, leave_parametrized=True):
        return remove(module, name, leave_parametrized and not module.parametrizations[name].is_tensor)

    patch.setattr(parametrize(), "remove_parametrizations", wrong)


@fault("parametrize/unknown-names-are-refused", target="torch")
def registration_passes_over_unknown_names(patch):
    register = parametrize().register_parametrization

    def wrong(module, name, *arguments, **options):
        return register(module, name, *arguments, **options) if hasattr(module, name) else module

    patch.setattr(parametrize(), "register_parametrization", wrong)


@fault("parametrize/unknown-names-are-refused", target="torch")
def removal_passes_over_names_without_parametrization(patch):
    remove = parametrize().remove_parametrizations

    def wrong(module, name, leave_parametrized=True):
        if not parametrize().is_parametrized(module, name):
            return module
        return remove(module, name, leave_parametrized)

    patch.setattr(parametrize(), "remove_parametrizations", wrong)


@fault("parametrize/other-shapes-are-refused", target="torch")
def every_registration_is_unsafe(patch):
    register = parametrize().register_parametrization
    patch.setattr(
        parametrize(), "register_parametrization", lambda *arguments, unsafe=False: register(*arguments, unsafe=True)
    )


@fault("parametrize/gradients-reach-the-original", target="torch")
def no_gradient_goes_through_a_parametrization(patch):
    forward = lists().forward
    patch.setattr(lists(), "forward", lambda self: forward(self).detach().requires_grad_())


@fault("parametrize/is_parametrized-tells", target="torch")
def is_parametrized_does_not_look_at_the_name(patch):
    tells = parametrize().is_parametrized

    def wrong(module, tensor_name=None):
        return tells(module)

    for name in ("register_parametrization", "remove_parametrizations"):
        original = getattr(parametrize(), name)

        def right(*arguments, original=original, **options):
            with patch.context() as back:
                back.setattr(parametrize(), "is_parametrized", tells)
                return original(*arguments, **options)

        patch.setattr(parametrize(), name, right)
    patch.setattr(parametrize(), "is_parametrized", wrong)


@fault("parametrize/type_before_parametrizations-tells", target="torch")
def type_before_parametrizations_is_the_present_one(patch):
    patch.setattr(parametrize(), "type_before_parametrizations", type)


@fault("parametrize/mode-of-the-module", target="torch")
def parametrizations_keep_their_mode(patch):
    register = parametrize().register_parametrization

    def wrong(module, name, parametrization, **options):
        mode = parametrization.training
        register(module, name, parametrization, **options)
        parametrization.train(mode)
        return module

    patch.setattr(parametrize(), "register_parametrization", wrong)


@fault("parametrize/cached-once", target="torch")
def cached_caches_nothing(patch):
    patch.setattr(parametrize(), "cached", contextlib.nullcontext)


@fault("parametrize/cached-once", target="torch")
def cached_goes_on_after_an_exception(patch):
    @contextlib.contextmanager
    def wrong():
        module = parametrize()
        module._cache_enabled += 1
        yield
        module._cache_enabled -= 1
        if not module._cache_enabled:
            module._cache = {}

    # Put back afterwards, for the fault leaves them changed.
    patch.setattr(parametrize(), "_cache", {})
    patch.setattr(parametrize(), "_cache_enabled", 0)
    patch.setattr(parametrize(), "cached", wrong)


@fault("parametrize/deep-copy-is-independent", target="torch")
def a_copy_of_a_parametrized_module_shares_its_tensors(patch):
    def change(module):
        def shallow(self, memo):
            replica = self.__new__(type(self))
            vars(replica).update(vars(self))
            return replica

        type(module).__deepcopy__ = shallow

    after(patch, "_inject_new_class", change)


@fault("parametrize/transferred-to-another-module", target="torch")
def transfer_leaves_the_values_behind(patch):
    import torch

    transfer = parametrize().transfer_parametrizations_and_params

    def wrong(source, target, tensor_name=None):
        transfer(source, target, tensor_name)
        for held in getattr(target, "parametrizations", {}).values():
            held.original = torch.nn.Parameter(torch.zeros_like(held.original))
        return target

    patch.setattr(parametrize(), "transfer_parametrizations_and_params", wrong)


@fault("parametrize/nothing-to-transfer", target="torch")
def transfer_takes_all_parameters(patch):
    transfer = parametrize().transfer_parametrizations_and_params

    def wrong(source, target, tensor_name=None):
        if not parametrize().is_parametrized(source):
            for name, parameter in source.named_parameters(recurse=False):
                setattr(target, name, parameter)
        return transfer(source, target, tensor_name)

    patch.setattr(parametrize(), "transfer_parametrizations_and_params", wrong)
