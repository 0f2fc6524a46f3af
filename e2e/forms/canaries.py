"""Values that nobody else would write, so that each is recognised wherever it turns up."""

import random
import re
import string
from collections.abc import Callable, Iterable
from urllib.parse import unquote_plus

GIVEN = ("Ottilie", "Zoë", "Łukasz", "Søren", "Мария", "Aoife", "José", "Ngọc")
_CONSONANTS = "bdfgklmnprstvz"
_PART = 8
_STRIDE = 3
_LONG = _PART + _STRIDE - 1
_TOKEN = re.compile(r"[^\W_]+")
_SEPARATOR = re.compile(r"[\W_]+")


class Canaries:
    """Makes values of every kind that people fill in, each once. Shape: the same random, the same values."""

    def __init__(self, random: random.Random) -> None:
        self._random = random
        self._made: set[str] = set()

    def make(self, kind: str) -> str:
        """Return a value: word, secret, card, code, name, email, tel, url, document or text."""
        make: Callable[[], str] = getattr(self, f"_{kind}")
        while (value := make()) in self._made:
            pass
        self._made.add(value)
        return value

    def _word(self) -> str:
        return "".join(self._random.choice(_CONSONANTS) + self._random.choice("aeiou") for _ in range(6))

    def _secret(self) -> str:
        signs = string.ascii_letters + string.digits + "!$%&/()=?#+*-_.:;<>\"'\\{}[]"
        return "".join(self._random.choices(string.ascii_letters, k=12) + self._random.choices(signs, k=8))

    def _card(self) -> str:
        digits = [4, *(self._random.randrange(10) for _ in range(14))]
        doubled = [sum(divmod(2 * digit, 10)) if place % 2 == 0 else digit for place, digit in enumerate(digits)]
        number = "".join(map(str, [*digits, -sum(doubled) % 10]))
        return " ".join(re.findall("....", number)) if self._random.random() < 0.5 else number

    def _code(self) -> str:
        return str(self._random.randrange(100_000, 1_000_000))

    def _name(self) -> str:
        return f"{self._random.choice(GIVEN)} {self._word().capitalize()}"

    def _email(self) -> str:
        return f"{self._word()}.{self._word()}@{self._word()}.example"

    def _tel(self) -> str:
        return f"+49 {self._random.randrange(150, 180)} {self._random.randrange(10**8, 10**9)}"

    def _url(self) -> str:
        return f"https://{self._word()}.example/{self._word()}?{self._word()}={self._code()}"

    def _document(self) -> str:
        return "".join(self._random.choices(string.ascii_uppercase, k=2)) + str(self._random.randrange(10**8, 10**9))

    def _text(self) -> str:
        return f"Please ring {self._word()}{self._word()} twice, then 'knock'.\nThanks, {self._name()}"


def squeeze(text: str) -> str:
    """Return only the letters and digits: a value is recognised whatever was put between its parts."""
    return _SEPARATOR.sub("", text)


def find_canaries(values: Iterable[str], texts: Iterable[str]) -> set[str]:
    """Return which of the values occur in the texts: as they are, decoded as in addresses, or with other separators.

    A long value is found anywhere; a short one, such as a code of six digits, only as a word of its own, because
    ids and times are full of digits.
    """
    parts: dict[str, list[tuple[int, str, str]]] = {}
    short: dict[str, str] = {}
    for value in values:
        squeezed = squeeze(value)
        if len(squeezed) < _LONG:
            short[squeezed] = value
            continue
        # every third part of a text is looked up, so whatever is long enough shows one of its first three
        for start in range(_STRIDE):
            parts.setdefault(squeezed[start : start + _PART], []).append((start, squeezed, value))
    found: set[str] = set()
    for each in texts:
        for text in {each, unquote_plus(each)}:
            found |= {short[token] for token in short.keys() & set(_TOKEN.findall(text))}
            squeezed = squeeze(text)
            for at in range(0, len(squeezed), _STRIDE):
                for start, whole, value in parts.get(squeezed[at : at + _PART], ()):
                    if squeezed.startswith(whole, max(at - start, 0)):
                        found.add(value)
    return found
