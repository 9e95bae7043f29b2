"""A module through its life: any sequence of edits, copies and files, with the model mirrored step by step."""

from __future__ import annotations

from conformance.contract import clause, given
from conformance.suite.support import steps
from conformance.suite.support.life import begin
from strategies.lives import lives


@clause(
    "lifecycle/every-sequence-of-edits-keeps-the-contract",
    "torch.nn.Module",
    "Modules can also contain other Modules, allowing them to be nested in a tree structure.",
    needs=("Module.train", "Sequential", "ModuleList", "ModuleDict", "Identity"),
)
@given(life=lives())
def test_names_values_and_modes_follow_any_sequence_of_edits(implementation, device, life):
    """After every step of any sequence of registering, replacing, sharing and deleting, edits of containers, mode changes,
    freezing, conversion, loading, saving, copying, pickling and hooking, the module's names, identities, values, modes,
    state_dict and hooks are those of the edits made."""
    lived = begin(implementation, device)
    for name, *arguments in life:
        getattr(steps, name)(lived, *arguments)
        lived.compare()
