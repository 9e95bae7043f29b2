"""The kill matrix: which properties see which faults.

    python -m selftests.matrix                  what is not known yet, or has changed since
    python -m selftests.matrix --seconds 600    for ten minutes; go on later
    python -m selftests.matrix --fresh          everything anew

Each property is given the same few arguments under every fault: its own examples, and some that are drawn once, the same
every time. A fault replaces functions; a property that never runs one of these on its arguments cannot see it and is not
asked. One that neither belongs to an area that the fault is meant for nor quotes the same page is given two of its
arguments only. A kill counts if it happens again in a process of its own, since a fault may leave something behind for the next
property. What is found is kept in ``matrix.json``: a row for each clause, in which its faults are named.

A few arguments are not many: that a fault is not in a row means that a quick look did not see it. ``--examples`` draws more.
"""

from __future__ import annotations

import argparse
import hashlib
import inspect
import json
import os
import re
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from types import CodeType
from typing import Any, NamedTuple

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st
from hypothesis.errors import UnsatisfiedAssumption

from conformance import contract
from conformance.adapter import finding
from conformance.adapter.absence import Absent
from conformance.contract import Clause
from conformance.language.blueprint import NameTaken
from conformance.run.judge import Case, obstacle
from selftests import faults
from selftests.faults import Fault

FILE = Path(__file__).with_suffix(".json")
EXAMPLES = 6
#: How many of them a property is given that has little to do with a fault, and none if it takes longer than this.
FEW, LONG = 2, 1.0
#: CPU seconds after which a property hangs.
PATIENCE = 10
#: What a fault breaks other than by replacing functions, or functions that are not there yet: every property is asked.
EVERYTHING = None

Arguments = dict[str, Any]
Code = tuple[str, int, str]


class Asked(NamedTuple):
    """A property and the arguments that it keeps without a fault, and the functions that it runs on them."""

    clause: Clause
    sets: list[Arguments]
    runs: frozenset[Code]
    seconds: float


# --- one property ---------------------------------------------------------------------------------------------------


