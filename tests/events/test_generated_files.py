from pathlib import Path

import pytest

from server.events.catalogue import load_catalogue
from tools.generate import GENERATED, ROOT, main, stale_files
from tools.generate_events_page import events_page
from tools.generate_types import event_types

CATALOGUE = load_catalogue()
PAGE_EVENTS = [event.name for event in CATALOGUE.events if event.sender == "page"]
SERVER_EVENTS = [event.name for event in CATALOGUE.events if event.sender == "server"]


def test_generated_files_are_fresh() -> None:
    assert stale_files(ROOT) == []


def test_check_names_each_stale_file_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"], root=tmp_path) == 1
    complaints = capsys.readouterr().err
    assert all(path in complaints for path, _ in GENERATED)
    assert list(tmp_path.iterdir()) == []


def test_writing_makes_the_check_pass_and_touches_stale_files_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([], root=tmp_path) == 0
    assert main(["--check"], root=tmp_path) == 0
    changed = GENERATED[0][0]
    (tmp_path / changed).write_text("changed by hand", encoding="utf-8")
    capsys.readouterr()
    assert main([], root=tmp_path) == 0
    assert capsys.readouterr().out == f"wrote {changed}\n"


@pytest.mark.parametrize(("path", "text"), GENERATED, ids=[path for path, _ in GENERATED])
def test_generated_file_says_so_on_top(path: str, text: object) -> None:
    first = (ROOT / path).read_text(encoding="utf-8").splitlines()[0]
    assert callable(text)
    assert "Generated" in first
    assert "make generate" in first


def test_page_has_a_section_titles_and_an_example_for_every_event() -> None:
    page = events_page(CATALOGUE)
    sections = {part.split("`", 1)[0]: part for part in page.split("\n### `")[1:]}
    assert list(sections) == [event.name for event in CATALOGUE.events]
    for event in CATALOGUE.events:
        section = sections[event.name]
        assert f"**{event.title.en}** · {event.title.ru}" in section
        assert event.description in section
        assert all(f"| `{attribute.name}` |" in section for attribute in event.attributes)
        call = f'tracker.track("{event.name}"' if event.sender == "page" else f'"name": "{event.name}"'
        assert call in section


def test_page_example_leaves_out_what_the_server_fills_in() -> None:
    start = events_page(CATALOGUE).split("### `$session_start`")[1].split("### ")[0]
    example = start.split("```js")[1]
    assert "$resolution" in example
    assert "$ip" not in example


def test_page_shows_types_values_and_limits() -> None:
    page = events_page(CATALOGUE)
    assert "| `$body` | text, up to 255 characters | no |" in page
    assert "| `$order_id` | id | yes |" in page
    assert "| `$type` | one of `popup_chat`, `popup_big`, `popup_small`, `email`; others are kept | no |" in page
    assert '| `$utm_term` | text, `""` when missing | no |' in page
    assert "| `$ip` | text | filled in by Footfall |" in page
    assert "this page lists all 48 of them" in page


def test_types_hold_the_events_of_pages_only() -> None:
    types = event_types(CATALOGUE)
    assert [name for name in PAGE_EVENTS if f"  {name}: Props" not in types] == []
    assert [name for name in SERVER_EVENTS if f"  {name}: Props" in types] == []


@pytest.mark.parametrize(
    "line",
    [
        "$order_id: string | number;",
        "$order_amount?: Optional<number>;",
        "$fields?: Optional<readonly Optional<string>[]>;",
        "$amount?: Optional<readonly Optional<number>[]>;",
        '$trigger?: Optional<"pointer" | "scroll" | "back">;',
        '$type?: Optional<"popup_chat" | "popup_big" | "popup_small" | "email" | (string & Record<never, never>)>;',
        "$ip?: never;",
    ],
)
def test_types_of_attributes(line: str) -> None:
    assert f"    {line}\n" in event_types(CATALOGUE)


def test_types_bring_no_run_time_code() -> None:
    """Every statement starts with `type`, `export type` or `export interface`, so that the bundle cannot grow."""
    types = event_types(CATALOGUE)
    starts = [line for line in types.splitlines() if line and not line.startswith((" ", "/", "}"))]
    assert starts
    assert [line for line in starts if not line.startswith(("type ", "export type ", "export interface "))] == []
