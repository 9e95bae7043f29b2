"""Wrong ways to print a module."""

from __future__ import annotations

from conformance.reference import Module, ModuleList
from selftests.faults import fault


@fault("printing/one-indented-line-per-child", "printing/extra_repr-is-shown")
def nested_lines_are_not_indented(patch):
    patch.setattr("conformance.reference.module.indented", lambda text: text)
    patch.setattr(Module, "extra_repr", lambda self: " ")


@fault("printing/every-child-name-appears", "printing/one-indented-line-per-child", "article/print-shows-the-layers")
def children_are_printed_without_names(patch):
    patch.setattr(Module, "_child_lines", lambda self: [repr(child) for child in self._modules.values()])


@fault("printing/module_list-compresses-equal-items")
def a_list_prints_every_item(patch):
    patch.setattr(ModuleList, "_child_lines", Module._child_lines)


@fault("printing/extra_repr-is-shown", "printing/extra_repr-several-lines")
def extra_repr_is_left_out(patch):
    def wrong(self):
        children = "\n  ".join(self._child_lines())
        return f"{self._get_name()}(\n  {children}\n)" if children else f"{self._get_name()}()"

    patch.setattr(Module, "__repr__", wrong)


@fault("printing/extra_repr-several-lines")
def extra_lines_follow_the_children(patch):
    def wrong(self):
        lines = [*self._child_lines(), *self.extra_repr().split("\n")]
        return f"{self._get_name()}(\n  {chr(10).join(lines)}\n)"

    patch.setattr(Module, "__repr__", wrong)


@fault("printing/repr-changes-nothing")
def printing_drops_empty_parameters(patch):
    def wrong(self):
        for name, parameter in list(self._parameters.items()):
            if parameter is not None and not parameter.numel():
                del self._parameters[name]
        return representation(self)

    representation = Module.__repr__
    patch.setattr(Module, "__repr__", wrong)
