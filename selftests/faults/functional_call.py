"""Wrong ways to call a module with other tensors."""

from __future__ import annotations

import functools

from selftests.faults import fault


def call_with(patch, change):
    """Let ``change(call, module, tensors, args, kwargs, options)`` stand for the call with one dictionary of tensors."""
    from torch.nn.utils import stateless

    call = stateless._functional_call

    def wrong(module, tensors, args=None, kwargs=None, **options):
        return change(call, module, tensors, args, kwargs, options)

    patch.setattr(stateless, "_functional_call", wrong)


def merging_with(patch, merge):
    """Let ``merge(dictionaries)`` make one dictionary of a tuple of them."""
    import torch

    call = torch.func.functional_call

    @functools.wraps(call)
    def functional_call(module, given, *args, **options):
        return call(module, merge(given) if isinstance(given, tuple) else given, *args, **options)

    functional_call.__module__ = "torch.func"
    patch.setattr(torch.func, "functional_call", functional_call)


@fault("functional_call/replaced-values", "functional_call/tied-weights-follow", target="torch")
def functional_call_keeps_buffers(patch):
    def change(call, module, tensors, args, kwargs, options):
        buffers = dict(module.named_buffers())
        kept = {name: tensor for name, tensor in tensors.items() if name not in buffers}
        return call(module, kept, args, kwargs, **{**options, "strict": False})

    call_with(patch, change)


@fault("functional_call/module-stays-as-it-was", target="torch")
def functional_call_puts_parameters_back_at_the_end(patch):
    def change(call, module, tensors, args, kwargs, options):
        output = call(module, tensors, args, kwargs, **options)
        for part in module.modules():
            for name in [name for name in part._parameters if any(key.endswith(name) for key in tensors)]:
                part._parameters[name] = part._parameters.pop(name)
        return output

    call_with(patch, change)


@fault("functional_call/module-stays-as-it-was", target="torch")
def functional_call_leaves_the_given_values_behind(patch):
    import torch

    def change(call, module, tensors, args, kwargs, options):
        output = call(module, tensors, args, kwargs, **options)
        with torch.no_grad():
            for name, own in module.named_buffers():
                if name in tensors:
                    own.copy_(tensors[name])
        return output

    call_with(patch, change)


@fault("functional_call/module-stays-as-it-was-after-an-exception", target="torch")
def functional_call_puts_nothing_back_after_an_exception(patch):
    from torch.nn.utils._named_member_accessor import NamedMemberAccessor

    def change(call, module, tensors, args, kwargs, options):
        try:
            return call(module, tensors, args, kwargs, **options)
        except ArithmeticError:
            NamedMemberAccessor(module).swap_tensors_dict(tensors, allow_missing=True)
            raise

    call_with(patch, change)


@fault("functional_call/arguments-are-passed-on", target="torch")
def functional_call_unpacks_lists(patch):
    def change(call, module, tensors, args, kwargs, options):
        return call(module, tensors, tuple(args) if isinstance(args, list) else args, kwargs, **options)

    call_with(patch, change)


@fault("functional_call/tuple-of-dictionaries", target="torch")
def functional_call_takes_the_first_dictionary(patch):
    merging_with(patch, lambda given: given[0])


@fault("functional_call/repeated-keys-are-refused", target="torch")
def functional_call_lets_the_last_dictionary_win(patch):
    merging_with(patch, lambda given: {key: tensor for each in given for key, tensor in each.items()})


@fault("functional_call/strict-wants-every-name", target="torch")
def strict_functional_call_passes_over_unknown_names(patch):
    def change(call, module, tensors, args, kwargs, options):
        if options.get("strict"):
            tensors = {name: tensor for name, tensor in tensors.items() if name != "stranger"}
        return call(module, tensors, args, kwargs, **options)

    call_with(patch, change)


@fault("functional_call/strict-wants-every-name", target="torch")
def functional_call_is_never_strict(patch):
    call_with(
        patch,
        lambda call, module, tensors, args, kwargs, options: call(
            module, tensors, args, kwargs, **{**options, "strict": False}
        ),
    )


@fault("functional_call/gradients-reach-the-given-tensors", target="torch")
def functional_call_detaches_what_it_is_given(patch):
    import torch

    def change(call, module, tensors, args, kwargs, options):
        held = {name: torch.nn.Parameter(tensor.detach(), tensor.requires_grad) for name, tensor in tensors.items()}
        return call(module, held, args, kwargs, **options)

    call_with(patch, change)


@fault("functional_call/in-place-changes-reach-the-dictionary", target="torch")
def functional_call_does_not_look_at_what_was_assigned(patch):
    def change(call, module, tensors, args, kwargs, options):
        return call(module, dict(tensors), args, kwargs, **options)

    call_with(patch, change)


@fault("functional_call/tied-weights-follow", target="torch")
def functional_call_unties(patch):
    def change(call, module, tensors, args, kwargs, options):
        return call(module, tensors, args, kwargs, **{**options, "tie_weights": False})

    call_with(patch, change)


@fault("functional_call/untied-without-tie_weights", target="torch")
def functional_call_always_ties(patch):
    def change(call, module, tensors, args, kwargs, options):
        return call(module, tensors, args, kwargs, **{**options, "tie_weights": True})

    call_with(patch, change)


@fault("functional_call/tied-names-given-one-tensor", target="torch")
def functional_call_refuses_two_names_of_one_parameter(patch):
    def change(call, module, tensors, args, kwargs, options):
        if len({id(tensor) for tensor in tensors.values()}) < len(tensors):
            raise ValueError("got multiple values")
        return call(module, tensors, args, kwargs, **options)

    call_with(patch, change)


@fault("functional_call/different-values-for-tied-names-refused", target="torch")
def functional_call_takes_any_of_the_values(patch):
    from torch.nn.utils import stateless

    untie = stateless._untie_named_tensors_map

    def wrong(module, tensors):
        seen = {}
        for name, own in module.named_parameters(remove_duplicate=False):
            if name in tensors:
                seen.setdefault(id(own), name)
        for name, own in module.named_buffers(remove_duplicate=False):
            if name in tensors:
                seen.setdefault(id(own), name)
        return untie(module, {name: tensors[name] for name in seen.values()})

    patch.setattr(stateless, "_untie_named_tensors_map", wrong)
