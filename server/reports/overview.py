"""What the dashboard shows of a period: totals, and a card of counts for each of some dimensions, in one question.

Asked one by one, the cards read the same events again and again, and all at the same time: most of the work is to tell
visitors apart. A visitor's browser and the like hardly ever change, so these cards are counted from one row for each
visitor instead of one for each event (measured on one core, 420,000 events: 353 ms in eight questions, 196 ms in one).
Folded hours are not read at all where the tables know what is asked (overview_told.py).
Every answer is of the same instant, and the same as `count_events` gives.
"""

from typing import Any

from server.reports.filters import Filter
from server.reports.overview_told import BOTS, TOTAL, told_overview
from server.reports.reach import is_told, reach_of
from server.reports.registry import DIMENSIONS, METRICS, VISITOR
from server.storage.base import Ask, Row, Store
from server.storage.hours import ARRIVAL, KEPT

CARDS = ("name", "traffic_source", "browser", "os", "device_type", "source")

# a later event of a session was referred by the site's own pages, so a source is counted where it is known
ONLY = {"traffic_source": f"name = '{ARRIVAL}'"}

_SQL = """
with asked as (select * from events where {where}),
kept as materialized (
    select {visitor} as visitor, {kept}, bot is not null as is_bot, count(*) as events from asked group by all
)
{cards}
union all select '{total}', null, coalesce(sum(events), 0)::bigint, count(distinct visitor)
    from kept where is_bot <= $with_bots
union all select '{bots}', null, coalesce(sum(events), 0)::bigint, 0 from kept where is_bot
"""
_KEPT_CARD = """(
    select '{card}', "{card}" as value, sum(events)::bigint as events, count(distinct visitor) as visitors
    from kept where is_bot <= $with_bots group by value order by events desc, value limit $limit
)"""
_CARD = """(
    select '{card}', {dimension} as value, {events} as events, {visitors} as visitors
    from asked where (bot is not null) <= $with_bots and {only} group by value order by events desc, value limit $limit
)"""


def overview(store: Store, wanted: Filter, limit: int, *, with_bots: bool) -> dict[str, Any]:
    """Return the totals, how many events bots made, and up to `limit` rows of each card, largest first.

    Shape:  {"totals": {events, visitors}, "bots": {events}, "cards": {dimension: [{dimension, events, visitors}]}};
            bots are in totals and cards where they are asked for. The filter must let them pass.
    """
    with store.instant() as ask:
        rows = _ask(ask, wanted, limit, with_bots=with_bots)
    found: dict[str, list[Row]] = {card: [] for card in (*CARDS, TOTAL, BOTS)}
    for card, *row in rows:
        found[card].append(tuple(row))
    total = found[TOTAL][0]
    return {
        "totals": {"events": total[1], "visitors": total[2]},
        "bots": {"events": found[BOTS][0][1]},
        "cards": {
            card: [{card: value, "events": events, "visitors": visitors} for value, events, visitors in found[card]]
            for card in CARDS
        },
    }


def _ask(ask: Ask, wanted: Filter, limit: int, *, with_bots: bool) -> list[Row]:
    """Return rows of (card, value, events, visitors); total and bots are cards of one row."""
    reach = reach_of(ask, wanted) if is_told(wanted) and wanted.name is None else None
    if reach is not None:
        return told_overview(ask, reach, wanted, limit, with_bots=with_bots)
    where, parameters = wanted.where()
    return ask(_sql(where), {**parameters, "limit": limit, "with_bots": with_bots})


def _sql(where: str) -> str:
    return _SQL.format(
        where=where,
        visitor=VISITOR,
        kept=", ".join(KEPT),
        cards=" union all ".join(_card(card) for card in CARDS),
        total=TOTAL,
        bots=BOTS,
    )


def _card(card: str) -> str:
    if card in KEPT:
        return _KEPT_CARD.format(card=card)
    return _CARD.format(
        card=card,
        dimension=DIMENSIONS[card],
        only=ONLY.get(card, "true"),
        events=METRICS["events"],
        visitors=METRICS["visitors"],
    )
