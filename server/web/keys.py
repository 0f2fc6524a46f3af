"""The secrets of an installation: made at first start, kept in the data folder, readable by its owner only."""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from server.identity.signature import sign
from server.settings import Settings
from server.sites import DEFAULT_SITE, Site

SECRET_BYTES = 32
PASSWORD_BYTES = 12
HASHER = PasswordHasher()  # argon2id with the parameters of RFC 9106


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """All secrets but the sites' own.

    Shape:  password_hash is argon2's; password_mark changes with the password and with nothing else;
            new_password is set only when it was made by this very start.
    """

    secret_key: str
    auth_key: str
    cookie_key: str
    password_hash: str
    password_mark: str
    new_password: str | None


def open_keys(settings: Settings) -> Keys:
    """Return the installation's secrets; what is missing is made and kept."""
    folder = settings.data_dir / "keys"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    password_hash, new_password = _password(settings, folder / "admin_password.argon2")
    cookie_key = _kept(folder / "cookie_key")
    # a password from the settings gets a new salt, and so a new hash, at every start
    mark = password_hash if settings.admin_password is None else sign(settings.admin_password, cookie_key)
    return Keys(
        secret_key=settings.secret_key or _kept(folder / "secret_key"),
        auth_key=settings.auth_key or _kept(folder / "auth_key"),
        cookie_key=cookie_key,
        password_hash=password_hash,
        password_mark=mark,
        new_password=new_password,
    )


def complete_sites(settings: Settings, keys: Keys) -> Mapping[str, Site]:
    """Return all sites with their keys: those of the file, and `default` unless the file names it or others."""
    folder = settings.data_dir / "keys"
    sites = dict(settings.sites) or {DEFAULT_SITE: Site(key=DEFAULT_SITE)}
    for key, site in sites.items():
        is_default = key == DEFAULT_SITE
        sites[key] = replace(
            site,
            secret_key=site.secret_key or (keys.secret_key if is_default else _kept(folder / f"{key}.secret_key")),
            auth_key=site.auth_key or (keys.auth_key if is_default else _kept(folder / f"{key}.auth_key")),
            hooks=site.hooks or (settings.hooks if is_default else {}),
        )
    return sites


def _kept(path: Path) -> str:
    """Return a secret from its file, which is made when it is missing; two processes at once agree on one."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text(encoding="ascii").strip()
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        made = secrets.token_urlsafe(SECRET_BYTES)
        file.write(made + "\n")
        file.flush()
        os.fsync(file.fileno())
    return made


def _password(settings: Settings, path: Path) -> tuple[str, str | None]:
    if settings.admin_password is not None:
        return HASHER.hash(settings.admin_password), None
    if path.exists():
        return path.read_text(encoding="ascii").strip(), None
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    password_hash = HASHER.hash(password)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(password_hash + "\n")
    return password_hash, password


def is_password(password: str, password_hash: str) -> bool:
    """Return whether this is the password. Slow on purpose (argon2): call it in a thread."""
    try:
        return HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False
