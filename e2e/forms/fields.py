"""One field at a time: what it is, where it stands, how it is filled in, and what may be told of it.

Nothing here knows how the tracker decides: the words that make a field secret are those that pages use.
"""

import random
from dataclasses import dataclass, field
from html import escape

from e2e.forms.canaries import Canaries

Act = list[str]

TEXTS = {  # kind of field: kind of value
    "text": "word", "search": "word", "email": "email", "tel": "tel", "url": "url",
    "textarea": "text", "number": "code",
}  # fmt: skip
# what makes a marked field tell nothing all the same: (kind of value, name, further attributes)
SECRETS: list[tuple[str, str, str]] = [
    ("card", "f", 'autocomplete="cc-number"'),
    ("card", "f", 'autocomplete="section-blue billing cc-number"'),
    ("code", "f", 'autocomplete="shipping CC-CSC"'),
    ("name", "f", 'autocomplete="cc-name"'),
    ("code", "f", 'autocomplete="one-time-code" inputmode="numeric"'),
    ("code", "f", 'autocomplete="section-login one-time-code"'),
    ("secret", "f", 'autocomplete="current-password"'),
    ("secret", "f", 'autocomplete="new-password"'),
    ("card", "cardNumber", ""),
    ("card", "card-number", 'inputmode="numeric"'),
    ("card", "creditcard", ""),
    ("card", "cc_num", ""),
    ("card", "payment[cc]", ""),
    ("code", "cvv", 'inputmode="numeric"'),
    ("code", "card_cvc2", ""),
    ("code", "cvc", ""),
    ("code", "security_code", ""),
    ("code", "otp", ""),
    ("code", "otpCode", ""),
    ("code", "sms_code", ""),
    ("code", "one_time_code", ""),
    ("code", "oneTimeCode", ""),
    ("code", "verification-code", ""),
    ("code", "pin", ""),
    ("secret", "passwd", ""),
    ("secret", "user_pwd", ""),
    ("secret", "passphrase", ""),
    ("document", "passport_no", ""),
    ("document", "passportNumber", ""),
    ("document", "ssn", ""),
    ("document", "iban", ""),
    ("document", "snils", ""),
    ("document", "tax_id", ""),
    ("document", "document_number", ""),
    ("document", "drivers-license", ""),
    ("document", "identity-card", ""),
    ("card", "f", 'aria-label="Card number"'),
    ("code", "f", 'aria-label="Security code"'),
    ("code", "f", 'aria-label="One-time code"'),
    ("card", "f", 'placeholder="Credit card"'),
    ("secret", "f", 'placeholder="Password"'),
    ("document", "f", 'placeholder="Passport number"'),
    ("card", "f", r'pattern="\d{16}"'),
    ("card", "f", r'pattern="[0-9]{13,19}"'),
    ("card", "f", r'pattern="(\d{4} ?){4}" inputmode="numeric"'),
    ("card", "f", r'pattern="[\d ]{13,19}"'),
    ("code", "f", r'pattern="\d{6}" inputmode="numeric"'),
    ("code", "f", r'pattern="[0-9]{4,8}" maxlength="8"'),
    ("document", "f", r'pattern="\d{3}-\d{2}-\d{4}"'),
    ("document", "f", r'pattern="[A-Z]{2}\d{7,9}"'),
]
# names and words that must not be mistaken for secrets: a marked field of theirs tells its value
PLAIN = (
    "city",
    "coupon",
    "company",
    "topic",
    "shipping_note",
    "spinner",
    "account_type",
    "opinion",
    "success",
    "color",
    "accessories",
    "zip",
    "search",
    "size",
    "doctor",
    "inner",
    "footnote",
    "quantity",
    "plan",
    "first-name",
    "passenger",
    "profile",
    "resident",
    "discount_code",
)
IGNORED = (
    ("", "data-track-ignore", ""),
    ("<div data-track-ignore>", "", "</div>"),
    ("<section data-track-ignore><div><fieldset>", "", "</fieldset></div></section>"),
)
MIRRORS = ("title", "value", "aria-description", "data-state", "placeholder", "aria-valuetext", "style")


