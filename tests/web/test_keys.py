"""The key files: whole or not there, one for all processes, never empty."""

import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from server.app import create_app
from server.errors import BadRequest, SettingsError
from server.settings import Settings
from server.sites import Site
from server.web.keys import (
    Keys,
    complete_sites,
    is_password,
    is_password_shown,
    keep_password,
    open_keys,
    password_file,
    read_cookie_key,
    read_secret_key,
)
from tests.factories import SECRET_KEY, make_settings

STARTS = 6


@pytest.fixture
def bare(tmp_path: Path) -> Settings:
    """Return settings that name no secret: all are made."""
    return make_settings(tmp_path, admin_password=None, secret_key=None, auth_key=None)


def test_starts_at_once_agree_on_all_keys_and_one_keeps_its_password(bare: Settings) -> None:
    def start(_: int) -> tuple[Keys, bool]:
        keys = open_keys(bare)
        try:
            keep_password(bare, keys)
        except SettingsError:
            return keys, False
        return keys, keys.new_password is not None

    with ThreadPoolExecutor(STARTS) as pool:
        opened = list(pool.map(start, range(STARTS)))
    assert len({(keys.secret_key, keys.auth_key, keys.cookie_key) for keys, _ in opened}) == 1
    [winner] = [keys for keys, has_kept in opened if has_kept]
    assert is_password(winner.new_password or "", open_keys(bare).password_hash)


def test_a_password_is_made_anew_until_it_was_shown(bare: Settings) -> None:
    """A start that dies before it greets anybody must not leave a hash of what nobody has seen."""
    first, second = open_keys(bare), open_keys(bare)
    assert first.new_password not in {None, second.new_password}
    assert not is_password_shown(bare, second)
    keep_password(bare, second)
    third = open_keys(bare)
    assert (third.new_password, third.password_hash) == (None, second.password_hash)
    assert is_password_shown(bare, second)


def test_a_collector_makes_no_password(bare: Settings) -> None:
    keys = open_keys(replace(bare, role="collect"))
    assert keys.new_password is None
    assert not is_password("", keys.password_hash)
    assert not password_file(bare).exists()


def test_commands_read_keys_and_make_none(bare: Settings) -> None:
    for read in (read_cookie_key, lambda settings: read_secret_key(settings, "default")):
        with pytest.raises(BadRequest, match="no server has started"):
            read(bare)
    assert list(bare.data_dir.iterdir()) == []
    keys = open_keys(bare)
    assert (read_cookie_key(bare), read_secret_key(bare, "default")) == (keys.cookie_key, keys.secret_key)
    assert read_secret_key(replace(bare, secret_key="from-the-settings"), "default") == "from-the-settings"


def test_commands_read_the_keys_of_all_sites(bare: Settings) -> None:
    settings = replace(bare, sites={"shop": Site(key="shop"), "blog": Site(key="blog", secret_key="of-the-blog-0000")})
    sites = complete_sites(settings, open_keys(settings))
    assert {key: read_secret_key(settings, key) for key in sites} == {key: sites[key].secret_key for key in sites}


def test_nothing_but_the_key_files_remains_and_only_the_owner_reads_them(bare: Settings) -> None:
    keep_password(bare, open_keys(bare))
    files = {each.name: stat.S_IMODE(each.stat().st_mode) for each in (bare.data_dir / "keys").iterdir()}
    assert files == dict.fromkeys(["admin_password.argon2", "auth_key", "cookie_key", "secret_key"], 0o600)


@pytest.mark.parametrize("names", [("shop", "blog"), ("default", "blog")])
def test_one_secret_key_for_two_sites_stops_the_start(tmp_path: Path, names: tuple[str, str]) -> None:
    own = {site: None if site == "default" else SECRET_KEY for site in names}
    sites = {site: Site(key=site, secret_key=key) for site, key in own.items()}
    sites["third"] = Site(key="third", secret_key="third-secret-key-0123456789")
    with pytest.raises(SettingsError) as stopped:
        create_app(make_settings(tmp_path, secret_key=SECRET_KEY, sites=sites)).start()
    (problem,) = stopped.value.problems
    assert problem == f"the sites {', '.join(names)} have the same secret_key: each needs its own"


@pytest.mark.parametrize("name", ["admin_password.argon2", "cookie_key", "secret_key"])
def test_an_empty_key_file_stops_the_start(bare: Settings, name: str) -> None:
    keep_password(bare, open_keys(bare))
    (bare.data_dir / "keys" / name).write_text("\n")
    with pytest.raises(SettingsError, match=f"{name} is empty"):
        open_keys(bare)
