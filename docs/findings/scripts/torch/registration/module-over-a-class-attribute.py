# A Module assigned to a name that is an attribute of the parent's class is registered, and the
# attribute of the parent is then that Module.
# See https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
# Written for torch 2.13.0+cpu.

from torch import nn


def name_of(thing):
    return names.get(id(thing), f"an object that was not registered: {type(thing).__name__}")


module_module = nn.Identity()
names = {id(module_module): "module"}
module = type("Net", (nn.Module,), {"a": None})()
module.a = module_module
assert {
    "module": [(name, name_of(thing)) for name, thing in module.named_children()],
    "parameter": [(name, name_of(thing)) for name, thing in module.named_parameters(recurse=False)],
    "buffer": [(name, name_of(thing)) for name, thing in module.named_buffers(recurse=False)],
} == {"parameter": [], "buffer": [], "module": [("a", "module")]}

observed = name_of(module.a)
expected = "module"
print("observed:", repr(observed))
print("expected:", repr(expected))
assert observed == expected
