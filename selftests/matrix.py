"""The kill matrix: which properties see which faults.

    python -m selftests.matrix                  what is not known yet, or has changed since
    python -m selftests.matrix --seconds 600    for ten minutes; go on later
    python -m selftests.matrix --fresh          everything anew
    python -m selftests.matrix --near           only what has to do with a fault: faster, and enough for a change
    python -m selftests.matrix --sharpen        with ten times the arguments, of those clauses that look like others

Each property is given the same few arguments under every fault: its own examples, and some that are drawn once, the same
every time. A fault replaces functions; a property that never runs one of these on its arguments cannot see it and is not
asked. Of the others those are asked that belong to an area that the fault is meant for, or quote the same page; and, with
a third of their arguments, the rest, unless there are so many that the function is one that everything stands on. A kill counts
if it happens again in a process of its own, since a fault may leave something behind for the next property.

What is found is kept in ``matrix.json``: a row for each clause, in which its faults are named. That a fault is not in a row
means that a quick look did not see it, or that it was not looked for; ``--examples`` draws more. What ``test_faults`` proves
with many more arguments is filled in.
"""

from __future__ import annotations

import argparse
import hashlib
import inspect
import json
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
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
#: A property that has little to do with a fault is given one in so many of them, and none if it takes longer than this.
FAR, LONG = 3, 1.0
#: How many properties may run a function, for those that have little to do with its fault to be asked as well.
WIDE = 120
#: How many kills are looked at again one by one.
MANY = 12
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


def watched(clause: Clause, subject: Any, sets: list[Arguments]) -> tuple[list[int], list[Code], float]:
    """Which of the sets the property keeps, the functions that run meanwhile, and for how long."""
    runs: set[Code] = set()
    started = time.process_time()

    def trace(frame: Any, event: str, _: Any) -> None:
        runs.add(_key(frame.f_code))

    kept = []
    for i, arguments in enumerate(sets):
        sys.settrace(trace)
        failed = fails(clause, subject, arguments)
        sys.settrace(None)
        if not failed:
            kept.append(i)
    return kept, list(runs), time.process_time() - started


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


def seen(cases: list[Asked], subject: Any) -> tuple[list[Asked], list[Asked]]:
    """Which of the cases fail, one after another in a process of their own, and those left over by one that ends it."""

    def work(say: Callable[[bytes], None]) -> int:
        for case in cases:
            signal.setitimer(signal.ITIMER_PROF, PATIENCE)  # ends the process
            say(b"?")
            asked = obstacle(Case(case.clause, subject)) is None
            failed = asked and any(fails(case.clause, subject, arguments) for arguments in case.sets)
            say(b"!" if failed else b".")
        return 0

    answers = apart(work)[0].decode().split("?")[1:]
    return [case for case, answer in zip(cases, answers) if answer != "."], cases[len(answers) :]


def kills(cases: list[Asked], subject: Any) -> Iterator[str]:
    """The clauses whose properties fail: each alone in a process of its own, or, where they are many, in both orders."""
    while cases:
        suspects, cases = seen(cases, subject)
        if len(suspects) > MANY:
            again, left = seen(suspects[::-1], subject)
            suspects = again + left
        else:
            suspects = [case for case in suspects if seen([case], subject)[0]]
        yield from (case.clause.id for case in suspects)


def prepared(subject: Any, clauses: list[Clause], count: int) -> list[Asked]:
    """The cases that the sound implementation keeps."""
    asked = [clause for clause in clauses if obstacle(Case(clause, subject)) is None]
    sets = {clause.id: drawn(clause, count) for clause in asked}
    cases = []
    for start in range(0, len(asked), 40):
        some = asked[start : start + 40]

        def work(say: Callable[[bytes], None], some: list[Clause] = some) -> int:
            say(json.dumps([watched(clause, subject, sets[clause.id]) for clause in some]).encode())
            return 0

        said, status = apart(work)
        assert status == 0, f"one of these ends the process of {subject}: {[clause.id for clause in some]}"
        for clause, (kept, runs, seconds) in zip(some, json.loads(said), strict=True):
            if kept:
                runs = frozenset(map(tuple, runs))
                cases.append(Asked(clause, [sets[clause.id][i] for i in kept], runs, seconds))
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


def near(fault: Fault, clause: Clause) -> bool:
    """Whether the clause belongs to an area that the fault is meant for, or quotes the same page."""
    meant = [contract.CLAUSES[id] for id in fault.catches]
    return any(clause.area == one.area or clause.docs == one.docs for one in meant)


