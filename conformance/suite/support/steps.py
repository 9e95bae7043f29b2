"""What can be done to a module in its life: each function is a step, taken by the framework's module and by its model."""

from __future__ import annotations

import copy
import io
import pickle as pickling
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from conformance import model
from conformance.language import blueprint as bp
from conformance.language.transform import FLOATING
from conformance.model import ModuleModel
from conformance.suite.support.life import DICTS, LISTS, Life, can_run, forget, free, held, keep, positioned, reserved

# --- registering ---------------------------------------------------------------------------------------------------


def assign(life: Life, where: int, name: str, what: Any) -> None:
    """A new child, or a parameter, becomes an attribute."""
    module = life.pick(where)
    if not takes(module, name, isinstance(what, bp.Blueprint)) or not life.has_room(module):
        return
    life.assign(module, name, life.make(what))


def takes(module: ModuleModel, name: str, child: bool) -> bool:
    """Whether a child or a parameter of that name may be assigned: lists number their items, and names that other kinds of
    things have are refused in some cases."""
    if child:
        return module.kind not in LISTS and name not in module.parameters_ and not reserved(module, name)
    return not (module.kind in LISTS and name.isdigit()) and not reserved(module, name)


def register_buffer(life: Life, where: int, name: str, what: bp.Buffer) -> None:
    """A buffer is registered."""
    module = life.pick(where)
    if name in {**module.parameters_, **module.modules_} or (module.kind in LISTS and name.isdigit()):
        return  # a name of another kind is refused
    buffer = life.make(what)
    persistent = life.restricted(what).persistent
    life.implementation.register_buffer(life.real[module], name, life.real[buffer], persistent)
    module.buffers_[name] = buffer
    (module.transient.discard if persistent else module.transient.add)(name)


def delete(life: Life, which: int) -> None:
    """What has a name is deleted."""
    found = life.registered()
    if found:
        module, name = found[which % len(found)]
        delattr(life.real[module], name)
        forget(module, name)


def assign_none(life: Life, which: int) -> None:
    """None takes the place of what has a name."""
    found = life.registered()
    if found:
        module, name = found[which % len(found)]
        setattr(life.real[module], name, None)
        for registry in (module.parameters_, module.buffers_, module.modules_):
            if name in registry:
                registry[name] = None


def share_module(life: Life, where: int, which: int, name: str) -> None:
    """A module of the tree gets one more name, or one more place in a list."""
    module = life.pick(where)
    found = [each for each in life.root.modules() if module not in each.modules()]  # else it would hold itself
    if not found or not life.has_room(module, found[which % len(found)]):
        return
    other = found[which % len(found)]
    if module.kind in life.taking("append", LISTS) and positioned(module):
        life.real[module].append(life.real[other])
        keep(module, str(len(held(module))), other)
    elif name not in module.buffers_ and takes(module, name, True):
        life.assign(module, name, other)


def share_parameter(life: Life, where: int, which: int, name: str) -> None:
    """A parameter of the tree gets one more name."""
    module = life.pick(where)
    found = [each for each in life.root.tensors().values() if each.kind == "parameter"]
    if found and takes(module, name, False):
        life.assign(module, name, found[which % len(found)])


# --- lists ---------------------------------------------------------------------------------------------------------


def lists(life: Life, step: str, what: Any) -> list[str]:
    """The kinds of lists that take it in that step."""
    return life.taking(step, LISTS if isinstance(what, bp.Blueprint) else ("ParameterList",))


def append(life: Life, where: int, what: Any) -> None:
    """Something new at the end of a list."""
    container = life.container(where, lists(life, "append", what))
    if container is None or not life.has_room(container):
        return
    thing = life.make(what)
    life.real[container].append(life.real[thing])
    keep(container, str(len(held(container))), thing)


