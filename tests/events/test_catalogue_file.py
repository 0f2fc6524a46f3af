import pytest

from server.events.catalogue_file import CATALOGUE_PATH, parse_catalogue

SMALL = """
[groups.general]
title = { en = "General", ru = "Общее" }

[attributes.note]
name = "$note"
type = "text"
title = { en = "Note", ru = "Заметка" }
example = "x"

[attributes.kind]
name = "$kind"
type = "enum"
values = ["a", "b"]
title = { en = "Kind", ru = "Вид" }
example = "a"

[events."$first"]
group = "general"
title = { en = "First", ru = "Первое" }
description = "It happens."
sender = "page"
attributes = ["note", "kind"]
required = ["kind"]
server_added = ["note"]

[events."$second"]
group = "general"
title = { en = "Second", ru = "Второе" }
description = "It happens again."
sender = "server"
made_by = "the server"
attributes = ["note"]
"""


def test_definitions_are_shared_and_each_event_says_what_is_required() -> None:
    groups, (first, second) = parse_catalogue(SMALL)
    assert groups["general"].ru == "Общее"
    assert [(a.name, a.is_required, a.added_by) for a in first.attributes] == [
        ("$note", False, "server"),
        ("$kind", True, "sender"),
    ]
    assert [(a.name, a.is_required, a.added_by) for a in second.attributes] == [("$note", False, "sender")]
    assert (first.server_added, first.made_by) == (("$note",), None)
    assert (second.sender, second.made_by) == ("server", "the server")


MISTAKES = {
    "unknown type": ('type = "text"', 'type = "string"', "attributes.note: type is 'string'"),
    "enum without values": ('values = ["a", "b"]', "values = []", "attributes.kind: values belong"),
    "values without enum": ('type = "enum"', 'type = "text"', "attributes.kind: values belong"),
    "length of an enum": ('values = ["a", "b"]', 'values = ["a"]\nmax_length = 1', "attributes.kind: max_length and"),
    "no dollar on an attribute": ('name = "$note"', 'name = "note"', "attributes.note: the name 'note'"),
    "no dollar on an event": ('[events."$first"]', "[events.first]", "events.first: the name 'first'"),
    "unknown key": ('example = "x"', 'example = "x"\nrequired = true', "attributes.note: does not know required"),
    "missing key": ('example = "x"', "", "attributes.note: lacks example"),
    "missing title": ('{ en = "Note", ru = "Заметка" }', '{ en = "Note" }', "attributes.note: title needs"),
    "empty title": ('ru = "Первое"', 'ru = ""', "events.$first: title needs"),
    "unknown group": ('group = "general"', 'group = "games"', "events.$first: group is 'games', not one of general"),
    "wrong sender": ('sender = "page"', 'sender = "both"', "events.$first: sender is 'both', not one of page, server"),
    "unknown attribute": ('["note", "kind"]', '["note", "kin"]', "events.$first: no such attribute definition: kin"),
    "attribute listed twice": ('["note", "kind"]', '["note", "note"]', "events.$first"),
    "required, not listed": ('required = ["kind"]', 'required = ["x"]', "events.$first: required or server_added"),
    "parallel lists without lists": (
        'server_added = ["note"]',
        "parallel_lists = true",
        "events.$first: parallel_lists",
    ),
    "event defined twice": ("$second", "$first", "$first"),
    "unknown table": ("[groups.general]", "[sets]\n[groups.general]", "the file: does not know sets"),
}


@pytest.mark.parametrize(("found", "changed", "message"), MISTAKES.values(), ids=MISTAKES)
def test_mistake_stops_with_its_place(found: str, changed: str, message: str) -> None:
    assert found in SMALL
    with pytest.raises(ValueError, match=r".") as stopped:
        parse_catalogue(SMALL.replace(found, changed, 1))
    assert message in str(stopped.value)


def test_same_wire_name_twice_in_one_event_is_a_mistake() -> None:
    two_names = SMALL.replace('name = "$kind"', 'name = "$note"')
    with pytest.raises(ValueError, match=r"events\.\$first: listed twice: \$note"):
        parse_catalogue(two_names)


def test_unused_definition_is_a_mistake() -> None:
    unused = SMALL.replace('["note", "kind"]', '["note"]').replace('required = ["kind"]', "")
    with pytest.raises(ValueError, match="attributes: used by no event: kind"):
        parse_catalogue(unused)


def test_packaged_file_is_read_from_the_package() -> None:
    groups, events = parse_catalogue(CATALOGUE_PATH.read_text(encoding="utf-8"))
    assert list(groups) == ["general", "communications", "shops"]
    assert events[0].name == "$session_start"