@dataclass(kw_only=True)
class Field:
    """Shape: key finds the element; told says how often its filling is told, None for once or never.

    value_told is what the marked field tells, None when nothing; canaries are all values that must stay,
    value_told apart; keyed acts need the real keyboard.
    """

    key: str
    name: str
    html: str
    acts: list[Act] = field(default_factory=list)
    keyed: list[Act] = field(default_factory=list)
    told: int | None = 1
    value_told: str | None = None
    canaries: list[str] = field(default_factory=list)


def make_field(rng: random.Random, canaries: Canaries, key: str) -> Field:
    """Return a field of any kind in any place."""
    kind = rng.choices(list(_MAKERS), weights=(30, 25, 15, 15, 15))[0]
    made = _MAKERS[kind](rng, canaries, key)
    if rng.random() < 0.12 and kind in {"text", "secret", "choice"}:
        before, attribute, after = rng.choice(IGNORED)
        made.html = before + made.html.replace("data-k=", f"{attribute} data-k=") + after
        _silence(made)
    return made


def _silence(made: Field) -> None:
    """Expect nothing of a field, not even its value where it is marked."""
    made.told = 0
    if made.value_told is not None:
        made.canaries.append(made.value_told)
        made.value_told = None


def _tag(kind: str, key: str, attributes: str) -> str:
    if kind == "textarea":
        return f'<textarea data-k="{key}" {attributes}></textarea>'
    # which attribute comes first must not matter
    first, second = sorted((attributes, f'type="{kind}"'), reverse=int(key.strip("b")[-1]) % 2 == 0)
    return f'<input {first} {second} data-k="{key}">'


def _write(rng: random.Random, key: str, value: str) -> tuple[list[Act], int | None]:
    """Return a way to write a value into a field, and how often that is told."""
    half = len(value) // 2
    typed = [["type", key, value], ["blur", key]]
    ways: list[tuple[list[Act], int | None]] = [
        (typed, 1),
        ([["type", key, value[:half]], ["type", key, value[half:]], ["blur", key]], 1),
        ([*typed, ["type", key, "."], ["blur", key]], 1),
        ([["mirror", key, rng.choice(MIRRORS)], *typed], 1),
        ([["controlled", key], *typed], None),
        ([["set", key, value]], 0),
    ]
    return ways[rng.choices(range(len(ways)), weights=(8, 2, 2, 3, 3, 2))[0]]


def _text(rng: random.Random, canaries: Canaries, key: str) -> Field:
    kind = rng.choice(list(TEXTS))
    name = f"{rng.choice(PLAIN)}_{key}"
    # a field has the same value as an attribute where the page was rendered with it
    preset = f'data-initial="{escape(canaries.make("name"))}"' if rng.random() < 0.1 else ""
    label = rng.choice(("name", "id"))
    value = canaries.make(TEXTS[kind])
    acts, told = _write(rng, key, value)
    made = Field(key=key, name=name, html=_tag(kind, key, f'{label}="{name}" {preset}'), acts=acts, told=told)
    # a value that is written in several steps or twice is told as it was at the first change
    if rng.random() < 0.3 and acts == [["type", key, value], ["blur", key]]:
        made.html = made.html.replace("data-k=", "data-track-value data-k=", 1)
        # what browsers make of line breaks and numbers is their own affair: these values have none
        made.value_told = value
    else:
        made.canaries.append(value)
    return made


def _secret(rng: random.Random, canaries: Canaries, key: str) -> Field:
    if rng.random() < 0.4:
        return _password(rng, canaries, key)
    kind, word, attributes = rng.choice(SECRETS)
    name = f"{word}_{key}"
    value = canaries.make(kind)
    acts, told = _write(rng, key, value)
    # a page that overwrites the placeholder takes away what says that the field is secret
    acts = [["mirror", key, "title"] if act[0] == "mirror" else act for act in acts]
    called = rng.choice(("name", "id"))
    html = _tag("text", key, f'{called}="{name}" {attributes} data-track-value')
    return Field(key=key, name=name, html=html, acts=acts, told=told, canaries=[value])


