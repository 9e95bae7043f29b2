"""The contract itself: ids, sentences, quotations, and that every property belongs to a clause."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

import conformance.suite
from conformance import Case, check_module, contract
from conformance.contract import CLAUSES, SUCCESSORS, ContractError, Severity, clause
from conformance.run import deviations

contract.load()
CHECKED = list(contract.checked())


def suite_modules():
    for info in pkgutil.walk_packages(conformance.suite.__path__, "conformance.suite."):
        yield importlib.import_module(info.name)


def documented(name: str):
    """The object of that dotted name, and the text in which a quotation of it must be found."""
    source = name.startswith("source:")
    parts = name.removeprefix("source:").split(".")
    for split in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:split]))
        except ImportError:
            continue
        for part in parts[split:]:
            found = getattr(found, part)
        return code(found) if source else inspect.getdoc(found) or ""
    raise AssertionError(f"{name} cannot be imported")


def code(found: object) -> str:
    """The source of a thing; PyTorch's compiler, once used, puts a closure in the place of Module.__init__ and the like."""
    if "<locals>.patched_" in getattr(found, "__qualname__", ""):
        found = inspect.getclosurevars(found).nonlocals["init"]
    return inspect.getsource(found)


def folded(text: str) -> str:
    """White space folded, and adjacent string literals of a source joined, as the reader of a message sees them."""
    return " ".join(re.sub(r"[\"']\s*\n\s*[rf]*[\"']", "", text).split())


def test_a_clause_is_one_sentence_with_a_severity_and_a_place_in_the_documentation():
    assert [c.id for c in CHECKED if not c.sentence.endswith(".")] == []
    assert [c.id for c in CHECKED if c.severity is Severity.UNTESTED] == []
    assert [c.id for c in CHECKED if not (c.docs and (c.quote or c.shows))] == []


def test_the_quotation_stands_where_the_clause_says():
    pytest.importorskip("torch")
    in_a_wheel = [c for c in CHECKED if not c.docs.startswith("https://")]
    assert {c.id: (c.docs, c.quote) for c in in_a_wheel if folded(c.quote) not in folded(documented(c.docs))} == {}


def test_a_required_clause_rests_on_documentation_not_on_code():
    wrong = [c.id for c in CHECKED if c.severity is Severity.REQUIRED and c.docs.startswith("source:")]
    assert wrong == []


def test_few_clauses_rest_on_pages_that_no_wheel_contains():
    pages = [c.id for c in CHECKED if c.docs.startswith("https://")]
    assert len(pages) <= len(CHECKED) // 5, pages


def test_every_property_of_the_suite_has_a_clause():
    tests = [
        (module.__name__, name)
        for module in suite_modules()
        for name, value in vars(module).items()
        if name.startswith("test_") and callable(value) and not hasattr(value, "clause")
    ]
    assert tests == []


def test_every_property_is_collected_under_its_own_name():
    names = [c.function.__name__ for c in CHECKED]
    assert len(set(names)) == len(names)
    for c in CHECKED:
        module = importlib.import_module(c.function.__module__)
        assert getattr(module, c.function.__name__).clause is CLAUSES[c.id]


def test_every_property_takes_the_implementation_the_device_and_what_it_draws():
    for c in CHECKED:
        assert set(inspect.signature(c.function).parameters) == {"implementation", "device", *c.strategies}, c.id


def test_a_folder_of_the_suite_is_an_area_or_a_family_of_areas_and_no_file_is_long():
    suite = Path(conformance.suite.__file__).parent
    folders = {path.name for path in suite.iterdir() if (path / "__init__.py").exists()} - {"support"}
    assert folders == set(conformance.suite.FAMILIES)
    families = {}
    for c in CHECKED:
        families.setdefault(c.area, set()).add(c.function.__module__.split(".")[2])
    assert {area: found for area, found in families.items() if len(found) > 1} == {}
    long = {path.name: lines for path in suite.rglob("*.py") if (lines := len(path.read_text().splitlines())) > 400}
    assert long == {}