def killed(fault: Fault, cases: list[Asked], subject: Any) -> list[str]:
    """The clauses among the cases that see the fault."""
    codes = replaced(fault)
    concerned = [case for case in cases if codes is EVERYTHING or codes & case.runs]
    asked = [case for case in concerned if near(fault, case.clause)]
    if len(concerned) <= WIDE:
        far = [case for case in concerned if case not in asked and case.seconds < LONG]
        asked += [case._replace(sets=case.sets[: max(1, len(case.sets) // FAR)]) for case in far]
    fault.plant(pytest.MonkeyPatch())  # this process ends with it
    return list(kills(asked, subject))


# --- all of them ----------------------------------------------------------------------------------------------------


@dataclass
class Matrix:
    """What is known.

    Attributes:
        examples: how many sets of arguments were drawn for each clause.
        clauses, faults: a digest of the text of each that was asked.
        left: of a fault, the clauses that it was not asked about yet; of one that was asked nothing, there is no digest.
        rows: the faults that each clause sees.
    """

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
        parts = []
        for name, value in vars(self).items():
            if isinstance(value, dict):
                lines = ",\n".join(f"  {json.dumps(key)}: {json.dumps(each)}" for key, each in value.items())
                parts.append(f' "{name}": {{\n{lines}\n }}' if value else f' "{name}": {{}}')
            else:
                parts.append(f' "{name}": {value}')
        path.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")

    def todo(self, clauses: dict[str, str], faults: dict[str, str]) -> dict[str, list[str]]:
        """Forget what is gone or has changed; of each fault the clauses that are to be asked."""
        old = {id for id, digest in clauses.items() if self.clauses.get(id) == digest}
        self.faults = {name: digest for name, digest in faults.items() if self.faults.get(name) == digest}
        self.rows = {
            id: [name for name in self.rows.get(id, ()) if name in self.faults and id in old] for id in clauses
        }
        left = {name: {*self.left.get(name, ())} for name in self.faults}
        self.left = {name: [id for id in clauses if id not in old or id in ids] for name, ids in left.items()}
        self.left = {name: ids for name, ids in self.left.items() if ids}
        self.clauses = clauses
        return {name: self.left.get(name, []) if name in self.faults else list(clauses) for name in faults}

    def meant(self, planted: Iterable[Fault]) -> None:
        """Fill in what ``test_faults`` proves with more arguments: that the clauses that a fault names see it."""
        for fault in planted:
            for id in fault.catches:
                self.rows[id] = sorted({*self.rows[id], fault.name})

    def alike(self) -> dict[str, list[str]]:
        """The clauses of which each fault is seen by another clause too, and those others."""
        sets = {clause: set(row) for clause, row in self.rows.items() if row}
        found = {
            one: [other for other, more in sets.items() if other != one and row <= more] for one, row in sets.items()
        }
        return {one: others for one, others in found.items() if others}

    def unseen(self, clauses: Iterable[str]) -> dict[str, list[str]]:
        """Of each fault those of the clauses that do not see it."""
        chosen = list(clauses)
        return {name: [id for id in chosen if name not in self.rows[id]] for name in self.faults}

    def add(self, fault: str, digest: str, asked: list[str], killed: list[str]) -> None:
        """What asking these clauses found."""
        self.faults[fault] = digest
        self.left.pop(fault, None)
        for id in asked:
            self.rows[id] = sorted({*self.rows[id], fault} if id in killed else {*self.rows[id]} - {fault})


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
    parser.add_argument(
        "--sharpen", action="store_true", help="ask clauses that look like others again, about ten times more"
    )
    parser.add_argument(
        "--near", action="store_true", help="ask only clauses of a fault's areas, or that quote its pages"
    )
    given = parser.parse_args(arguments)
    warnings.simplefilter("ignore")

    matrix = Matrix() if given.fresh else Matrix.read()
    if given.examples not in (None, matrix.examples):
        matrix = Matrix(given.examples)
    clauses, known = digests()
    todo = matrix.todo(clauses, known)
    if given.sharpen:
        todo = matrix.unseen(matrix.alike())
    if given.near:
        planted = {fault.name: fault for fault in faults.FAULTS}
        todo = {name: [id for id in ids if near(planted[name], contract.CLAUSES[id])] for name, ids in todo.items()}
    for name in [name for name, ids in todo.items() if not ids]:
        matrix.add(name, known[name], todo.pop(name), [])
    examples = matrix.examples * 10 if given.sharpen else matrix.examples
    started = time.monotonic()
    for target in sorted({fault.target for fault in faults.FAULTS}, key=lambda name: name != "reference"):
        here = [
            (fault.name, todo[fault.name]) for fault in faults.FAULTS if fault.target == target and fault.name in todo
        ]
        if not here or time.monotonic() - started > given.seconds:
            continue
        wanted = {id for _, ids in here for id in ids}
        chosen = [clause for clause in contract.checked() if clause.id in wanted]
        _cases[target] = prepared(finding.find(target), chosen, examples)
        print(f"{target}: {len(here)} faults, {len(wanted)} clauses; {time.monotonic() - started:.0f} s", flush=True)
        with get_context("fork").Pool(given.jobs, maxtasksperchild=1) as pool:
            while here and time.monotonic() - started < given.seconds:
                few, here = here[: 8 * given.jobs], here[8 * given.jobs :]
                for name, asked, found in pool.imap_unordered(_ask, few, chunksize=1):
                    matrix.add(name, known[name], asked, found)
                    print(f"{time.monotonic() - started:6.0f} s  {name}: {len(found)}", flush=True)
                matrix.write()
    matrix.meant(faults.FAULTS)
    matrix.write()


if __name__ == "__main__":
    main()
