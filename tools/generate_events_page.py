"""Derives `docs/events.md`, the reference of the system events for site owners, from the catalogue."""

import json
from collections.abc import Iterable
from pathlib import Path

from server.events.attributes import Attribute
from server.events.catalogue import Catalogue, SystemEvent

_HEAD_PATH = Path(__file__).with_name("events_page_head.md")
_SENDERS = {"page": "pages and servers", "server": "servers only"}
_USER_ID = "42"
_LINE_LENGTH = 100


def events_page(catalogue: Catalogue) -> str:
    """Return the whole of `events.md`."""
    parts = [_HEAD_PATH.read_text(encoding="utf-8").replace("COUNT", str(len(catalogue.events)))]
    for key, title in catalogue.groups.items():
        events = [event for event in catalogue.events if event.group == key]
        parts.append(f"\n## {title.en} ({title.ru})\n\n{_overview(events)}")
        parts.extend(_event_section(event) for event in events)
    return "".join(parts)


def _overview(events: Iterable[SystemEvent]) -> str:
    rows = ((_code(e.name), e.title.en, e.title.ru, _SENDERS[e.sender], _maker(e)) for e in events)
    return _table(("Event", "English", "Russian", "Who may send it", "Made by"), rows)


def _event_section(event: SystemEvent) -> str:
    lines = [
        f"\n### {_code(event.name)}\n",
        f"\n**{event.title.en}** · {event.title.ru}\n",
        f"\n{event.description}\n",
        f"\nWho may send it: {_SENDERS[event.sender]}. Made by: {_maker(event)}.\n",
    ]
    if event.attributes:
        heads = ("Attribute", "Type", "Required", "English", "Russian")
        lines.append("\n" + _table(heads, (_attribute_row(attribute) for attribute in event.attributes)))
    if event.has_parallel_lists:
        lines.append("\nThe lists are parallel: all that are sent must have the same length.\n")
    lines.append("\n" + (_page_example(event) if event.sender == "page" else _server_example(event)))
    return "".join(lines)


def _maker(event: SystemEvent) -> str:
    return event.made_by or ("your site" if event.sender == "page" else "your server")


def _attribute_row(attribute: Attribute) -> tuple[str, ...]:
    required = "yes" if attribute.is_required else "no"
    if attribute.added_by == "server":
        required = "filled in by Footfall"
    return _code(attribute.name), _type_words(attribute), required, attribute.title.en, attribute.title.ru


def _type_words(attribute: Attribute) -> str:
    if attribute.values:
        values = ", ".join(_code(value) for value in attribute.values)
        return f"one of {values}" + ("; others are kept" if attribute.allows_other_values else "")
    words = attribute.type.value.replace("_", " ")
    if attribute.max_length is not None:
        words += f", up to {attribute.max_length} characters"
    if attribute.default is not None:
        words += f", {_code(json.dumps(attribute.default))} when missing"
    return words


def _page_example(event: SystemEvent) -> str:
    """Return the call in JavaScript; what the server fills in is not sent."""
    props = _example_props(event)
    name = json.dumps(event.name)
    pairs = [f"{key}: {_json(value)}" for key, value in props.items()]
    call = f"tracker.track({name}, {{ {', '.join(pairs)} }});" if pairs else f"tracker.track({name});"
    if len(call) > _LINE_LENGTH:
        call = f"tracker.track({name}, {{\n" + "".join(f"  {pair},\n" for pair in pairs) + "});"
    return f"```js\n{call}\n```\n"


def _server_example(event: SystemEvent) -> str:
    """Return the JSON for `POST /api/events`."""
    body: dict[str, object] = {"name": event.name, "user_id": _USER_ID}
    if props := _example_props(event):
        body["props"] = props
    text = _json(body)
    return f"`POST /api/events`\n\n```json\n{_json(body, indent=2) if len(text) > _LINE_LENGTH else text}\n```\n"


def _example_props(event: SystemEvent) -> dict[str, object]:
    return {a.name: a.example for a in event.attributes if a.added_by == "sender"}


def _json(value: object, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _code(text: str) -> str:
    return f"`{text}`"


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Return a Markdown table; a bar inside a cell would start the next one."""
    lines = [heads, ("---",) * len(heads), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)
