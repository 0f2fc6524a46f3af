"""Whole forms, and sheets: pages that hold as many of them as the tracker's limit of events allows."""

import json
import random
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from e2e.forms.canaries import Canaries
from e2e.forms.fields import Act, Field, make_field

# a burst of 100 events is taken, and the arrival and the last view take some
MAX_EVENTS = 85
# the real keyboard takes its time
KEYED_EVERY = 3
PLUGINS = "outbound,scroll,errors,engagement,ecommerce,push,calendly,vitals"
_DRIVER = Path(__file__).with_name("drive.js").read_text(encoding="utf-8")
_SUBMITS = {  # way to submit: how often that is told
    "press": 1, "request": 1, "twice": 2, "program": 0, "invalid": 0, "none": 0, "stopped": 1, "send": 1,
}  # fmt: skip
_SUBMIT_WEIGHTS = (6, 3, 1, 1, 1, 4, 3, 2)
# fields that hide their form's own properties
_CLOBBERS = ("name", "id", "action", "submit", "method", "elements", "closest", "getAttribute", "matches", "length")


@dataclass(kw_only=True)
class Form:
    """Shape: told says how often its submission is told; action is what may be told of its address."""

    number: int
    html: str
    fields: list[Field]
    told: int
    action: str
    acts: list[Act] = field(default_factory=list)
    keyed: list[Act] = field(default_factory=list)
    canaries: list[str] = field(default_factory=list)
    is_ignored: bool = False

    @property
    def name(self) -> str:
        """Return what the page calls it."""
        return f"form_{self.number}"

    def count(self) -> int:
        """Return how many events it may cause."""
        return self.told + sum(each.told is None or each.told for each in self.fields)


@dataclass(kw_only=True)
class Sheet:
    """One page. Shape: published are values that the page itself writes into its address and title."""

    number: int
    forms: list[Form]
    published: list[str]

    def html(self, tracker_url: str) -> str:
        """Return the page."""
        search = '<input type="search" name="searched" data-k="searched">'
        return f"""<!doctype html><meta charset="utf-8"><title>Sheet {self.number}</title>
<script>{_DRIVER}</script>
<script src="{tracker_url}/tracker.js" data-plugins="{PLUGINS}"></script>
<iframe name="sink" hidden></iframe>
{"".join(form.html for form in self.forms)}
{search}"""

    def acts(self) -> list[Act]:
        """Return what a visitor does, one after the other; in the end the page shows what was searched for."""
        done = [act for form in self.forms for act in (*(a for each in form.fields for a in each.acts), *form.acts)]
        return [*done, *(["publish", "searched", value] for value in self.published)]

    def keyed(self) -> list[Act]:
        """Return what needs the real keyboard."""
        return [act for form in self.forms for act in (*(a for each in form.fields for a in each.keyed), *form.keyed)]

    def canaries(self) -> list[str]:
        """Return all values that must stay."""
        return [
            value
            for form in self.forms
            for value in (*form.canaries, *(value for each in form.fields for value in each.canaries))
        ]

    def values_told(self) -> list[str]:
        """Return the values of the fields whose author marked them."""
        return [each.value_told for form in self.forms for each in form.fields if each.value_told is not None]


def make_sheets(seed: int, count: int) -> list[Sheet]:
    """Return pages with so many forms together. Shape: the same seed, the same pages."""
    rng = random.Random(seed)  # noqa: S311 - repeatable, not secret
    canaries = Canaries(rng)
    forms = [_make_form(rng, canaries, number) for number in range(count)]
    sheets: list[Sheet] = []
    events = 0
    for form in forms:
        if not sheets or events + form.count() > MAX_EVENTS:
            sheets.append(Sheet(number=len(sheets), forms=[], published=[canaries.make("email")]))
            events = 0
        sheets[-1].forms.append(form)
        events += form.count()
    for sheet in sheets[::KEYED_EVERY]:
        _add_keyed(rng, canaries, sheet)
    return sheets


