"""Deviations: recorded departures of one implementation from single clauses, read from TOML.

["containers/module_list-insert-negative-index"]
reason = "insert(-1, m) puts m at the wrong place"
link = "https://github.com/pytorch/pytorch/issues/..."   # or: link = "not reported that we found"
versions = ">=1.0"                                        # optional, a PEP 440 specifier
devices = ["cpu", "cuda"]                                 # optional, all devices by default
witness = "blueprint=ModuleList([Identity()]), index=-1"  # the property's arguments; none for one that draws nothing
harm = "loses state"                                      # optional: what a user suffers without an error, see HARMS
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from conformance import model
from conformance.adapter.finding import find
from conformance.adapter.lens import seen
from conformance.adapter.port import Implementation
from conformance.contract import Clause, successor
from conformance.language import blueprint as bp
from conformance.language.text import parse_arguments

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

#: The devices a run may ask for.
DEVICES = ("cpu", "cuda")


def devices(asked: str | Iterable[str] | None) -> tuple[str, ...]:
    """The devices asked for, each once; all where none is named.

    Raises:
        ValueError: the suite knows no such device.
    """
    names = dict.fromkeys((asked,) if isinstance(asked, str) else asked or DEVICES)
    for name in names:
        if name not in DEVICES:
            raise ValueError(f"unknown device {name!r}: give one of {', '.join(DEVICES)}")
    return tuple(names)


FIELDS = {"reason", "link", "versions", "devices", "witness", "harm"}

#: The worst that can happen, also the reason of a case whose process is gone: its witness runs in a process of its own.
KILLS = "kills the process"
#: What a departure may do to a user's data with no error to warn of it, worst first.
HARMS = (KILLS, "loses state", "corrupts state", "changes results")


#: How the failure of an entry begins whose witness no longer deviates.
MENDED = "no longer deviates"


class DeviationError(Exception):
    """A deviation file that cannot be used; the message says what, where and how to mend it."""


@dataclass(frozen=True)
class Deviation:
    """One entry: why, where reported, under which conditions, and the arguments that show it."""

    clause: str
    reason: str
    link: str
    versions: SpecifierSet
    devices: tuple[str, ...]
    witness: Mapping[str, Any] | None  # None excuses whatever the property finds
    harm: str = ""
    inherited: bool = False  # from another implementation: where the witness shows nothing here, there is none

    def covers(self, version: str) -> bool:
        """Whether the entry speaks of this version."""
        try:
            return self.versions.contains(Version(version).base_version, prereleases=True)
        except InvalidVersion:
            return not self.versions

    def applies(self, version: str, device: str) -> bool:
        """Whether the entry speaks of this version on this device."""
        return self.covers(version) and (not self.devices or device in self.devices)


def of(implementation: Implementation, clauses: Mapping[str, Clause]) -> dict[str, list[Deviation]]:
    """What is recorded of an implementation: in the file beside its adapter, and of the framework that it builds on.

    Raises:
        DeviationError: as ``read``.
    """
    own = beside(implementation)
    entries = read(own, clauses) if own else {}
    if not implementation.inherits:
        return entries
    base = find(implementation.inherits)
    path = beside(base)
    for id, inherited in (read(path, clauses) if path else {}).items():
        # Its range is one of the base's versions: settled here, since what builds on it counts its own.
        held = [replace(e, inherited=True, versions=SpecifierSet()) for e in inherited if e.covers(base.version)]
        entries.setdefault(id, []).extend(held)  # an entry excuses what its witness shows, not what the base's shows
    return entries


def beside(implementation: Implementation) -> Path | None:
    """The deviation file beside the adapter, if there is one."""
    module = seen(implementation).home
    path = Path(module.__file__ or "").parent / "deviations" / f"{implementation.name}.toml"
    return path if path.is_file() else None


def read(path: Path, clauses: Mapping[str, Clause]) -> dict[str, list[Deviation]]:
    """The entries of a file by clause id; several entries of one clause differ in version or device.

    Raises:
        DeviationError: the file is missing or malformed, or an entry names no clause, lacks a reason or a link, or has a
            witness that its property cannot take.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DeviationError(f"deviation file {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DeviationError(f"deviation file {path} is no TOML: {error}") from error
    entries: dict[str, list[Deviation]] = {}
    for id, content in table.items():
        for entry in content if isinstance(content, list) and content else [content]:
            entries.setdefault(id, []).append(_entry(f"deviation file {path}, [{id}]", id, entry, clauses))
    return entries


def _entry(where: str, id: str, entry: Any, clauses: Mapping[str, Clause]) -> Deviation:
    if not isinstance(entry, dict):
        raise DeviationError(f'{where}: expected a table ["area/clause-id"], found {type(entry).__name__}')
    clause = clauses.get(id)
    if gone := successor(id):
        raise DeviationError(f"{where}: {gone}")
    if clause is None or clause.function is None:
        raise DeviationError(f"{where}: no such clause{_near(id, clauses)}; correct the id or remove the entry")
    unknown = sorted(set(entry) - FIELDS)
    if unknown:
        raise DeviationError(f"{where}: unknown field {unknown[0]!r}; expected {', '.join(sorted(FIELDS))}")
    for field in ("reason", "link", "versions", "witness", "harm"):
        if not isinstance(entry.get(field, ""), str):
            raise DeviationError(f"{where}: {field} = {entry[field]!r} is no text; put it in quotation marks")
    for field in ("reason", "link"):
        if not entry.get(field, "").strip():
            raise DeviationError(f"{where}: the {field} is missing; say it in one sentence")
    versions, devices = conditions(where, entry)
    try:
        witness = parse_arguments(entry.get("witness", ""))
        for value in witness.values():
            if isinstance(value, bp.Blueprint):
                model.of(value)
    except bp.BlueprintError as error:
        raise DeviationError(f"{where}: the witness cannot be read: {error}") from error
    if set(witness) != set(clause.strategies):
        wanted = ", ".join(f"{name}=..." for name in clause.strategies) or "nothing"
        raise DeviationError(f"{where}: the witness must give the property's arguments: {wanted}")
    harm = entry.get("harm", "")
    if harm and harm not in HARMS:
        raise DeviationError(f"{where}: harm = {harm!r} is unknown; give one of {', '.join(HARMS)}, or leave it out")
    return Deviation(id, entry["reason"], entry["link"], versions, devices, witness, harm)


def conditions(where: str, entry: Mapping[str, Any]) -> tuple[SpecifierSet, tuple[str, ...]]:
    """Of which versions and devices an entry speaks.

    Raises:
        DeviationError: it does not say so in a way that can be understood.
    """
    text, devices = str(entry.get("versions", "")), entry.get("devices", [])
    try:
        versions = SpecifierSet(text)
    except InvalidSpecifier as error:
        raise DeviationError(f"{where}: versions = {text!r} is no version specifier such as '>=2.0'") from error
    if "+" in text:
        raise DeviationError(
            f"{where}: versions = {text!r} names a build, but an entry speaks of releases; leave out +..."
        )
    if not isinstance(devices, list) or not all(device in DEVICES for device in devices):
        raise DeviationError(f"{where}: devices must be a list of some of {', '.join(DEVICES)}")
    return versions, tuple(devices)


def _near(id: str, clauses: Mapping[str, Clause]) -> str:
    import difflib

    near = difflib.get_close_matches(id, clauses, 1)
    return f" (did you mean {near[0]}?)" if near else ""
