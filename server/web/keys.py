"""The secrets of an installation: made at first start, kept in the data folder, readable by its owner only."""

import os
import secrets
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from server.errors import SettingsError
from server.identity.signature import sign
from server.settings import Settings
from server.sites import DEFAULT_SITE, Site, shared_keys
from server.storage.migrations import sync_path

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
    """Return the installation's secrets; what is missing is made and kept. Errors: OSError, SettingsError."""
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
    if problems := shared_keys(sites.values()):
        raise SettingsError(problems)
    return sites


def _password(settings: Settings, path: Path) -> tuple[str, str | None]:
    """Return the password's hash, and the password when it was made just now."""
    if settings.admin_password is not None:
        return HASHER.hash(settings.admin_password), None
    if path.exists():
        return _read(path), None
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    made = HASHER.hash(password)
    kept = _keep(path, made)
    return kept, password if kept == made else None


def _kept(path: Path) -> str:
    """Return a secret from its file, which is made when it is missing."""
    return _read(path) if path.exists() else _keep(path, secrets.token_urlsafe(SECRET_BYTES))


def _keep(path: Path, made: str) -> str:
    """Write a file whole or not at all; return what it holds: of two processes at once, both what the first made."""
    # the name is random: processes in different containers may have the same id
    descriptor, name = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(made + "\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(name, path)
            sync_path(path.parent)
    finally:
        Path(name).unlink()
    return _read(path)


def _read(path: Path) -> str:
    """Return what a file holds. Errors: SettingsError when that is nothing: everybody could guess such a key."""
    if not (kept := path.read_text(encoding="ascii").strip()):
        raise SettingsError([f"{path} is empty: delete it, and the next start makes another"])
    return kept


def is_password(password: str, password_hash: str) -> bool:
    """Return whether this is the password. Slow on purpose (argon2): call it in a thread."""
    try:
        return HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False
