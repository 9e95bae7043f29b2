"""Calls that only look, copy or refuse, and that leave something else behind: each changes one facet of the portrait."""

from __future__ import annotations

import copy

from conformance.reference import Module, ModuleList
from conformance.reference.storage import simulate_accelerator
from selftests.faults import fault


def after(patch, owner, method, change):
    """Let the method do what it does, and then ``change(module, what it gives)``."""
    right = getattr(owner, method)

    def wrong(self, *arguments, **options):
        given = right(self, *arguments, **options)
        change(self, given)
        return given

    patch.setattr(owner, method, wrong)


# --- modules -----------------------------------------------------------------------------------------------------------


@fault("traversal/parameter-and-buffer-by-path")
def get_parameter_registers_what_it_finds_anew(patch):
    def change(root, found):
        for module in root.modules():
            for name, each in list(module._parameters.items()):
                if each is found:
                    module._parameters[name] = module._parameters.pop(name)

    after(patch, Module, "get_parameter", change)


@fault("copying/deepcopy-shares-nothing")
def a_deep_copy_unties_the_children_of_the_original(patch):
    def deepcopy(self, memo):
        new = object.__new__(type(self))
        memo[id(self)] = new
        vars(new).update({name: copy.deepcopy(value, memo) for name, value in vars(self).items()})
        for name, child in list(self._modules.items()):
            if child is not None and [*self._modules.values()].index(child) < [*self._modules].index(name):
                self._modules[name] = copy.copy(child)
        return new

    patch.setattr(Module, "__deepcopy__", deepcopy, raising=False)


@fault("state_dict/positional-arguments-in-order")
def state_dict_makes_buffers_of_frozen_parameters(patch):
    def wrong(self, *arguments, **options):
        given = right(self, *arguments, **options)
        for module in self.modules() if arguments else ():
            for name, each in list(module._parameters.items()):
                if each is not None and not each.requires_grad:
                    module._buffers[name] = module._parameters.pop(name)
        return given

    right = Module.state_dict
    patch.setattr(Module, "state_dict", wrong)


@fault("copying/pickle-keeps-persistence")
def pickling_makes_every_buffer_of_the_original_persistent(patch):
    def reduce(self, protocol):
        made = object.__reduce_ex__(self, protocol)
        state = {name: copy.copy(value) for name, value in made[2].items()}
        self._non_persistent_buffers_set.clear()
        return (*made[:2], state, *made[3:])

    patch.setattr(Module, "__reduce_ex__", reduce)


@fault("printing/repr-changes-nothing")
def repr_of_a_list_begins_its_training(patch):
    right = ModuleList.__repr__

    def wrong(self):
        self.training = True
        return right(self)

    patch.setattr(ModuleList, "__repr__", wrong)


@fault("traversal/named_modules-every-path-with-duplicates", "printing/every-child-name-appears", target="torch")
def looking_at_a_module_is_noted_on_it(patch):
    from torch import nn

    def note(self, given):
        vars(self)["looked_at"] = True

    after(patch, nn.Module, "__repr__", note)
    right = nn.Module.named_modules

    def named_modules(self, memo=None, prefix="", remove_duplicate=True):
        if not remove_duplicate:
            note(self, None)
        return right(self, memo, prefix, remove_duplicate)

    patch.setattr(nn.Module, "named_modules", named_modules)


# --- tensors -----------------------------------------------------------------------------------------------------------


@fault("traversal/parameter-and-buffer-by-path")
def get_buffer_empties_what_it_finds(patch):
    after(patch, Module, "get_buffer", lambda self, found: found.zero_())


@fault("traversal/parameter-and-buffer-by-path", target="torch")
def get_buffer_widens_what_it_finds(patch):
    import torch
    from torch import nn

    def change(self, found):
        if found.dtype in (torch.float16, torch.bfloat16, torch.float32):
            found.data = found.data.double()

    after(patch, nn.Module, "get_buffer", change)


@fault("traversal/parameter-and-buffer-by-path")
def get_parameter_freezes_what_it_finds(patch):
    after(patch, Module, "get_parameter", lambda self, found: found.requires_grad_(False))


@fault("traversal/parameter-and-buffer-by-path")
def get_parameter_moves_what_it_finds(patch):
    def change(self, found):
        simulate_accelerator(True)
        found._storage = found.detach().to("cuda")._storage
        simulate_accelerator(False)

    after(patch, Module, "get_parameter", change)


@fault("load_state_dict/what-is-no-tensor-is-refused", target="torch")
def a_refused_load_leaves_a_gradient(patch):
    import torch
    from torch import nn

    right = nn.Module.load_state_dict

    def wrong(self, *arguments, **options):
        try:
            return right(self, *arguments, **options)
        except RuntimeError:
            for each in self.parameters():
                each.grad = torch.zeros_like(each) if each.requires_grad else None
            raise

    patch.setattr(nn.Module, "load_state_dict", wrong)


@fault("load_state_dict/other-shape-is-refused")
def a_refused_load_leaves_a_gradient_in_the_reference(patch):
    right = Module.load_state_dict

    def wrong(self, *arguments, **options):
        try:
            return right(self, *arguments, **options)
        except RuntimeError:
            for each in self.parameters():
                each.grad = each.detach().clone()
            raise

    patch.setattr(Module, "load_state_dict", wrong)


@fault("traversal/parameter-and-buffer-by-path", target="torch")
def get_buffer_puts_what_it_finds_into_a_graph(patch):
    import torch
    from torch import nn

    def change(self, found):
        if found.is_floating_point() and found.is_leaf:
            found.mul_(torch.ones((), dtype=found.dtype, requires_grad=True))

    after(patch, nn.Module, "get_buffer", change)


@fault("printing/repr-changes-nothing", target="torch")
def repr_lays_matrices_out_by_columns(patch):
    from torch import nn

    def change(self, given):
        for each in self._parameters.values():
            if each is not None and each.dim() == 2:
                each.data = each.data.t().contiguous().t()

    after(patch, nn.Module, "__repr__", change)


@fault("traversal/parameter-and-buffer-by-path", target="torch")
def get_parameter_hooks_what_it_finds(patch):
    from torch import nn

    def change(self, found):
        if found.requires_grad:
            found.register_hook(lambda gradient: None)

    after(patch, nn.Module, "get_parameter", change)


@fault("state_dict/keys-follow-registration-order", target="torch")
def state_dict_marks_what_it_has_saved(patch):
    from torch import nn

    def change(self, given):
        for each in self.parameters():
            each.saved = True

    after(patch, nn.Module, "state_dict", change)


@fault("copying/deepcopy-keeps-ties", target="torch")
def a_deep_copy_lets_equal_parameters_of_the_original_share_memory(patch):
    import torch
    from torch import nn

    def deepcopy(self, memo):
        new = self.__new__(type(self))
        memo[id(self)] = new
        new.__setstate__(copy.deepcopy(self.__dict__, memo))
        known = []
        for each in self.parameters():
            for other in known:
                if other.shape == each.shape and other.dtype == each.dtype and torch.equal(other, each):
                    each.data = other.data
            known.append(each)
        return new

    patch.setattr(nn.Module, "__deepcopy__", deepcopy, raising=False)


@fault("serialization/saving-changes-nothing")
def saving_marks_the_tensors_of_the_state(patch):
    def change(self, given):
        for module in self.modules():
            for each in (*module._parameters.values(), *module._buffers.values()):
                if each is not None:
                    each.saved = True

    after(patch, Module, "state_dict", change)