def extend(life: Life, where: int, what: list[Any]) -> None:
    """Several things at the end of a list."""
    container = life.container(where, lists(life, "extend", what[0]))
    if container is None or not life.has_room(container, *[model.ModuleModel("", "") for _ in what]):
        return
    things = [life.make(each) for each in what]
    more = [life.real[thing] for thing in things]
    life.real[container].extend(life.implementation.Sequential(*more) if container.kind == "Sequential" else more)
    renumber(container, [*held(container).values(), *things])


def insert(life: Life, where: int, index: int, what: Any) -> None:
    """A new module at an index of a list."""
    container = life.container(where, lists(life, "insert", what))
    if container is None or not life.has_room(container):
        return
    items = list(held(container).values())
    place, thing = index % (len(items) + 1), life.make(what)
    life.real[container].insert(place, life.real[thing])
    renumber(container, [*items[:place], thing, *items[place:]])


def set_item(life: Life, where: int, index: int, what: Any) -> None:
    """Something new in the place of an item."""
    container = life.filled(where, lists(life, "set_item", what))
    if container is None or not life.has_room(container):
        return
    place, thing = counted(index, container), life.make(what)
    life.real[container][place] = life.real[thing]
    keep(container, str(place % len(held(container))), thing)


def delete_item(life: Life, where: int, index: int) -> None:
    """An item is deleted."""
    container = life.filled(where, life.taking("delete_item", LISTS))
    if container is not None:
        place, items = counted(index, container), list(held(container).values())
        del life.real[container][place]
        del items[place]
        renumber(container, items)


def delete_slice(life: Life, where: int, triple: Any) -> None:
    """A slice is deleted."""
    container = life.filled(where, life.taking("delete_item", LISTS))
    if container is not None:
        items = list(held(container).values())
        del life.real[container][slice(*triple)]
        del items[slice(*triple)]
        renumber(container, items)


def pop_item(life: Life, where: int, index: int) -> None:
    """An item is popped."""
    container = life.filled(where, life.taking("pop_item", LISTS))
    if container is not None:
        place, items = counted(index, container), list(held(container).values())
        thing = life.real[items.pop(place)]
        assert life.real[container].pop(place) is thing
        renumber(container, items)


def take_slice(life: Life, where: int, triple: Any, name: str) -> None:
    """A slice of a list becomes a child of the root."""
    container = life.filled(where, life.taking("take_slice", LISTS))
    if container is None or name in life.root.buffers_ or not takes(life.root, name, True):
        return
    pairs = list(held(container).items())[slice(*triple)]
    if life.has_room(life.root, container):
        part = ModuleModel(life.fresh(container.kind), container.kind)
        part.modules_ = dict(pairs)
        if part.kind == "ModuleList":
            renumber(part, [module for _, module in pairs])
        life.real[part] = life.real[container][slice(*triple)]
        life.name(part)
        life.assign(life.root, name, part)


def counted(index: int, container: ModuleModel) -> int:
    """An index of what the container holds, from its start or from its end."""
    length = len(held(container))
    place = index % (2 * length)
    return place if place < length else place - 2 * length


def renumber(container: ModuleModel, things: list[Any]) -> None:
    """What a list holds now."""
    items = held(container)
    items.clear()
    items.update(model.renumber(things))


# --- dicts ---------------------------------------------------------------------------------------------------------


def dicts(life: Life, step: str, what: Any) -> list[str]:
    """The kinds of dicts that take it in that step."""
    return life.taking(step, DICTS[:1] if isinstance(what, bp.Blueprint) else DICTS[1:])


def set_key(life: Life, where: int, name: str, what: Any) -> None:
    """Something new under a key."""
    container = life.container(where, dicts(life, "set_key", what))
    if container is None or not free(container, name) or not life.has_room(container):
        return
    thing = life.make(what)
    life.real[container][name] = life.real[thing]
    keep(container, name, thing)


def update_keys(life: Life, where: int, what: dict[str, Any]) -> None:
    """Several things under their keys."""
    container = life.container(where, dicts(life, "update_keys", [*what.values()][0]))
    if container is None or not all(free(container, name) for name in what):
        return
    if life.has_room(container, *[model.ModuleModel("", "") for _ in what]):
        things = {name: life.make(each) for name, each in what.items()}
        life.real[container].update(OrderedDict([(name, life.real[thing]) for name, thing in things.items()]))
        items = held(container)
        items.update(things)


