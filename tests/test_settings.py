from pathlib import Path

import pytest

from server.errors import SettingsError
from server.routes import create_routes
from server.settings import Settings, read_settings, setting_fields, variable_of

SECRET = "a-long-enough-secret-key"


def problems_of(environment: dict[str, str], file: Path | None = None) -> list[str]:
    with pytest.raises(SettingsError) as error:
        read_settings(environment, file)
    return list(error.value.problems)


def test_defaults_are_those_of_the_contract() -> None:
    found = read_settings({})
    assert (found.host, found.port, found.data_dir, found.store, found.queue) == (
        "127.0.0.1",
        8000,
        Path("data"),
        "duckdb",
        "sqlite",
    )
    assert (found.trusted_proxies, found.ip, found.role, found.script_path, found.collect_path) == (
        (),
        "full",
        "all",
        "/tracker.js",
        "/collect",
    )


def test_the_environment_wins_over_the_file_and_the_command_line_over_both(tmp_path: Path) -> None:
    file = tmp_path / "footfall.toml"
    file.write_text('port = 1\nhost = "1.1.1.1"\nip = "none"\n')
    found = read_settings({"FOOTFALL_PORT": "2", "FOOTFALL_HOST": "2.2.2.2"}, file, host="3.3.3.3")
    assert (found.port, found.host, found.ip) == (2, "3.3.3.3", "none")


def test_an_empty_variable_is_none() -> None:
    assert read_settings({"FOOTFALL_PORT": ""}).port == 8000


def test_all_problems_are_listed_at_once(tmp_path: Path) -> None:
    file = tmp_path / "footfall.toml"
    file.write_text(
        'role = "boss"\nnonsense = 1\n[sites.shop]\norigins = "x"\ncolour = "red"\ntrust_user_ids = "yes"\n'
    )
    environment = {
        "FOOTFALL_PORT": "http",
        "FOOTFALL_IP": "some",
        "FOOTFALL_TRUSTED_PROXIES": "10.1.2.3/8",
        "FOOTFALL_SECRET_KEY": "changeme",
        "FOOTFALL_GEOIP": "/nowhere.mmdb",
        "FOOTFALL_RETENTION_DAYS": "0",
        "FOOTFALL_COLLECT_PATH": "collect",
        "FOOTFALL_TYPO": "1",
    }
    found = problems_of(environment, file)
    for part in (
        *environment,
        "role in the file",
        "nonsense in the file",
        "[sites.shop] origins",
        "[sites.shop] colour",
        "[sites.shop] trust_user_ids",
    ):
        assert any(part in problem for problem in found), part


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "-1"),
        ("PORT", "65536"),
        ("TRUSTED_PROXIES", "10.0.0.1/8"),
        ("TRUSTED_PROXIES", "proxy.example"),
        ("SECRET_KEY", "short"),
        ("SECRET_KEY", "<secret>"),
        ("SECRET_KEY", "<your-secret-key-goes-here>"),
        ("AUTH_KEY", "xxxxxxxxxxxxxxxxxxxxxxxx"),
        ("ADMIN_PASSWORD", "password"),
        ("STORE", "mysql"),
        ("STORE", "clickhouse://u:p@h:8123/d"),
        ("QUEUE", "nats://h:4222"),
        ("SCRIPT_PATH", "/../x"),
        ("SCRIPT_PATH", "/a b"),
        ("ROLE", ""),
    ],
)
def test_refuses(name: str, value: str) -> None:
    if value:
        assert len(problems_of({f"FOOTFALL_{name}": value})) == 1
    else:
        read_settings({f"FOOTFALL_{name}": value})


def test_a_secrets_text_is_never_repeated() -> None:
    (problem,) = problems_of({"FOOTFALL_SECRET_KEY": "hush-hush"})
    assert "hush" not in problem


def test_script_and_collect_paths_must_differ() -> None:
    assert problems_of({"FOOTFALL_SCRIPT_PATH": "/t", "FOOTFALL_COLLECT_PATH": "/t"})


@pytest.mark.parametrize("variable", ["FOOTFALL_SCRIPT_PATH", "FOOTFALL_COLLECT_PATH"])
@pytest.mark.parametrize(
    "path", ["/login", "/api/events", "/api/users/7", "/health/ready", "/metrics", "/v1/track", "/hooks/zoom/default"]
)
def test_script_and_collect_paths_are_not_the_servers_own(variable: str, path: str) -> None:
    with pytest.raises(SettingsError) as error:
        create_routes(read_settings({variable: path}))
    assert list(error.value.problems) == [f"{variable} is a path of the server's own (it is {path!r})"]


@pytest.mark.parametrize("path", ["/api/collect", "/in", "/a.js", "/js/tracker", "/login.js", "/v1"])
def test_script_and_collect_paths_may_be_near_the_servers_own(path: str) -> None:
    for settings in ({"FOOTFALL_SCRIPT_PATH": path}, {"FOOTFALL_COLLECT_PATH": path}, {}):
        assert create_routes(read_settings(settings))


def test_sites_must_not_share_a_secret_key(tmp_path: Path) -> None:
    file = tmp_path / "footfall.toml"
    file.write_text("".join(f'[sites.{key}]\nsecret_key = "{SECRET}"\n' for key in ("shop", "blog")) + "[sites.x]\n")
    assert problems_of({}, file) == ["the sites shop, blog have the same secret_key: each needs its own"]


def test_variables_that_orchestrators_inject_are_no_problem() -> None:
    injected = {"FOOTFALL_PORT": "tcp://10.0.0.1:8000", "FOOTFALL_PORT_8000_TCP": "tcp://10.0.0.1:8000"}
    assert read_settings({"FOOTFALL_SERVICE_HOST": "10.0.0.1", **injected}).port == 8000


