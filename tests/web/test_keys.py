"""The key files: whole or not there, one for all processes, never empty."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from server.app import create_app
from server.errors import SettingsError
from server.settings import Settings
from server.sites import Site
from server.web.keys import is_password, open_keys
from tests.factories import SECRET_KEY, make_settings

STARTS = 6


@pytest.fixture
def bare(tmp_path: Path) -> Settings:
    """Return settings that name no secret: all are made."""
    return make_settings(tmp_path, admin_password=None, secret_key=None, auth_key=None)


def test_starts_at_once_agree_on_all_keys_and_one_knows_the_password(bare: Settings) -> None:
    with ThreadPoolExecutor(STARTS) as pool:
        opened = list(pool.map(open_keys, [bare] * STARTS))

    assert len({(keys.secret_key, keys.auth_key, keys.cookie_key, keys.password_hash) for keys in opened}) == 1
    [password] = [keys.new_password for keys in opened if keys.new_password is not None]
    assert is_password(password, opened[0].password_hash)


def test_nothing_but_the_key_files_remains_and_only_the_owner_reads_them(bare: Settings) -> None:
    open_keys(bare)
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
    open_keys(bare)
    (bare.data_dir / "keys" / name).write_text("\n")
    with pytest.raises(SettingsError, match=f"{name} is empty"):
        open_keys(bare)
