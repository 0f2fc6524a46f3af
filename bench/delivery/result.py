"""What one row gave in one engine, and what is wrong with it."""

from dataclasses import asdict, dataclass, field
from typing import Any

from bench.delivery.deck import Fate
from bench.delivery.lab import Lab

Figures = dict[str, float]


@dataclass(slots=True)
class Result:
    """One line of the table.

    Shape:  stored_at_once is what came without a later visit; events, requests and body_bytes are all of the row's,
            the automatic events included; figures are what only this row measures, limits their greatest values.
    """

    row: str
    engine: str
    profiles: int = 0
    tracked: int = 0
    stored_at_once: int = 0
    stored: int = 0
    doubles: int = 0
    events: int = 0
    requests: int = 0
    faults: int = 0
    body_bytes: int = 0
    figures: Figures = field(default_factory=dict)
    limits: Figures = field(default_factory=dict)
    impossible: str = ""

    def problems(self) -> list[str]:
        """Return what does not keep the promise, in words."""
        if self.impossible:
            return []
        found = [
            f"{name} is {value:g}, not at most {self.limits[name]:g}"
            for name, value in self.figures.items()
            if name in self.limits and value > self.limits[name]
        ]
        if self.stored != self.tracked or not self.tracked:
            found.append(f"{self.stored} of {self.tracked} stored")
        if self.doubles:
            found.append(f"{self.doubles} stored twice")
        return [f"{self.row} in {self.engine}: {each}" for each in found]

    def to_json(self) -> dict[str, Any]:
        """Return what `Result(**…)` takes."""
        return asdict(self)


def account(lab: Lab, row: str, profiles: list[str], lost_at_once: int) -> Result:
    """Return the row's result as it stands now. Shape: lost_at_once are the events that waited for a later visit.

    Errors: RuntimeError when two profiles were one visitor: then the row would measure less than it says.
    """
    tracked = sum(len(set(lab.site.journals[name].ids)) for name in profiles)
    lost = sum(len(ids) for ids in lab.missing(row, profiles).values())
    beacons = lab.proxy.beacons(row)
    own = [event for event in lab.stored() if _host(event) in profiles]
    visitors = {(event["visitor_id"], _host(event)) for event in own}
    if len({visitor for visitor, _ in visitors}) != len({host for _, host in visitors}):
        raise RuntimeError(f"{row} in {lab.engine}: visitors and profiles are not one to one")
    return Result(
        row=row,
        engine=lab.engine,
        profiles=len(profiles),
        tracked=tracked,
        stored_at_once=tracked - lost_at_once,
        stored=tracked - lost,
        doubles=lab.doubles(row),
        events=len(own),
        requests=len(beacons),
        faults=sum(beacon.fate is not Fate.PASS for beacon in beacons),
        body_bytes=sum(beacon.body_bytes for beacon in beacons),
    )


def _host(event: dict[str, Any]) -> str:
    return str(event["url"]).split("//")[-1].split(":")[0]