@pytest.mark.parametrize("name", ["FOOTFALL_SECRET_KEY", "FOOTFALL_ADMIN_PASSWORD"])
@pytest.mark.parametrize("secret", ["enough-of-it-and-more\n", " enough-of-it-and-more", "enough-of-it\x00and-more"])
def test_a_secret_that_nobody_could_type_again_is_refused(name: str, secret: str) -> None:
    (problem,) = problems_of({name: secret})
    assert "white space at an end, or a line break" in problem
    assert "enough" not in problem


def test_a_key_travels_in_a_header_and_a_password_does_not() -> None:
    (problem,) = problems_of({"FOOTFALL_SECRET_KEY": "ein-ausreichend-langer-Schlüssel"})
    assert "ASCII" in problem
    assert read_settings({"FOOTFALL_ADMIN_PASSWORD": "верный пароль"}).admin_password == "верный пароль"


def test_a_file_that_is_missing_or_broken(tmp_path: Path) -> None:
    assert "no such file" in problems_of({}, tmp_path / "none.toml")[0]
    broken = tmp_path / "broken.toml"
    broken.write_text("= 1")
    assert len(problems_of({}, broken)) == 1


def test_sites(tmp_path: Path) -> None:
    file = tmp_path / "footfall.toml"
    file.write_text(
        f'[sites.shop]\norigins = ["https://Shop.example/"]\nsecret_key = "{SECRET}"\n'
        'server_only = ["Paid"]\ntrust_user_ids = true\n[sites.blog]\n'
    )
    sites = read_settings({}, file).sites
    assert list(sites) == ["shop", "blog"]
    shop = sites["shop"]
    assert shop.secret_key == SECRET
    assert shop.server_only == {"Paid"}
    assert (shop.trust_user_ids, sites["blog"].trust_user_ids) == (True, False)
    assert [shop.allows_origin(each) for each in ("https://shop.example", "https://evil.example", None)] == [
        True,
        False,
        True,
    ]
    assert sites["blog"].allows_origin("https://anything.example")


def test_vendors_secrets_are_a_text_or_a_table(tmp_path: Path) -> None:
    expected = {"zoom": (SECRET,), "mailgun": (SECRET, SECRET + "=")}
    file = tmp_path / "footfall.toml"
    table = f'zoom = "{SECRET}"\nmailgun = ["{SECRET}", "{SECRET}="]\n'
    file.write_text(f"[hooks]\n{table}[sites.shop.hooks]\n{table}[sites.blog]\n")
    found = read_settings({}, file)
    assert found.hooks == found.sites["shop"].hooks == expected
    assert found.sites["blog"].hooks == {}
    assert read_settings({"FOOTFALL_HOOKS": f"zoom={SECRET}  mailgun={SECRET},{SECRET}="}).hooks == expected


@pytest.mark.parametrize(
    ("value", "part"),
    [
        (f"fax={SECRET}", "entry 1 is none of calendly"),
        (f"zoom={SECRET} hush", "entry 2 is none of"),
        ("zoom=hush", "zoom is too short"),
        ("zoom=changeme", "zoom is a placeholder"),
        ("zoom", "zoom must be a text"),
    ],
)
def test_wrong_secrets_of_vendors_are_told_and_not_repeated(tmp_path: Path, value: str, part: str) -> None:
    (problem,) = problems_of({"FOOTFALL_HOOKS": value})
    assert part in problem
    name, _, secret = value.partition("=")
    file = tmp_path / "footfall.toml"
    file.write_text(f'[sites.shop.hooks]\n{name} = "{secret}"\n')
    assert not any("hush" in each for each in [problem, *read_problems(file)])


def read_problems(file: Path) -> list[str]:
    try:
        read_settings({}, file)
    except SettingsError as error:
        return list(error.problems)
    return []


def test_vendors_secrets_are_a_table_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "footfall.toml"
    file.write_text("hooks = 1\n[sites.shop]\nhooks = [2]\n")
    assert ["must be a table" in each for each in problems_of({}, file)] == [True, True]


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("https://shop.example:443", "https://shop.example"),
        ("http://shop.example:80/", "http://shop.example"),
        ("https://shop.example:80", "https://shop.example:80"),
    ],
)
def test_an_origins_usual_port_is_left_out_as_browsers_leave_it_out(tmp_path: Path, written: str, sent: str) -> None:
    file = tmp_path / "footfall.toml"
    file.write_text(f'[sites.shop]\norigins = ["{written}"]\n')
    assert read_settings({}, file).sites["shop"].allows_origin(sent)


def test_an_origin_that_no_browser_sends_is_refused_with_the_spelling_that_they_use(tmp_path: Path) -> None:
    file = tmp_path / "footfall.toml"
    file.write_text('[sites.shop]\norigins = ["https://пример.example"]\n', encoding="utf-8")
    assert "https://xn--" in problems_of({}, file)[0]


@pytest.mark.parametrize("origin", ["shop.example", "https://*.example", "https://shop.example/path", "*"])
def test_an_origin_is_exact(tmp_path: Path, origin: str) -> None:
    file = tmp_path / "footfall.toml"
    file.write_text(f'[sites.shop]\norigins = ["{origin}"]\n')
    assert "origins" in problems_of({}, file)[0]


def test_every_setting_is_documented() -> None:
    documented = (Path(__file__).parent.parent / "docs" / "settings.md").read_text(encoding="utf-8")
    for each in setting_fields():
        assert f"`{variable_of(each.name)}`" in documented
    assert len(setting_fields()) < 25


def test_settings_are_frozen() -> None:
    with pytest.raises(AttributeError):
        Settings().port = 1  # type: ignore[misc]  # that is the test
