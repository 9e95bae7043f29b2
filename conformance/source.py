"""Plain PyTorch code for a blueprint: what a failure shows, and what anybody can paste."""

from __future__ import annotations

from typing import Any

from conformance import blueprint as bp
from conformance import model

_CHAIN = """
class Chain(nn.Module):
    def forward(self, x):
        for name in self.steps:
            x = run(getattr(self, name), x)
        return x


def run(module, x):
    if isinstance(module, (nn.ModuleList, nn.ModuleDict)):
        for child in module.values() if isinstance(module, nn.ModuleDict) else module:
            x = x if child is None else run(child, x)
        return x
    return module(x)

"""


def to_source(blueprint: bp.Blueprint, variable: str = "module") -> str:
    """Code that builds the tree with torch's public API alone, as the adapter for PyTorch builds it."""
    writer = _Writer(blueprint)
    writer.module(blueprint, "", variable)
    kinds = {node.kind for node in blueprint.nodes()}
    head = "import torch\nfrom torch import nn\n" + (_CHAIN if "Chain" in kinds else "")
    if any(hook for node in blueprint.nodes() for hook in node.hooks):
        head += "\nlog = []\n"
    return head + "\n" + "\n".join(writer.lines + writer.last) + "\n"


class _Writer:
    def __init__(self, blueprint: bp.Blueprint):
        self.models = {module.path: module for module in model.of(blueprint).modules()}
        self.variables: dict[str, str] = {}
        self.lines: list[str] = []
        self.last: list[str] = []  # modes and hooks, once the tree stands

    def new(self, path: str, base: str) -> str:
        name = f"{base}{len(self.variables)}"
        self.variables[path] = name
        return name

    def module(self, node: bp.Blueprint, path: str, variable: str | None = None) -> str:
        here = self.models[path]
        made: dict[str, str] = {}
        for name, member in node.members:
            made[name] = self.member(member, model.join(path, name))
        variable = variable or f"m{len(self.variables)}"
        self.variables[path] = variable
        children = {name: made[name] for name, child in here.modules_.items() if child is not None}
        self.lines.append(f"{variable} = {self.constructor(node, children)}")
        for name, member in node.members:
            self.register(variable, name, member, made[name], here)
        if node.kind == "Chain":
            steps = [name for name, child in here.modules_.items() if child is not None]
            self.lines.append(f"{variable}.steps = {steps!r}")
        if not node.training:
            self.last.append(f"{variable}.training = False")
        for hook in node.hooks:
            self.last += self.hook(variable, hook)
        return variable

    def constructor(self, node: bp.Blueprint, children: dict[str, str]) -> str:
        kind = "Chain" if node.kind == "Chain" else f"nn.{node.kind}"
        if node.kind in bp.LAYERS:
            return f"{kind}({', '.join(map(repr, node.arguments))})"
        if node.kind == "Sequential" and list(children) != [str(i) for i in range(len(children))]:
            pairs = ", ".join(f"({name!r}, {child})" for name, child in children.items())
            return f"{kind}(__import__('collections').OrderedDict([{pairs}]))"
        if node.kind == "Sequential":
            return f"{kind}({', '.join(children.values())})"
        if node.kind == "ModuleList":
            return f"{kind}([{', '.join(children.values())}])"
        return f"{kind}()"

    def member(self, member: Any, path: str) -> str:
        if isinstance(member, bp.Blueprint):
            return self.module(member, path)
        if isinstance(member, bp.Shared):
            self.variables[path] = self.variables[member.path]
            return self.variables[path]
        if isinstance(member, bp.Attribute):
            return tensor(member.value) if isinstance(member.value, bp.Tensor) else repr(member.value)
        if isinstance(member, bp.Empty):
            return "None"
        text = tensor(member)
        if isinstance(member, bp.Parameter):
            text = f"nn.Parameter({text}{'' if member.differentiable else ', requires_grad=False'})"
        variable = self.new(path, "t")
        self.lines.append(f"{variable} = {text}")
        return variable

    def register(self, variable: str, name: str, member: Any, made: str, here: model.ModuleModel) -> None:
        assign = f"{variable}.{name} = {made}" if name.isidentifier() else f"setattr({variable}, {name!r}, {made})"
        if isinstance(member, bp.Attribute):
            self.lines.append(assign)
        elif name in here.modules_:
            if here.kind in ("Sequential", "ModuleList") and made != "None":
                return
            if here.kind == "ModuleDict" and made != "None":
                self.lines.append(f"{variable}[{name!r}] = {made}")
            else:
                self.lines.append(
                    assign if name.isidentifier() and made != "None" else f"{variable}.add_module({name!r}, {made})"
                )
        elif name in here.buffers_ and here.kind not in bp.LAYERS:
            persistent = ", persistent=False" if name in here.transient else ""
            self.lines.append(f"{variable}.register_buffer({name!r}, {made}{persistent})")
        elif here.kind == "ParameterList":
            self.lines.append(f"{variable}.append({made})")
        elif here.kind == "ParameterDict":
            self.lines.append(f"{variable}[{name!r}] = {made}")
        elif name.isidentifier() and made != "None":
            self.lines.append(assign)
        elif here.kind not in bp.LAYERS:
            self.lines.append(f"{variable}.register_parameter({name!r}, {made})")

    def hook(self, variable: str, hook: bp.Hook) -> list[str]:
        function = hook.name if hook.name.isidentifier() else f"hook{len(self.last)}"
        kwargs = ", kwargs" if hook.with_kwargs else ""
        lines = []
        arguments = {"forward": f"args{kwargs}, output", "forward_pre": f"args{kwargs}"}.get(hook.kind, "*grads")
        lines.append(f"def {function}(module, {arguments}):")
        lines.append(f"    log.append({hook.name!r})")
        if hook.adds is not None and hook.kind == "forward":
            lines.append(f"    return output + {hook.adds}")
        elif hook.adds is not None:
            changed = f"tuple(x + {hook.adds} for x in {'args' if hook.kind == 'forward_pre' else 'grads[0]'})"
            lines.append(f"    return ({changed}, kwargs)" if hook.with_kwargs else f"    return {changed}")
        options = [f"{name}=True" for name in ("prepend", "with_kwargs", "always_call") if getattr(hook, name)]
        lines.append(f"{variable}.register_{hook.kind}_hook({', '.join([function, *options])})")
        return lines


def tensor(tensor: bp.Tensor) -> str:
    """The expression that makes a plain tensor; a large one is computed rather than written out."""
    count = bp.size(tensor.shape)
    if count > 64 and tensor.dtype in ("float32", "float64", "float16", "bfloat16"):
        numbers = f"(torch.arange({count}) * 3 + {tensor.fill * 7}) % 31 - 15"
        return f"(({numbers}) / 8).to(torch.{tensor.dtype}).reshape({tensor.shape!r})"
    shape = "" if count else f".reshape({tensor.shape!r})"
    return f"torch.tensor({tensor.values()!r}, dtype=torch.{tensor.dtype}){shape}"