def _password(rng: random.Random, canaries: Canaries, key: str) -> Field:
    """Return a password that may be shown while it is typed, before, or after; its name says nothing."""
    name = f"field_{key}"
    value = canaries.make("secret")
    half = len(value) // 2
    show, hide = ["retype", key, "text"], ["retype", key, "password"]
    parts = [["type", key, value[:half]], ["type", key, value[half:]]]
    acts: list[Act] = rng.choice(
        [
            [*parts],
            [parts[0], show, parts[1]],
            [show, *parts],
            [*parts, show],
            [parts[0], show, parts[1], hide],
            [show, *parts, hide],
        ]
    )
    html = _tag("password", key, f'name="{name}" data-track-value')
    # whether a change of type between two keys keeps the change event is the browser's own affair
    return Field(key=key, name=name, html=html, acts=[*acts, ["blur", key]], told=None, canaries=[value])


def _choice(rng: random.Random, canaries: Canaries, key: str) -> Field:
    name, value, other = f"choice_{key}", canaries.make("word"), canaries.make("word")
    kind = rng.choice(("checkbox", "checked", "radio", "select", "multiple"))
    if kind == "checkbox":
        html, acts, told = _tag("checkbox", key, f'name="{name}" value="{value}"'), [["click", key]], 1
    elif kind == "checked":
        html, acts, told = _tag("checkbox", key, f'name="{name}" value="{value}" checked'), [["click", key]], 0
    elif kind == "radio":
        second = _tag("radio", f"{key}b", f'name="{name}" value="{other}"')
        html = f'<span>{_tag("radio", key, f"""name="{name}" value="{value}" """)}{second}</span>'
        acts, told = [["click", key], ["click", f"{key}b"]], 1
    else:
        # choosing needs the real keyboard, which few forms get; a script's choice is none of the visitor's
        options = (
            f'<option value="">Choose</option><option value="{value}">A</option><option value="{other}">B</option>'
        )
        html = f'<select data-k="{key}" name="{name}" {"multiple" if kind == "multiple" else ""}>{options}</select>'
        acts, told = [["set", key, value]], 0
    return Field(key=key, name=name, html=html, acts=acts, told=told, canaries=[value, other])


def _special(rng: random.Random, canaries: Canaries, key: str) -> Field:
    """Return a field of which nothing is told: hidden, emptied, locked, preset, or not a field of the form's kind."""
    name, value = f"special_{key}", canaries.make(rng.choice(("secret", "name", "card")))
    mark = rng.choice(("", "data-track-value"))
    kind = rng.choice(("hidden", "emptied", "readonly", "preset", "editable", "custom", "button"))
    attributes = f'name="{name}" {mark}'
    preset = f'{attributes} value="{escape(value)}"'
    html, acts = {
        "hidden": (_tag("hidden", key, preset), [["set", key, value]]),
        "emptied": (_tag("text", key, preset), [["empty", key], ["blur", key]]),
        "readonly": (_tag("text", key, f"{preset} readonly"), [["type", key, "x"], ["blur", key]]),
        "preset": (_tag("text", key, preset), [["focus", key], ["blur", key]]),
        "editable": (f'<div data-k="{key}" contenteditable {mark}></div>', [["type", key, value], ["blur", key]]),
        "custom": (f'<x-field data-k="{key}" {attributes}></x-field>', [["set", key, value]]),
        "button": (_tag("button", key, preset), [["click", key]]),
    }[kind]
    return Field(key=key, name=name, html=html, acts=acts, told=0, canaries=[value])


def _placed(rng: random.Random, canaries: Canaries, key: str) -> Field:
    """Return a field in a shadow tree or a frame, whose events no page hears; also below what is to be ignored."""
    kind = rng.choice(["text", "password", "textarea"])
    value = canaries.make("secret")
    inner = _tag(kind, key, f'name="placed_{key}" data-track-value')
    place = rng.choice(("open", "closed", "open closed", "closed open", "frame"))
    ignore = rng.choice(("", "data-track-ignore"))
    html = f'<div {ignore}><div data-place="{place}" data-inner="{escape(inner)}"></div></div>'
    acts = [["type", key, value], ["blur", key]]
    return Field(key=key, name=f"placed_{key}", html=html, acts=acts, told=0, canaries=[value])


_MAKERS = {"text": _text, "secret": _secret, "choice": _choice, "special": _special, "placed": _placed}
