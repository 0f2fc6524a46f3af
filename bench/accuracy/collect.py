"""`python -m bench.accuracy.collect`: write `corpus/strings.tsv`, labelled strings out of packages of npm and PyPI.

Only packages under MIT, BSD and Apache licences; `corpus/NOTICE.md` names them. Needs `npm` and the network, so it
is run by hand, when a package is to be exchanged; what it writes is committed. Versions are pinned: the same
packages give the same file.
"""

import ast
import gzip
import hashlib
import io
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).parent / "corpus" / "strings.tsv"
MAX_CHARS = 400
COLUMNS = ("source", "type", "browser", "os", "user_agent")

Row = tuple[str, str, str, str]
"""Type, browser, system, string: the first three in the source's own words, empty where it says nothing."""
Files = dict[str, bytes]


def read_user_agents(files: Files) -> Iterator[Row]:
    """Return real traffic; its labels of Android devices count only where the screen's size agrees."""
    name = next(name for name in files if name.endswith(("user-agents.json", "user-agents.json.gz")))
    raw = files[name]
    for each in json.loads(gzip.decompress(raw) if name.endswith(".gz") else raw):
        text, kind = each["userAgent"], each["deviceCategory"]
        is_large = min(each["screenWidth"], each["screenHeight"]) >= 600
        if "Android" in text and is_large != (kind == "tablet"):
            kind = ""
        yield kind, "", "", text


def read_ua_parser_js(files: Files) -> Iterator[Row]:
    """Return the test tables: one each for browsers, systems and devices."""
    for kind, column in (("browser", 1), ("os", 2), ("device", 0)):
        for each in json.loads(files[f"package/test/{kind}-test.json"]):
            wanted = each["expect"]
            label = wanted.get("type" if column == 0 else "name") or ""
            row = ["", "", "", each["ua"]]
            row[column] = "" if label == "undefined" else label
            yield row[0], row[1], row[2], row[3]


def read_detect_ua(files: Files) -> Iterator[Row]:
    """Return the test table, which is TypeScript: a string and, after it, the names inside its `spec`."""
    source = files["package/test/data.ts"].decode()
    for part in source.split("ua:")[1:]:
        text = re.search(r"'((?:[^'\\]|\\.)*)'", part)
        if text is None:
            continue

        def inside(block: str, key: str, part: str = part) -> str:
            found = re.search(rf"{block}: \{{[^}}]*?\b{key}: '([^']*)'", part)
            return found[1] if found else ""

        yield inside("platform", "type"), inside("browser", "name"), inside("os", "name"), text[1].replace("\\'", "'")


def read_woothee(files: Files) -> Iterator[Row]:
    """Return the test tables: flat YAML, one key a line."""
    for name, raw in files.items():
        if "/testsets/" not in name:
            continue
        for block in raw.decode().split("- target: ")[1:]:
            lines = block.splitlines()
            values = dict(re.findall(r"^  (\w+): *['\"]?(.*?)['\"]?$", block, re.MULTILINE))
            target = lines[0].strip()
            text = ast.literal_eval(target) if target[:1] in "'\"" else target
            kind = values.get("category", "")
            yield kind, values.get("name", "") if kind != "crawler" else "", values.get("os", ""), text


def read_crawlers(files: Files) -> Iterator[Row]:
    """Return strings of programs, one a line."""
    raw = next(raw for name, raw in files.items() if name.endswith("user_agent/crawlers.txt"))
    for text in raw.decode("utf-8", "replace").splitlines():
        yield "crawler", "", "", text


def read_people(files: Files) -> Iterator[Row]:
    """Return strings of people, one a line, those of the last ten years: nothing more is said of them."""
    raw = next(raw for name, raw in files.items() if name.endswith("user_agent/devices.txt"))
    for text in raw.decode("utf-8", "replace").splitlines():
        if re.search(
            r"Chrome/(?:[6-9]\d|1\d\d)\.|Firefox/(?:[6-9]\d|1\d\d)\.|(?:OS|Version)[ /](?:1[1-9]|2\d)[_.]", text
        ):
            yield "person", "", "", text


@dataclass(frozen=True, slots=True)
class Source:
    """A package of a registry, how it is read and how many of its strings are taken at most."""

    package: str
    read: Callable[[Files], Iterator[Row]]
    limit: int


SOURCES = (
    Source("npm:user-agents@2.1.198", read_user_agents, 700),
    Source("npm:user-agents@1.0.500", read_user_agents, 700),
    Source("npm:ua-parser-js@0.7.20", read_ua_parser_js, 600),
    Source("npm:detect-ua@1.0.2", read_detect_ua, 400),
    Source("npm:woothee@1.11.1", read_woothee, 400),
    Source("pypi:crawlerdetect@0.4.2", read_crawlers, 1400),
    Source("pypi:crawlerdetect@0.4.2", read_people, 900),
)


def main() -> int:
    """Fetch, read and write; return the exit status."""
    rows = [(source.package, *row) for source in SOURCES for row in _chosen(source)]
    lines = ["\t".join(COLUMNS), *("\t".join(row) for row in rows)]
    FILE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(rows)} strings, {FILE.stat().st_size:,} bytes")
    return 0


def _chosen(source: Source) -> list[Row]:
    seen: dict[str, Row] = {}
    for row in source.read(_fetch(source.package)):
        text = row[3]
        if text.strip() and text.isprintable() and len(text) <= MAX_CHARS and "\t" not in text:
            seen.setdefault(f"{text}\t{row.index('') if source.read is read_ua_parser_js else ''}", row)
    return sorted(seen.values(), key=lambda row: hashlib.sha256(row[3].encode()).digest())[: source.limit]


def _fetch(package: str) -> Files:
    """Return a package's files by their paths in its archive."""
    registry, _, named = package.partition(":")
    name, _, version = named.rpartition("@")
    with tempfile.TemporaryDirectory() as folder:
        if registry == "npm":
            command = ["npm", "pack", "--silent", named]
        else:
            wanted = [f"{name}=={version}", "--no-deps", "--no-binary", ":all:"]
            command = [sys.executable, "-m", "pip", "download", "--quiet", *wanted]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        archive = next(Path(folder).glob("*gz"))
        return dict(_members(io.BytesIO(archive.read_bytes())))


def _members(raw: io.BytesIO) -> Iterable[tuple[str, bytes]]:
    with tarfile.open(fileobj=raw) as archive:
        for member in archive.getmembers():
            content = archive.extractfile(member) if member.isfile() else None
            if content is not None:
                yield member.name, content.read()


if __name__ == "__main__":
    sys.exit(main())