def delete_key(life: Life, where: int, which: int) -> None:
    """A key is deleted."""
    container = life.filled(where, life.taking("delete_key", DICTS))
    if container is not None:
        items = held(container)
        name = list(items)[which % len(items)]
        del life.real[container][name]
        del items[name]


def pop_key(life: Life, where: int, which: int) -> None:
    """A key is popped."""
    container = life.filled(where, life.taking("pop_key", DICTS))
    if container is not None:
        items = held(container)
        name = list(items)[which % len(items)]
        thing = life.real[items.pop(name)]
        assert life.real[container].pop(name) is thing


def clear_keys(life: Life, where: int) -> None:
    """Every key is removed."""
    container = life.filled(where, life.taking("clear_keys", DICTS))
    if container is not None:
        items = held(container)
        life.real[container].clear()
        items.clear()


# --- modes, gradients, dtypes --------------------------------------------------------------------------------------


def train(life: Life, where: int, mode: bool) -> None:
    """A module is set to a mode."""
    modules = life.root.modules()
    module = modules[where % len(modules)]
    life.real[module].train(mode)
    for below in module.modules():
        below.training = mode


def require_gradients(life: Life, where: int, wanted: bool) -> None:
    """A module is frozen, or no longer."""
    dtypes = bp.DIFFERENTIABLE if wanted else bp.DTYPES  # integers have no gradients
    found = [module for module in life.root.modules() if parameters(module)]
    apt = [module for module in found if all(tensor.dtype in dtypes for tensor in parameters(module))]
    if apt and not life.lacks("Module.requires_grad_"):
        module = apt[where % len(apt)]
        life.real[module].requires_grad_(wanted)
        for tensor in parameters(module):
            tensor.requires_grad = wanted


def parameters(module: ModuleModel) -> list[model.TensorModel]:
    """Those of the module and all below it."""
    return [tensor for tensor in module.tensors().values() if tensor.kind == "parameter"]


def cast(life: Life, where: int, dtype: str) -> None:
    """A module is cast by the method named after a dtype."""
    found, method = with_tensors(life, FLOATING), CASTS[dtype]
    if found and not life.lacks(f"Module.{method}", f"dtype.{dtype}"):
        module = found[where % len(found)]
        getattr(life.real[module], method)()
        converted(life, module, dtype)


CASTS = {"float32": "float", "float64": "double", "float16": "half", "bfloat16": "bfloat16"}


def convert(life: Life, where: int, dtype: str) -> None:
    """A module is converted by to()."""
    complex_ones = with_tensors(life, ("complex64",))  # a complex number would lose its imaginary part
    found = [module for module in with_tensors(life, FLOATING) if module not in complex_ones]
    if found and not life.lacks("Module.to", f"dtype.{dtype}"):
        module = found[where % len(found)]
        life.real[module].to(dtype=life.implementation.tensor([0], dtype).dtype)
        converted(life, module, dtype)


def with_tensors(life: Life, dtypes: Sequence[str]) -> list[ModuleModel]:
    """The modules that have tensors of these dtypes, if only below them."""
    return [each for each in life.root.modules() if any(t.dtype in dtypes for t in each.tensors().values())]


def converted(life: Life, module: ModuleModel, dtype: str) -> None:
    """Parameters are the same objects as before; a buffer may be another one."""
    for tensor in module.tensors().values():
        tensor.dtype = dtype if tensor.dtype in FLOATING else tensor.dtype
    for below in module.modules():
        for name, buffer in below.buffers_.items():
            if buffer is not None:
                life.real[buffer] = getattr(life.real[below], name)
                life.name(buffer)


# --- states and copies ---------------------------------------------------------------------------------------------


def load(life: Life, fill: int) -> None:
    """A state of other values is loaded."""
    for tensor, other in loaded(life, fill).items():
        tensor.flat = other.flat


