"""How many labelled strings are taken for what they are: one score for each question and contestant."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bench.accuracy.corpus import Labelled
from server.enrich.bots import bot_reason
from server.enrich.hints import Hints
from server.enrich.parsed_agent import families
from server.enrich.user_agent import describe

_ANDROIDS = {"Fire OS": "Android", "iPadOS": "iOS"}
_PC_TYPES = ("mobile", "tablet", "pc")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a contestant says of a string. Shape: type is `pc`, `mobile`, `tablet` or None."""

    type: str | None
    browser: str | None
    os: str | None
    is_bot: bool


@dataclass(frozen=True, slots=True)
class Score:
    """How often an answer was the label. Shape: of rate errors a lower share is better."""

    question: str
    strings: int
    right: int

    @property
    def share(self) -> float:
        """Return right ÷ strings."""
        return self.right / self.strings if self.strings else 0.0


Contestant = Callable[[Labelled], Answer]


def footfall(row: Labelled) -> Answer:
    """Answer as the server does for an event without client hints."""
    return with_hints(row, Hints())


def with_hints(row: Labelled, hints: Hints) -> Answer:
    """Answer as the server does for an event with these hints."""
    found = describe(row.user_agent, hints)
    os = _ANDROIDS.get(found.os or "", found.os)
    return Answer(found.device_type, found.browser, os, bot_reason(row.user_agent, False, hints) is not None)


def plain_user_agents(row: Labelled) -> Answer:
    """Answer as the library user-agents does by itself; its families get the same plain names as ours."""
    from user_agents import parse

    agent = parse(row.user_agent)
    flags = (agent.is_mobile, agent.is_tablet, agent.is_pc)
    kind = next((name for name, flag in zip(_PC_TYPES, flags, strict=True) if flag), None)
    names = families()
    browser = names.browser.get(agent.browser.family, agent.browser.family)
    os = names.os.get(agent.os.family, agent.os.family)
    return Answer(kind, browser, _ANDROIDS.get(os, os), agent.is_bot)


def score(rows: Iterable[Labelled], contestant: Contestant) -> dict[str, Score]:
    """Return the score of each question, over the strings whose source answers it."""
    counts: dict[str, list[int]] = {}

    def count(question: str, is_right: bool) -> None:  # noqa: FBT001 - counted, not chosen
        tally = counts.setdefault(question, [0, 0])
        tally[0] += 1
        tally[1] += is_right

    for row in rows:
        answer = contestant(row)
        if row.type == "bot":
            count("programs found", answer.is_bot)
            continue
        if row.is_person:
            count("people taken for programs", answer.is_bot)
        if row.type not in {None, "person"}:
            count("device type", answer.type == (None if row.type == "other" else row.type))
        if row.type == "tablet":
            count("tablets", answer.type == "tablet")
        if row.browser is not None:
            count("mainstream browsers", answer.browser == row.browser)
        if row.os is not None:
            count("systems", answer.os == row.os)
    return {question: Score(question, *tally) for question, tally in counts.items()}
