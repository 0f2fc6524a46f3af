"""The overview from the tables of hours (storage/hours.py), and from the events that these do not tell of.

Called by overview.py, whose answer this must be to the last number.

A visitor has one row for each kind (`shown`), nearly always one in all, and one mask of names (`visitors`). So visitors
are told apart twice instead of eight times; after that they are numbers of visitors with this mask, or of these kinds,
and the cards are made of few hundred rows here, because for the engine each further step costs more to plan than to do.
(Measured on one core, 430,000 events of 54,000 visitors: 115 ms from events, 33 ms so.)
"""

import heapq
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from server.reports.filters import Filter
from server.reports.reach import Reach, events_outside, rows_told
from server.storage.base import Ask, Row
from server.storage.hours import KEPT, MASK_BITS, READ, counted, known, new_kinds, new_names, rows_of

_IDS = "visitor_uuid, visitor_text"
_IS_KNOWN = "(visitor_uuid is not null or visitor_text is not null)"
_EDGE = rows_of("known")
_SQL = """
with edge as materialized ({edge}),
all_kinds as materialized (
    select * from kinds
    union all select -row_number() over (), * from ({new_kinds})
),
all_names as materialized (
    select * from names
    union all select (select coalesce(max(number), -1) from names) + row_number() over (), name from ({new_names})
),
known as materialized ({known}),
asked as (select kind, source <> 'webhook' as has_visitor from all_kinds where is_bot <= $with_bots),
rows as materialized (
    select * from (
        select {ids}, kind, block, mask, events from visits where {told}
        union all select {ids}, kind, block, mask, events from ({edge_visits})
    ) join asked using (kind)
),
shown as materialized (
    select if(has_visitor, visitor_uuid, null) as visitor_uuid, if(has_visitor, visitor_text, null) as visitor_text,
        kind, sum(events)::bigint as events, bit_or(mask) filter (where block = 0) as mask
    from rows group by all
),
visitors as materialized (
    select {ids}, bit_or(mask) as mask, count(*) as kinds from shown where {is_known} group by all
),
named as materialized (
    select number, all_names.name, is_bot, sum(events)::bigint as events from (
        select number, is_bot, events from name_counts where {told}
        union all select number, is_bot, events from known
    ) join all_names using (number) group by all
),
top as materialized (
    select number, name, sum(events)::bigint as events from named where is_bot <= $with_bots
    group by all order by events desc, name limit $limit
),
top_bits as (
    select number // {mask_bits} as block, bit_or(1::ubigint << (number % {mask_bits})) as bits from top group by block
)
select 'kind' as what, kind as number, null::ubigint as mask, [{kept}] as texts, null::bigint[] as kinds,
    events, visitors
from (
    select kind, sum(events)::bigint as events, count(*) filter (where {is_known}) as visitors from shown group by kind
) join all_kinds using (kind)
union all select 'several', null, null, null, kinds, 0, count(*) from (
    select list(kind) as kinds from shown join (select * exclude (mask) from visitors where kinds > 1) as many
        on shown.visitor_uuid is not distinct from many.visitor_uuid
            and shown.visitor_text is not distinct from many.visitor_text
    group by many.visitor_uuid, many.visitor_text
) group by kinds
union all select 'mask', 0, mask, null, null, 0, count(*) from (
    select mask & (select bits from top_bits where block = 0) as mask from visitors
) group by mask
union all select 'mask', block, mask, null, null, 0, count(*) from (
    select {ids}, block, bit_or(mask & bits) as mask from rows join top_bits using (block)
    where has_visitor and block > 0 and {is_known} group by all
) group by block, mask
union all select 'name', number, null, [name], null, events, 0 from top
union all select if(is_bot, 'bot', 'person'), null, null, null, null, sum(events)::bigint, 0 from named group by is_bot
union all (
    select 'arrival', null, null, [traffic_source], null, sum(events)::bigint as events,
        count(distinct visitor_uuid) filter (where has_visitor)
        + count(distinct visitor_text) filter (where has_visitor)
    from (
        select {ids}, kind, traffic_source, events from arrivals where {told}
        union all select {ids}, kind, traffic_source, events from ({edge_arrivals})
    ) join asked using (kind) group by traffic_source order by events desc, traffic_source limit $limit
)
"""

TOTAL, BOTS = "total", "bots"

Counts = dict[Any, list[int]]
"""Events and visitors of each value."""


def told_overview(ask: Ask, reach: Reach, wanted: Filter, limit: int, *, with_bots: bool) -> list[Row]:
    """Return rows of (card, value, events, visitors), the largest first; total and bots are cards of one row."""
    where, parameters = wanted.where()
    told, hours = rows_told(reach, wanted)
    sql = _SQL.format(
        edge=counted(f"({events_outside(reach, where, READ)})"),
        new_kinds=new_kinds("edge"),
        new_names=new_names("edge"),
        known=known("edge", "all_kinds", "all_names"),
        edge_visits=_EDGE["visits"],
        edge_arrivals=_EDGE["arrivals"],
        ids=_IDS,
        is_known=_IS_KNOWN,
        kept=", ".join(KEPT),
        mask_bits=MASK_BITS,
        told=told,
    )
    found: dict[str, list[Row]] = defaultdict(list)
    for what, *row in ask(sql, {**parameters, **hours, "with_bots": with_bots, "limit": limit}):
        found[what].append(tuple(row))
    cards = {
        "name": _names(found["name"], found["mask"]),
        "traffic_source": {texts[0]: [events, visitors] for _, _, texts, _, events, visitors in found["arrival"]},
        **{card: _kept(place, found["kind"], found["several"]) for place, card in enumerate(KEPT)},
    }
    visitors = sum(row[-1] for row in found["mask"] if row[0] == 0)
    by_bots, by_persons = (sum(row[-2] for row in found[who]) for who in ("bot", "person"))
    return [
        *((card, value, *counts) for card, values in cards.items() for value, counts in _largest(values, limit)),
        (TOTAL, None, by_persons + by_bots * with_bots, visitors),
        (BOTS, None, by_bots, 0),
    ]


def _largest(values: Counts, limit: int) -> list[tuple[Any, list[int]]]:
    """Return the values with the most events, of equal ones the first by name, as the engine orders them."""
    return heapq.nsmallest(limit, values.items(), lambda each: (-each[1][0], each[0] is None, each[0]))


def _names(names: Sequence[Row], masks: Sequence[Row]) -> Counts:
    visitors: Counter[int] = Counter()
    for block, mask, *_, count in masks:
        rest = mask or 0
        while rest:
            bit = rest & -rest
            visitors[block * MASK_BITS + bit.bit_length() - 1] += count
            rest ^= bit
    return {texts[0]: [events, visitors[number]] for number, _, texts, _, events, _ in names}


def _kept(place: int, kinds: Sequence[Row], several: Sequence[Row]) -> Counts:
    """Return the counts by one text of the kinds. Who has several kinds with the same text was counted with each."""
    counts: Counts = defaultdict(lambda: [0, 0])
    value_of: dict[int, str | None] = {}
    for number, _, texts, _, events, visitors in kinds:
        value_of[number] = texts[place]
        counts[texts[place]][0] += events
        counts[texts[place]][1] += visitors
    for *_, theirs, _, count in several:
        for value, times in Counter(value_of[number] for number in theirs).items():
            counts[value][1] -= count * (times - 1)
    return counts