def drawn(clause: Clause, count: int) -> list[Arguments]:
    """The clause's own examples, and as many more drawn, the same every time."""
    found: list[Arguments] = [dict(example) for example in clause.examples]
    if not clause.strategies:
        return [{}]

    @hypothesis.settings(
        max_examples=count,
        database=None,
        derandomize=True,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(st.fixed_dictionaries(dict(clause.strategies)))
    def draw(arguments: Arguments) -> None:
        found.append(arguments)

    draw()
    return found


def fails(clause: Clause, subject: Any, arguments: Arguments) -> bool:
    """Whether the property fails on these arguments: a skip, or arguments that it has no use for, is no failure."""
    assert clause.function is not None
    try:
        clause.function(implementation=subject, device="cpu", **arguments)
    except (Absent, NameTaken, UnsatisfiedAssumption):
        return False
    except BaseException:
        return True
    return False


def code_of(function: Any) -> Code | None:
    """Where the function is written, if it is written in Python."""
    function = getattr(function, "fget", None) or getattr(function, "__func__", function)
    code = getattr(function, "__code__", None)
    return _key(code) if code else None


def _key(code: CodeType) -> Code:
    return code.co_filename, code.co_firstlineno, code.co_name


def watched(clause: Clause, subject: Any, sets: list[Arguments]) -> tuple[list[int], frozenset[Code]]:
    """Which of the sets the property keeps, and the functions that run meanwhile."""
    runs: set[Code] = set()

    def profile(frame: Any, event: str, _: Any) -> None:
        if event == "call":
            runs.add(_key(frame.f_code))

    kept = []
    for i, arguments in enumerate(sets):
        sys.setprofile(profile)
        failed = fails(clause, subject, arguments)
        sys.setprofile(None)
        if not failed:
            kept.append(i)
    return kept, frozenset(runs)


# --- processes ------------------------------------------------------------------------------------------------------


def apart(work: Callable[[Callable[[bytes], None]], int]) -> tuple[bytes, int]:
    """What the work wrote, and how it ended, in a process of its own: 0 is what the work returns if all is well."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.close(read)
            null = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(null, stream)
            status = work(lambda text: os.write(write, text))  # type: ignore[arg-type,return-value]
        finally:
            os._exit(status)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        text = pipe.read()
    return text, os.waitpid(pid, 0)[1]


def first_kill(cases: list[Asked], subject: Any) -> int | None:
    """Which of the cases is the first that fails, hangs or ends the process; None if all keep their promise."""

    def work(say: Callable[[bytes], None]) -> int:
        for i, case in enumerate(cases):
            say(i.to_bytes(4, "big"))
            signal.setitimer(signal.ITIMER_PROF, PATIENCE)  # ends the process
            if obstacle(Case(case.clause, subject)):
                continue
            if any(fails(case.clause, subject, arguments) for arguments in case.sets):
                return 1
        return 0

    said, status = apart(work)
    return int.from_bytes(said[-4:], "big") if status else None


def kills(cases: list[Asked], subject: Any) -> Iterator[str]:
    """The clauses whose properties fail, each alone in a process of its own."""
    while (found := first_kill(cases, subject)) is not None:
        if first_kill(cases[found : found + 1], subject) is not None:
            yield cases[found].clause.id
        cases = cases[found + 1 :]


def prepared(subject: Any, clauses: list[Clause], count: int) -> list[Asked]:
    """The cases that the sound implementation keeps."""
    cases = []
    for clause in clauses:
        if obstacle(Case(clause, subject)):
            continue
        sets = drawn(clause, count)

        def work(say: Callable[[bytes], None], clause: Clause = clause, sets: list[Arguments] = sets) -> int:
            started = time.process_time()
            kept, runs = watched(clause, subject, sets)
            say(json.dumps([kept, list(runs), time.process_time() - started]).encode())
            return 0

        said, status = apart(work)
        assert status == 0, f"{clause.id} ends the process of {subject}"
        kept, runs, seconds = json.loads(said)
        if kept:
            cases.append(Asked(clause, [sets[i] for i in kept], frozenset(map(tuple, runs)), seconds))
    return cases


# --- one fault ------------------------------------------------------------------------------------------------------


def replaced(fault: Fault) -> frozenset[Code] | None:
    """The functions that the fault puts others in the place of; None (everything) where that cannot be said."""
    with pytest.MonkeyPatch.context() as patch:
        fault.plant(patch)
        places = [(target, name) for target, name, _ in patch._setattr]
        others = bool(patch._setitem)
    codes = [code_of(inspect.getattr_static(target, name, None)) for target, name in places]
    return EVERYTHING if others or None in codes or not codes else frozenset(codes)  # type: ignore[arg-type]


def killed(fault: Fault, cases: list[Asked], subject: Any) -> list[str]:
    """The clauses among the cases that see the fault."""
    codes = replaced(fault)
    meant = [contract.CLAUSES[id] for id in fault.catches]
    areas, pages = {clause.area for clause in meant}, {clause.docs for clause in meant}
    concerned = []
    for case in cases:
        if codes is EVERYTHING or codes & case.runs:
            if case.clause.area in areas or case.clause.docs in pages:
                concerned.append(case)
            elif case.seconds < LONG:
                concerned.append(case._replace(sets=case.sets[:FEW]))
    fault.plant(pytest.MonkeyPatch())  # this process ends with it
    return list(kills(concerned, subject))


# --- all of them ----------------------------------------------------------------------------------------------------


@dataclass
class Matrix:
    """What is known: of each clause and fault which text of it was asked, of each fault which clauses are still left."""

    examples: int = EXAMPLES
    clauses: dict[str, str] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    left: dict[str, list[str]] = field(default_factory=dict)
    rows: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path = FILE) -> Matrix:
        """The matrix in that file; an empty one if there is none."""
        return cls(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else cls()

    def write(self, path: Path = FILE) -> None:
        """One line for each clause and each fault."""
        text = json.dumps(vars(self), indent=1, ensure_ascii=False)
        path.write_text(_one_line_each(text) + "\n", encoding="utf-8")

    def brought_up(self, clauses: dict[str, str], known: dict[str, str]) -> None:
        """Forget what is gone or has changed, and note what is therefore left to be asked."""
        changed = {id for id, digest in clauses.items() if self.clauses.get(id) != digest}
        other = {name for name, digest in known.items() if self.faults.get(name) != digest}
        self.rows = {
            id: [name for name in self.rows.get(id, ()) if name in known and name not in other and id not in changed]
            for id in clauses
        }
        self.left = {
            name: list(clauses)
            if name in other
            else [id for id in clauses if id in changed or id in self.left.get(name, ())]
            for name in known
        }
        self.left = {name: ids for name, ids in self.left.items() if ids}
        self.clauses, self.faults = clauses, known

    def add(self, fault: str, asked: list[str], killed: list[str]) -> None:
        """What asking these clauses found."""
        del self.left[fault]
        for id in asked:
            row = {*self.rows[id], fault} if id in killed else {*self.rows[id]} - {fault}
            self.rows[id] = sorted(row)


def _one_line_each(text: str) -> str:
    """JSON in which no list is spread over lines."""
    return re.sub(r"\[\s+((?:\"[^\"]*\",?\s*)+)\]", lambda found: f"[{' '.join(found[1].split())}]", text)


def digest(function: Callable[..., Any]) -> str:
    """A short name for the text of a function."""
    return hashlib.sha256(inspect.getsource(inspect.unwrap(function)).encode()).hexdigest()[:12]


def digests() -> tuple[dict[str, str], dict[str, str]]:
    """Of the clauses and of the faults as they are now."""
    contract.load()
    return (
        {clause.id: digest(clause.function) for clause in contract.checked() if clause.function},
        {fault.name: digest(fault.plant) for fault in faults.load()},
    )


_cases: dict[str, list[Asked]] = {}


def _ask(work: tuple[str, list[str]]) -> tuple[str, list[str], list[str]]:
    """In a process that is used once: what one fault does to the clauses that are left."""
    name, left = work
    fault = next(fault for fault in faults.FAULTS if fault.name == name)
    cases = [case for case in _cases[fault.target] if case.clause.id in left]
    return name, left, killed(fault, cases, finding.find(fault.target))


def main(arguments: list[str] | None = None) -> None:
    """Fill the matrix."""
    parser = argparse.ArgumentParser(description="Which properties see which faults.")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="for how long faults are begun")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--examples", type=int, default=None, help=f"drawn for each clause ({EXAMPLES})")
    parser.add_argument("--fresh", action="store_true", help="forget what is known")
    given = parser.parse_args(arguments)
    warnings.simplefilter("ignore")

    matrix = Matrix() if given.fresh else Matrix.read()
    if given.examples not in (None, matrix.examples):
        matrix = Matrix(given.examples)
    matrix.brought_up(*digests())
    started = time.monotonic()
    for target in sorted({fault.target for fault in faults.FAULTS}, key=lambda name: name != "reference"):
        names = {fault.name for fault in faults.FAULTS if fault.target == target}
        todo = [(name, left) for name, left in matrix.left.items() if name in names]
        wanted = {id for _, left in todo for id in left}
        clauses = [clause for clause in contract.checked() if clause.id in wanted]
        _cases[target] = prepared(finding.find(target), clauses, matrix.examples) if todo else []
        print(f"{target}: {len(todo)} faults, {len(wanted)} clauses; {time.monotonic() - started:.0f} s", flush=True)
        with get_context("fork").Pool(given.jobs, maxtasksperchild=1) as pool:
            while todo and time.monotonic() - started < given.seconds:
                few, todo = todo[: 4 * given.jobs], todo[4 * given.jobs :]
                for name, asked, found in pool.imap_unordered(_ask, few, chunksize=1):
                    matrix.add(name, asked, found)
                    print(f"{time.monotonic() - started:6.0f} s  {name}: {len(found)}", flush=True)
                matrix.write()
    matrix.write()


if __name__ == "__main__":
    main()