def loaded(life: Life, fill: int) -> dict[Any, bp.Tensor]:
    """Load a state of other values; which, of each tensor."""
    state = life.root.state()
    others = {
        tensor: bp.Tensor(tensor.shape, tensor.dtype, fill + number)
        for number, tensor in enumerate(dict.fromkeys(state.values()))
    }
    given = life.real[life.root].state_dict()
    for key, tensor in state.items():
        given[key] = life.implementation.make(others[tensor], life.device)
    life.real[life.root].load_state_dict(given)
    return others


def save_and_load(life: Life, fill: int) -> None:
    """The state is saved, and loaded again over one of other values."""
    if life.lacks("save"):
        return
    file = io.BytesIO()
    life.implementation.save(life.real[life.root].state_dict(), file)
    loaded(life, fill)
    file.seek(0)
    life.real[life.root].load_state_dict(life.implementation.load(file))


def deep_copy(life: Life) -> None:
    """Life goes on with a deep copy."""
    if not life.lacks("lifecycle.copies", "deepcopy"):
        remove_hooks(life)
        life.adopt(copy.deepcopy(life.real[life.root]))


def pickle(life: Life) -> None:
    """Life goes on with what was pickled."""
    if not life.lacks("lifecycle.copies", "pickle.module"):
        remove_hooks(life)
        life.adopt(pickling.loads(pickling.dumps(life.real[life.root])))


# --- hooks and calls -----------------------------------------------------------------------------------------------


def hook(life: Life, where: int, kind: str, prepend: bool, adds: float | None) -> None:
    """A forward hook or forward pre-hook is registered, and its module called."""
    if life.lacks("hooks.handle", f"Module.register_{kind}_hook"):
        return
    first = prepend and not life.lacks(f"Module.register_{kind}_hook(prepend)")
    module = life.runs(where)
    if module is not None:
        made = bp.Hook(kind, life.fresh("hook"), first, adds=adds)
        life.real[made] = registered(life, made, life.real[module])
        module.hooks += (made,)
        run(life, module)


def registered(life: Life, made: bp.Hook, module: Any) -> Any:
    """The handle of a hook that records its call, and adds its number to what passes through."""

    def record(called: Any, *arguments: Any) -> Any:
        life.record(made.name)
        if made.adds is None:
            return None
        return (arguments[-1] if made.kind == "forward" else arguments[0][0]) + made.adds

    options = {"prepend": True} if made.prepend else {}
    return getattr(module, f"register_{made.kind}_hook")(record, **options)


def unhook(life: Life, which: int) -> None:
    """A hook is removed, and its module called."""
    if not hooked(life):
        hook(life, which, "forward", False, 1.0)
    found = hooked(life)
    if found:
        module, made = found[which % len(found)]
        life.real[made].remove()
        module.hooks = tuple(each for each in module.hooks if each != made)
        if can_run(module):
            run(life, module)


def hooked(life: Life) -> list[tuple[ModuleModel, bp.Hook]]:
    """Every hook of the tree."""
    return [(module, each) for module in life.root.modules() for each in module.hooks]


def remove_hooks(life: Life) -> None:
    """A copy is made of a module without hooks: what becomes of them is said by clauses of their own."""
    for module in life.root.modules():
        for made in module.hooks:
            life.real[made].remove()
        module.hooks = ()


def call(life: Life, where: int) -> None:
    """A module is called."""
    module = life.runs(where)
    if module is not None:
        run(life, module)


def run(life: Life, module: ModuleModel) -> None:
    """Which hooks fire, in which order, and what the call gives."""
    log: list[tuple[str, str]] = []
    rows = model.forward(module, [[1.0]], log)
    del life.fired[:]
    output = life.real[module](life.implementation.tensor([[1.0]], "float32", life.device))
    assert life.fired == [name for name, _ in log]
    assert life.implementation.read(output) == model.Reading((1, 1), "float32", tuple(rows[0]))
