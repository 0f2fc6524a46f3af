"""The sites of one installation: who may send what to each. Read from `[sites.<key>]` by settings."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

DEFAULT_SITE = "default"
DEMO_SITE = "demo"
HOOK_SECRETS = (
    "calendly",
    "chatwoot",
    "facebook",
    "facebook_verify_token",
    "mailgun",
    "postmark",
    "sendgrid",
    "zoom",
)
"""The names under which the vendors' secrets are given: a vendor without one may not call."""

_KEYS = {"origins", "secret_key", "auth_key", "server_only", "page_allowed", "trust_user_ids", "hooks"}

Hooks = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One site. Its key is public: it may only append.

    Shape:  origins as browsers send them ("https://shop.example"), empty means any;
            secret_key and auth_key are None until the key folder has supplied them; auth_key may be several, newest
            first, with commas between them;
            server_only and page_allowed move event names between the two senders;
            trust_user_ids believes the user ids that come with the public key, unsigned: anyone may be anyone then;
            hooks are the secrets of the vendors that may call, by the names of HOOK_SECRETS;
            is_demo marks the demo shop's own site, which no settings file can make.
    """

    key: str
    origins: frozenset[str] = frozenset()
    secret_key: str | None = None
    auth_key: str | None = None
    server_only: frozenset[str] = frozenset()
    page_allowed: frozenset[str] = frozenset()
    trust_user_ids: bool = False
    hooks: Hooks = field(default_factory=dict)
    is_demo: bool = False

    def auth_keys(self) -> tuple[str, ...]:
        """Return the keys with which user ids may be signed, the newest first."""
        return tuple(self.auth_key.split(",")) if self.auth_key else ()

    def allows_origin(self, origin: str | None) -> bool:
        """Return whether a browser at this origin may send; requests without one come from no browser."""
        return not self.origins or origin is None or origin in self.origins


Secret = Callable[[Any], str]


def read_secrets(value: Any, secret: Secret) -> str:
    """Return one secret or several, a list or a text with commas, as a text with commas. Errors: ValueError."""
    return ",".join(_each_secret(value, secret))


def _each_secret(value: Any, secret: Secret) -> tuple[str, ...]:
    each = value if isinstance(value, list) else str(value).split(",")
    return tuple(secret(one.strip() if isinstance(one, str) else one) for one in each)


def read_hooks(value: Any, secret: Secret) -> Hooks:
    """Return vendors' secrets, from a table or from a text such as `calendly=… zoom=…`. Errors: ValueError, naming all.

    Shape:  of each vendor one secret or several: a list, or a text with commas.
    """
    if isinstance(value, str):
        value = {name: secrets for name, _, secrets in (part.partition("=") for part in value.split())}
    if not isinstance(value, Mapping):
        raise ValueError("must be a table such as [sites.shop.hooks]")  # noqa: TRY004 - one kind of error for the list
    found: dict[str, tuple[str, ...]] = {}
    problems = []
    for number, (name, secrets) in enumerate(value.items(), 1):
        if name not in HOOK_SECRETS:
            # not the name itself: a secret with a space in it would be one
            problems.append(f"the name of entry {number} is none of {', '.join(HOOK_SECRETS)}")
            continue
        try:
            found[name] = _each_secret(secrets, secret)
        except ValueError as error:
            problems.append(f"{name} {error}")
    if problems:
        raise ValueError("; ".join(problems))
    return found


def read_sites(table: Any, problems: list[str], secret: Secret) -> dict[str, Site]:
    """Return the sites of a settings file; what is wrong with them is added to problems."""
    if not isinstance(table, Mapping):
        problems.append("sites in the file: must be tables such as [sites.shop]")
        return {}
    sites = {}
    for key, values in table.items():
        found = _read_site(key, values, problems, secret)
        if found:
            sites[key] = found
    return sites


def shared_keys(sites: Iterable[Site]) -> list[str]:
    """Return a sentence for each secret key that several sites have: it would lead to one of them alone."""
    by_key: dict[str, list[str]] = {}
    for site in sites:
        if site.secret_key is not None:
            by_key.setdefault(site.secret_key, []).append(site.key)
    return [
        f"the sites {', '.join(keys)} have the same secret_key: each needs its own"
        for keys in by_key.values()
        if len(keys) > 1
    ]


def _read_site(key: str, values: Any, problems: list[str], secret: Secret) -> Site | None:
    place = f"[sites.{key}]"
    before = len(problems)
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", key):
        problems.append(f"{place}: a site's key has 1 to 64 letters, digits, _ or -")
    if not isinstance(values, Mapping):
        problems.append(f"{place}: must be a table")
        return None
    problems += [f"{place} {name}: no such setting" for name in values if name not in _KEYS]
    keys: dict[str, str] = {}
    for name in ("secret_key", "auth_key"):
        if name in values:
            try:
                keys[name] = secret(values[name]) if name == "secret_key" else read_secrets(values[name], secret)
            except ValueError as error:
                problems.append(f"{place} {name} {error}")
    hooks: Hooks = {}
    try:
        hooks = read_hooks(values.get("hooks", {}), secret)
    except ValueError as error:
        problems.append(f"{place} hooks: {error}")
    names = {name: _names(values, name, place, problems) for name in ("server_only", "page_allowed")}
    origins = frozenset(_as_browsers_write(each) for each in _names(values, "origins", place, problems))
    problems += [
        f"{place} origins: {each!r} is no origin such as https://shop.example"
        for each in sorted(origins)
        if not re.fullmatch(r"https?://[^/\s*]+", each)
    ]
    problems += [
        f"{place} origins: {each!r} must be as browsers send it, such as https://xn--e1afmkfd.example"
        for each in sorted(origins)
        if not each.isascii()
    ]
    trusts = values.get("trust_user_ids", False)
    if not isinstance(trusts, bool):
        problems.append(f"{place} trust_user_ids: must be true or false")
    if len(problems) > before:
        return None
    return Site(key=key, origins=origins, trust_user_ids=trusts, hooks=hooks, **names, **keys)  # type: ignore[arg-type]  # the keys are checked above


def _as_browsers_write(origin: str) -> str:
    """Return an origin in the one spelling that browsers use: small letters, no slash, no usual port."""
    origin = origin.rstrip("/").lower()
    usual_port = ":443" if origin.startswith("https://") else ":80"
    return origin.removesuffix(usual_port)


def _names(values: Mapping[str, Any], name: str, place: str, problems: list[str]) -> frozenset[str]:
    found = values.get(name, [])
    if not isinstance(found, list) or not all(isinstance(each, str) and each for each in found):
        problems.append(f"{place} {name}: must be a list of texts")
        return frozenset()
    return frozenset(found)