def test_clauses_are_listed_by_family_in_the_order_of_the_suite():
    order = [conformance.suite.FAMILIES.index(c.function.__module__.split(".")[2]) for c in CHECKED]
    assert order == sorted(order)


#: Clauses that need something else since each property says itself what it needs, and why.
OTHER_NEEDS = {
    "hooks_forward/hook-replaces-output": "asked of whatever module can be called, as the clause that is part of it was",
}


def test_a_clause_needs_what_it_needed_when_that_followed_from_the_names_of_its_arguments():
    lines = (Path(__file__).parent / "needs.txt").read_text(encoding="utf-8").splitlines()
    before = {
        id: set(filter(None, needs.strip().split("; "))) for id, _, needs in (line.partition(":") for line in lines)
    }
    known = {id: needs for id, needs in before.items() if id not in SUCCESSORS}
    assert {id for id in known if set(CLAUSES[id].needs) != known[id]} == set(OTHER_NEEDS)


def test_properties_name_no_implementation():
    names = re.compile(r"\b(torch|paddle|numpy)\b(?!\.\w)|import torch|paddlepaddle", re.IGNORECASE)
    for module in suite_modules():
        for line in Path(module.__file__).read_text(encoding="utf-8").splitlines():
            code = line.split("#")[0].strip()
            if code.startswith(("import ", "from ", "if ", "assert ")):
                assert not names.search(re.sub(r'"[^"]*"', "", code)), f"{module.__name__}: {line}"


@pytest.mark.parametrize("id", ["no-area", "Area/words", "area/word", "area/two words", "area/", "/a-b"])
def test_a_malformed_id_is_refused(id):
    def test_nothing(implementation, device):
        """Nothing happens."""

    with pytest.raises(ContractError, match="not of the form"):
        clause(id, "torch.nn.Module", "Base class")(test_nothing)


def test_an_id_used_twice_is_refused():
    def test_nothing(implementation, device):
        """Nothing happens."""

    with pytest.raises(ContractError, match="used twice"):
        clause(CHECKED[0].id, "torch.nn.Module", "Base class")(test_nothing)


def test_a_property_without_a_sentence_is_refused():
    def test_nothing(implementation, device):
        pass

    with pytest.raises(ContractError, match="must state the clause"):
        clause("area/without-sentence", "torch.nn.Module", "Base class")(test_nothing)


def test_the_changelog_lists_the_clauses_added_since_the_last_version():
    root = Path(__file__).parent
    before = set((root / "clauses_of_0.1.0.txt").read_text(encoding="utf-8").split())
    listed = set(re.findall(r"^- `([^`]+)`$", (root.parent / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE))
    assert listed == set(CLAUSES) - before
    assert before - set(CLAUSES) <= set(SUCCESSORS), "a clause that a user may have a deviation for is gone"


def test_a_clause_that_is_gone_has_one_successor_that_is_there():
    assert {new for old, new in SUCCESSORS.items() if new not in CLAUSES or old in CLAUSES} == set()


def test_what_names_a_clause_that_is_gone_is_told_its_successor(tmp_path):
    old, new = next(iter(SUCCESSORS.items()))
    told = f"{old} is part of {new} now: name that instead"
    file = tmp_path / "known.toml"
    file.write_text(f'["{old}"]\nreason = "It does."\nlink = "not reported that we found"\n', encoding="utf-8")
    with pytest.raises(deviations.DeviationError, match=re.escape(told)):
        deviations.read(file, CLAUSES)
    with pytest.raises(ContractError, match=re.escape(told)):
        contract.selected(old)
    with pytest.raises(ContractError, match=re.escape(told)):
        check_module(Case(object, known={old: "It does."}), implementation="reference")


def test_a_smoke_shows_clauses_and_nothing_else_does():
    for one in CHECKED:
        assert bool(one.shows) == (one.severity is Severity.SMOKE) != bool(one.quote), one.id
        assert [id for id in one.shows if id not in CLAUSES or CLAUSES[id].severity is Severity.SMOKE] == [], one.id
