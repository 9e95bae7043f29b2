"""Wrong ways to be lazy."""

from __future__ import annotations

from selftests.faults import fault


def lazy():
    from torch.nn.modules import lazy, linear
    from torch.nn.parameter import UninitializedParameter, UninitializedTensorMixin

    return lazy.LazyModuleMixin, linear.LazyLinear, UninitializedParameter, UninitializedTensorMixin


@fault("lazy/parameters-appear-in-the-first-call", target="torch")
def initialised_layers_keep_the_lazy_class(patch):
    patch.setattr(lazy()[1], "cls_to_become", None)


@fault("lazy/optimizer-made-before-the-first-call", "lazy/parameters-appear-in-the-first-call", target="torch")
def the_first_call_makes_new_parameters(patch):
    import torch

    initialize = lazy()[1].initialize_parameters

    def wrong(self, input):
        initialize(self, input)
        for name in ("weight", "bias"):
            setattr(self, name, torch.nn.Parameter(getattr(self, name).detach().clone()))

    patch.setattr(lazy()[1], "initialize_parameters", wrong)


@fault("lazy/keeps-its-dtype", target="torch")
def lazy_layers_become_float32(patch):
    import torch

    materialize = lazy()[3].materialize
    patch.setattr(
        lazy()[3],
        "materialize",
        lambda self, shape, device=None, dtype=None: materialize(self, shape, device, torch.float),
    )


@fault("lazy/state-initialises", target="torch")
def the_first_call_replaces_what_was_loaded(patch):
    initialize = lazy()[1].initialize_parameters

    def wrong(self, input):
        initialize(self, input)
        self.weight.data.fill_(0.25)

    patch.setattr(lazy()[1], "initialize_parameters", wrong)


@fault("lazy/uninitialised-state-is-shown", target="torch")
def the_state_of_a_lazy_module_is_empty(patch):
    patch.setattr(lazy()[0], "_save_to_state_dict", lambda self, destination, prefix, keep_vars: None)


@fault("lazy/uninitialised-state-is-refused", target="torch")
def uninitialised_entries_are_passed_over(patch):
    import torch

    load = torch.nn.Module.load_state_dict

    def wrong(self, state_dict, strict=True, assign=False):
        given = {key: value for key, value in state_dict.items() if not torch.nn.parameter.is_lazy(value)}
        return load(self, given, strict, assign)

    patch.setattr(torch.nn.Module, "load_state_dict", wrong)


@fault("lazy/has_uninitialized_params-tells", target="torch")
def has_uninitialized_params_is_always_true(patch):
    patch.setattr(lazy()[0], "has_uninitialized_params", lambda self: True)


@fault("lazy/copies-stay-lazy", target="torch")
def copies_of_uninitialised_parameters_are_empty(patch):
    import torch

    patch.setattr(lazy()[2], "__deepcopy__", lambda self, memo: torch.nn.Parameter(torch.empty(0)))
