"""The labelled strings: what is in `corpus/`, and what two packages of the development environment bring.

A fixed hash of the string splits them: the half `tune` may be looked at when rules are made; of the half `held-out`
only the figures. A string that several sources label stays on one side.
"""

import hashlib
import json
import re
import tomllib
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources
from pathlib import Path

FOLDER = Path(__file__).parent / "corpus"
TUNE, HELD_OUT = "tune", "held-out"
# Of 326,000 strings: enough for every kind, few enough for a unit test. Rare kinds are taken oftener.
_SHARES = {
    "mobile -> tablet": 24,
    "mobile -> ebook-reader": 48,
    "large-screen -> tv": 4,
    "large-screen -> game-console": 4,
}
# The source calls everything with a window or none a browser; only of strings it has seen often is it a person's.
RARE = " (rare)"
_BOT_SHARE, _USUAL_SHARE, _SMALLEST_SHARE = 2, 120, 2


@dataclass(frozen=True, slots=True)
class Labelled:
    """A string and what its source says of it.

    Shape:  type, browser and os are this bench's words, None unlabelled; is_person is false for programs, and where
            the source takes programs for people.
    """

    source: str
    user_agent: str
    type: str | None
    browser: str | None
    os: str | None
    is_person: bool


@lru_cache(maxsize=2)
def strings(half: str) -> tuple[Labelled, ...]:
    """Return one half of all labelled strings."""
    return tuple(each for each in _all() if (_digest(each.user_agent)[0] % 2 == 0) == (half == TUNE))


@lru_cache(maxsize=1)
def _all() -> tuple[Labelled, ...]:
    found: dict[tuple[str, str], Labelled] = {}
    for each in _labelled([*_collected(), *_fake_useragent(), *_random_user_agent()]):
        known = found.setdefault((each.source, each.user_agent), each)
        found[each.source, each.user_agent] = replace(
            known, type=known.type or each.type, browser=known.browser or each.browser, os=known.os or each.os
        )
    return tuple(found.values())


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()


def _labelled(rows: Iterable[tuple[str, str, str, str, str]]) -> Iterator[Labelled]:
    names = {
        question: {word: name for name, words in table.items() for word in words}
        for question, table in tomllib.loads((Path(__file__).parent / "labels.toml").read_text("utf-8")).items()
    }
    faults = tomllib.loads((FOLDER / "faults.toml").read_text("utf-8"))["faults"]
    patterns = [(fault, re.compile(fault["pattern"], re.IGNORECASE)) for fault in faults]
    for source, kind, browser, system, text in rows:
        labels = {"type": kind, "browser": browser, "os": system}
        found = {question: names[question].get(label.lower()) for question, label in labels.items()}
        for fault, pattern in patterns:
            question = fault["question"]
            if (
                fault["source"] == source.removesuffix(RARE)
                and fault["label"] in {found[question], "*"}
                and pattern.search(text)
            ):
                found[question] = None
        is_person = found["type"] not in {None, "bot"} and not source.endswith(RARE)
        yield Labelled(source.removesuffix(RARE), text, found["type"], found["browser"], found["os"], is_person)


def _collected() -> Iterator[tuple[str, str, str, str, str]]:
    for line in (FOLDER / "strings.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        source, kind, browser, system, text = line.split("\t")
        yield source, kind, browser, system, text


def _fake_useragent() -> Iterator[tuple[str, str, str, str, str]]:
    data = (resources.files("fake_useragent") / "data" / "browsers.jsonl").read_text(encoding="utf-8")
    for line in data.splitlines():
        row = json.loads(line)
        yield "pypi:fake-useragent", row["type"], row["browser"] or "", row["os"] or "", row["useragent"]


def _random_user_agent() -> Iterator[tuple[str, str, str, str, str]]:
    with (
        resources.as_file(resources.files("random_user_agent") / "data" / "user_agents.zip") as path,
        zipfile.ZipFile(path) as archive,
    ):
        lines = archive.read("user_agents.jl").splitlines()
    for line in lines:
        number = int.from_bytes(hashlib.sha256(line).digest()[1:4])
        if number % _SMALLEST_SHARE:  # chosen before it is read: a hash is cheaper than its JSON
            continue
        row = json.loads(line)
        software, hardware = row["software_type"], row["hardware_type"]
        share = _BOT_SHARE if software.startswith("bot") else _SHARES.get(hardware, _USUAL_SHARE)
        if number % share == 0:
            kind = (
                software
                if software.startswith("bot")
                else hardware
                if "->" in hardware or hardware == "computer"
                else ""
            )
            source = "pypi:random-user-agent" + (RARE if row["popularity"] == "uncommon" else "")
            yield source, kind, row["software_name"], row["operating_system"], row["user_agent"]
