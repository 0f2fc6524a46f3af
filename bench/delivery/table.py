"""From results to the table that people read, and into the page that keeps it."""

import json
import platform
from collections.abc import Sequence
from pathlib import Path

from bench.delivery.result import Result
from bench.delivery.rows import ROWS
from bench.delivery.run import Run

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "README.md"
RUNS = ROOT / ".make" / "delivery"
BEGIN, END = "<!-- delivery:begin -->", "<!-- delivery:end -->"
_TITLES = {row.name: row.title for row in ROWS}
_HEAD = ("What happens", "Engine", "Events tracked", "Stored", "Stored ÷ tracked", "Twice", "Requests ÷ events")
_LAST = ("Bytes ÷ events", "Besides")


def save_run(run: Run) -> None:
    """Keep an engine's run, so that the engines can be measured one by one."""
    RUNS.mkdir(parents=True, exist_ok=True)
    kept = {
        "engine": run.engine,
        "version": run.version,
        "seed": run.seed,
        "size": run.size,
        "measured_at": run.measured_at,
        "results": [result.to_json() for result in run.results],
    }
    (RUNS / f"{run.engine}.json").write_text(json.dumps(kept, indent=1), encoding="utf-8")


def load_runs() -> list[Run]:
    """Return the latest full run of each engine that has one."""
    kept = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(RUNS.glob("*.json"))]
    return [Run(**{**each, "results": [Result(**result) for result in each["results"]]}) for each in kept]


def create_report(runs: Sequence[Run]) -> str:
    """Return the report as Markdown."""
    measured = [f"{run.version} ({run.measured_at}, seed {run.seed})" for run in runs]
    profiles = max((run.size for run in runs), default=0)
    lines = [
        f"Measured in {', '.join(measured)} on {platform.system()},",
        f"with the real server behind a proxy that makes the faults; {profiles} visitors a row, a quarter of them",
        "where they wait for the network, one in the first row and the last. Ids that `track()` returned, noted by the",
        "page itself, are looked up in the server's export. Requests and body bytes are those at the proxy, divided by",
        "all events, automatic ones too.",
        "",
        "| " + " | ".join((*_HEAD, *_LAST)) + " |",
        "|" + "---|" * (len(_HEAD) + len(_LAST)),
    ]
    for name in _TITLES:
        lines += [_line(result) for run in runs for result in run.results if result.row == name]
    return "\n".join(lines)


def write_page(report: str) -> None:
    """Replace what stands between the page's marks. Errors: ValueError when the marks are gone."""
    text = PAGE.read_text(encoding="utf-8")
    if BEGIN not in text or END not in text:
        raise ValueError(f"{PAGE.name} has lost its marks {BEGIN} and {END}")
    head, rest = text.split(BEGIN, 1)
    PAGE.write_text(f"{head}{BEGIN}\n{report}\n{END}{rest.split(END, 1)[1]}", encoding="utf-8")


def _line(result: Result) -> str:
    start = [_TITLES[result.row], result.engine]
    if result.impossible:
        return "| " + " | ".join([*start, *["-"] * 6, f"not produced: {result.impossible}"]) + " |"
    besides = [f"{name} {value:.2f}".replace(".00", "") for name, value in result.figures.items()]
    if result.stored_at_once != result.stored:
        besides.insert(0, f"{result.stored_at_once} at once, the rest with a later visit")
    if result.faults:
        besides.append(f"{result.faults} of {result.requests} requests failed")
    share = result.stored / result.tracked if result.tracked else 0
    cells = [
        *start,
        f"{result.tracked}",
        f"{result.stored}",
        f"{share:.2%}".replace(".00%", " %"),
        f"{result.doubles}",
        f"{result.requests / max(1, result.events):.2f}",
        f"{result.body_bytes / max(1, result.events):.0f}",
        "; ".join(besides),
    ]
    return "| " + " | ".join(cells) + " |"