def _make_form(rng: random.Random, canaries: Canaries, number: int) -> Form:
    fields = [make_field(rng, canaries, f"{number}_{place}") for place in range(rng.randint(1, 5))]
    way = rng.choices(list(_SUBMITS), weights=_SUBMIT_WEIGHTS)[0]
    action, secret = f"/sink/{number}", canaries.make("email")
    form = Form(number=number, html="", fields=fields, told=_SUBMITS[way], action=action, canaries=[secret])
    inside, outside = _divide(rng, form)
    if rng.random() < 0.1:
        inside += "".join(f'<input name="{name}">' for name in rng.sample(_CLOBBERS, 4))
    if way == "invalid":
        inside += "<input required>"
    attributes = (
        f'{"id" if outside else rng.choice(("name", "id"))}="{form.name}" data-f="{number}" target="sink" method="post"'
    )
    attributes += f' action="{action}?for={escape(secret)}#{escape(canaries.make("secret"))}"'
    attributes += "" if way == "invalid" else " novalidate"
    attributes += "" if way in {"send", "program"} else ' onsubmit="return false"'
    button = f'<button data-b="{number}">Save</button>'
    form.html = f"<form {attributes}>{inside}{button}</form>{outside}\n"
    form.acts = [] if way == "none" else [[way, str(number)]]
    _hide(rng, form)
    return form


def _divide(rng: random.Random, form: Form) -> tuple[str, str]:
    """Return the fields inside the form, and those that stand elsewhere and name it."""
    inside, outside = [], []
    for each in form.fields:
        if rng.random() < 0.05 and each.html.startswith("<input"):
            outside.append(each.html.replace("<input", f'<input form="form_{form.number}"', 1))
        else:
            inside.append(each.html)
    return "".join(inside), "".join(outside)


def _hide(rng: random.Random, form: Form) -> None:
    """Put some forms below what is to be ignored, or into a shadow tree: nothing at all is told of them."""
    chance = rng.random()
    if chance < 0.06:
        before, after = rng.choice(
            (("<div data-track-ignore><p></p>", "</div>"), ("<main data-track-ignore>", "</main>"))
        )
        form.html = before + form.html + after
    elif chance < 0.1 and not any('data-place="' in each.html for each in form.fields):
        form.html = f'<div data-place="{rng.choice(("open", "closed"))}" data-inner="{escape(form.html)}"></div>'
    else:
        return
    form.told, form.is_ignored = 0, True
    for each in form.fields:
        each.told = 0
        if each.value_told is not None:
            each.canaries.append(each.value_told)
            each.value_told = None


def _add_keyed(rng: random.Random, canaries: Canaries, sheet: Sheet) -> None:
    """Add a form to a sheet that is filled in with the real keyboard: text, choices and Enter."""
    number = 1_000_000 + sheet.number
    text, chosen, several, secret = (f"{number}_{place}" for place in range(4))
    values = {key: canaries.make("word") for key in (text, chosen, several)} | {secret: canaries.make("secret")}
    options = {key: f'<option value="">Choose</option><option value="{values[key]}">One</option>' for key in values}
    html = {
        text: f'<input name="f_{text}" data-k="{text}">',
        chosen: f'<select name="f_{chosen}" data-k="{chosen}" data-track-value>{options[chosen]}</select>',
        several: f'<select multiple name="f_{several}" data-k="{several}">{options[several]}</select>',
        secret: f'<input type="password" name="f_{secret}" data-k="{secret}" data-track-value>',
    }
    keyed: dict[str, list[Act]] = {
        text: [["keys", text, values[text]]],
        chosen: [["down", chosen]],
        several: [["down", several], ["down", several]],
        secret: [["keys", secret, values[secret]], ["enter", secret]],
    }
    told = rng.choice((True, False))  # without the mark the same choice is told without its value
    fields = [
        Field(key=key, name=f"f_{key}", html=html[key], keyed=keyed[key], canaries=[values[key]]) for key in values
    ]
    if told:
        fields[1].value_told, fields[1].canaries = values[chosen], []
    else:
        fields[1].html = fields[1].html.replace(" data-track-value", "")
    inside = "".join(each.html for each in fields)
    html_form = f'<form id="form_{number}" action="/sink" onsubmit="return false">{inside}<button>Go</button></form>'
    sheet.forms.append(Form(number=number, html=html_form, fields=fields, told=1, action="/sink"))


def plan(sheet: Sheet) -> str:
    """Return what the page's own driver does, as JSON."""
    return json.dumps(sheet.acts(), ensure_ascii=False)
