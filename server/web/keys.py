"""The secrets of an installation: made at a server's first start, kept in the data folder, readable by its owner only.

Commands read them and make none. The password's hash is kept only after the password was shown (`keep_password`): a
start that fails in between, or nobody saw, is followed by one that makes and shows another.
"""

import os
import secrets
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from server.errors import BadRequest, SettingsError
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
            new_password is set only when it was made by this very start; its hash is not kept yet then.
    """

    secret_key: str
    auth_key: str
    cookie_key: str
    password_hash: str
    password_mark: str
    new_password: str | None


def open_keys(settings: Settings) -> Keys:
    """Return a server's secrets; what is missing is made, and kept but for the password.

    Errors: OSError, SettingsError.
    """
    folder = settings.data_dir / "keys"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    password_hash, new_password = _password(settings)
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


def password_file(settings: Settings) -> Path:
    """Return where the hash of a password is kept that the server made."""
    return settings.data_dir / "keys" / "admin_password.argon2"


def is_password_shown(settings: Settings, keys: Keys) -> bool:
    """Return whether nobody needs to be told the password: it is older than this start, or was shown by it."""
    return keys.new_password is None or password_file(settings).exists()


def keep_password(settings: Settings, keys: Keys) -> None:
    """Keep the hash of a password that was made and has been shown. Errors: OSError, SettingsError."""
    if keys.new_password is not None and _keep(password_file(settings), keys.password_hash) != keys.password_hash:
        raise SettingsError(["another process has made a password at the same time; start again"])


def read_secret_key(settings: Settings, site: str) -> str:
    """Return the secret key of a site for a command. Errors: BadRequest when no server has made it; SettingsError."""
    own = settings.sites[site].secret_key if site in settings.sites else None
    if site == DEFAULT_SITE:
        own = own or settings.secret_key
    return own or _made(key_file(settings, site, "secret_key"))


def read_cookie_key(settings: Settings) -> str:
    """Return the key that only whoever can read the data folder has, for a command. Errors: as `read_secret_key`."""
    return _made(settings.data_dir / "keys" / "cookie_key")


def key_file(settings: Settings, site: str, name: str) -> Path:
    """Return where a site's key is kept that the server made. Shape: name is `secret_key` or `auth_key`."""
    return settings.data_dir / "keys" / (name if site == DEFAULT_SITE else f"{site}.{name}")


def is_secret_set(settings: Settings, site: str, name: str) -> bool:
    """Return whether the settings name a site's key, so that no file holds it. Shape: name as for `key_file`."""
    own = getattr(settings.sites[site], name) if site in settings.sites else None
    return bool(own or (site == DEFAULT_SITE and getattr(settings, name)))


def site_keys(settings: Settings) -> list[str]:
    """Return the public keys of all sites, those of the file, or `default`."""
    return list(settings.sites) or [DEFAULT_SITE]


def complete_sites(settings: Settings, keys: Keys) -> Mapping[str, Site]:
    """Return all sites with their keys, of which those that are missing are made."""
    folder = settings.data_dir / "keys"
    sites = {key: settings.sites.get(key) or Site(key=key) for key in site_keys(settings)}
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


def _password(settings: Settings) -> tuple[str, str | None]:
    """Return the password's hash, and the password when it was made just now; a collector has no use for one."""
    if settings.admin_password is not None:
        return HASHER.hash(settings.admin_password), None
    path = password_file(settings)
    if path.exists():
        return read_key_file(path), None
    if settings.role == "collect":
        return "", None
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    return HASHER.hash(password), password


def _made(path: Path) -> str:
    """Return a secret that a server has made. Errors: BadRequest, SettingsError."""
    try:
        return read_key_file(path)
    except FileNotFoundError as error:
        hint = "Name the server's folder (--data-dir), give the settings that it has, or start it: it makes its keys."
        raise BadRequest("no_keys", f"There is no key {path}: no server has started with it yet.", hint) from error
    except OSError as error:
        raise BadRequest("unreadable_key", f"{path} cannot be read: {error}.", "Ask as the server's user.") from error


def _kept(path: Path) -> str:
    """Return a secret from its file, which is made when it is missing."""
    return read_key_file(path) if path.exists() else _keep(path, secrets.token_urlsafe(SECRET_BYTES))


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
    return read_key_file(path)


def read_key_file(path: Path) -> str:
    """Return what a file holds. Errors: OSError; SettingsError when that is nothing, which all could guess."""
    if not (kept := path.read_text(encoding="ascii").strip()):
        raise SettingsError([f"{path} is empty: delete it, and the next start makes another"])
    return kept


def is_password(password: str, password_hash: str) -> bool:
    """Return whether this is the password. Slow on purpose (argon2): call it in a thread."""
    try:
        return HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False
