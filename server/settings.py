"""The settings: read once from the environment over an optional TOML file, then frozen.

Each field carries its variable, help and reader in its metadata; docs/settings.md is generated from it.
Nothing else in the code base reads the environment.
"""

import dataclasses
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from server.errors import SettingsError
from server.proxies import LIST_HEADER, UNIX_SOCKET, Network, parse_networks, parse_proxy_header
from server.sites import Hooks, Site, read_hooks, read_secrets, read_sites, shared_keys

IpPolicy = Literal["full", "truncated", "none"]
Role = Literal["all", "collect", "app"]
Reader = Callable[[Any], Any]

PLACEHOLDERS = frozenset({"secret", "password", "placeholder", "example", "xxx"})
PLACEHOLDER_STARTS = ("change", "replace", "insert", "your")
MIN_SECRET_LENGTH = 16
MIN_PASSWORD_LENGTH = 8
MAX_PORT = 65535
_SECRETS = frozenset({"secret_key", "auth_key", "admin_password", "hooks"})


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("must be a text that is not empty")
    return value


def _integer(value: Any, sentence: str) -> int:
    """Return a whole number. Errors: ValueError with the sentence; `int` speaks of literals and bases."""
    if isinstance(value, str) and value.strip().removeprefix("-").isdecimal():
        return int(value)
    if type(value) is not int:
        raise ValueError(sentence)
    return value


def _port(value: Any) -> int:
    sentence = f"must be a port, 0 to {MAX_PORT} (0 takes any free one)"
    number = _integer(value, sentence)
    if not 0 <= number <= MAX_PORT:
        raise ValueError(sentence)
    return number


def _whole(what: str, least: int = 1) -> Reader:
    """Return a reader of whole numbers. Shape: what stands in the sentence "must be a whole number of …"."""

    def read(value: Any) -> int:
        sentence = f"must be a whole number of {what}, {least} or more"
        number = _integer(value, sentence)
        if number < least:
            raise ValueError(sentence)
        return number

    return read


def _one_of(*allowed: str) -> Reader:
    def read(value: Any) -> str:
        if value not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}")
        return str(value)

    return read


def _url_path(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"(/(?!\.\.?(/|$))[A-Za-z0-9._~-]+)+", value):
        raise ValueError("must be a path such as /collect: letters, digits, . _ ~ - and / only")
    return value


def _store(value: Any) -> str:
    if value == "duckdb":
        return "duckdb"
    if isinstance(value, str) and value.startswith(("clickhouse://", "chdb://")):
        raise ValueError("ClickHouse is not available in this version; use duckdb")
    raise ValueError("must be duckdb")


def _queue(value: Any) -> str:
    if value == "sqlite":
        return "sqlite"
    if isinstance(value, str) and value.startswith("nats://"):
        raise ValueError("NATS is not available in this version; use sqlite")
    raise ValueError("must be sqlite")


def _typed(value: Any) -> str:
    """Return a text that somebody can send again as it is: `echo` and files add line breaks that nobody sees."""
    text = _text(value)
    if text != text.strip() or not text.isprintable():
        raise ValueError("has white space at an end, or a line break or control character in it")
    return text


def _is_placeholder(text: str) -> bool:
    """Return whether a secret stands for one that was never put in: `changeme`, `<your-secret-key-here>`."""
    bare = text.lower().strip("<>[]{}")
    return bare in PLACEHOLDERS or bare.startswith(PLACEHOLDER_STARTS)


def _secret(value: Any) -> str:
    text = _typed(value)
    if not text.isascii():  # it travels in a header
        raise ValueError("must be of ASCII characters")
    if _is_placeholder(text) or len(set(text)) == 1:
        raise ValueError("is a placeholder; remove it to have one made at first start")
    if len(text) < MIN_SECRET_LENGTH:
        raise ValueError(f"is too short: at least {MIN_SECRET_LENGTH} characters")
    return text


def _password(value: Any) -> str:
    text = _typed(value)
    if _is_placeholder(text) or len(text) < MIN_PASSWORD_LENGTH:
        raise ValueError(f"is a placeholder or shorter than {MIN_PASSWORD_LENGTH} characters")
    return text


def _networks(value: Any) -> tuple[Network, ...]:
    texts = value.split(",") if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ValueError("must be a list of CIDRs such as 10.0.0.0/8")
    return parse_networks(text for text in texts if text.strip())


def _targets(value: Any) -> tuple[Network, ...]:
    found = _networks(value)
    if UNIX_SOCKET in found:
        raise ValueError("'unix' is no address range: webhooks travel by network")
    return found


def _proxy_header(value: Any) -> str:
    return parse_proxy_header(_text(value))


def _existing_file(value: Any) -> Path:
    path = Path(_text(value))
    if not path.is_file():
        raise ValueError(f"no file at {path}")
    return path


def _setting(default: Any, reader: Reader, text: str, shown: str | None = None) -> Any:
    return field(default=default, metadata={"reader": reader, "help": text, "default": shown})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be set. Errors: `read_settings` raises SettingsError with all problems at once."""

    host: str = _setting("127.0.0.1", _text, "address to listen on")
    port: int = _setting(8000, _port, "port to listen on")
    data_dir: Path = _setting(Path("data"), Path, "everything kept: queue, store, keys, rejected events", "./data")
    store: str = _setting("duckdb", _store, "where stored events live: a DuckDB file in the data folder")
    queue: str = _setting("sqlite", _queue, "where accepted events wait: a SQLite file in the data folder")
    secret_key: str | None = _setting(
        None, _secret, "secret key of the `default` site", "made at first start, kept in the data folder"
    )
    auth_key: str | None = _setting(
        None,
        lambda value: read_secrets(value, _secret),
        "HMAC key with which the site signs user ids; while one is replaced, several with commas, newest first",
        "made at first start, kept in the data folder",
    )
    admin_password: str | None = _setting(
        None, _password, "opens the dashboard", "made at first start and printed once"
    )
    hooks: Hooks = field(
        default_factory=dict,
        metadata={
            "reader": lambda value: read_hooks(value, _secret),
            "help": "secrets of the vendors whose webhooks the `default` site takes in: `calendly=… zoom=…`; see"
            " [webhooks.md](webhooks.md)",
            "default": "none",
        },
    )
    trusted_proxies: tuple[Network, ...] = _setting(
        (), _networks, "CIDRs of the proxies that are believed, `unix` for those on a Unix socket", "none"
    )
    proxy_header: str = _setting(
        LIST_HEADER,
        _proxy_header,
        "the one header they are believed in: `X-Forwarded-For`, `Forwarded`, or one that holds a single address, such"
        " as `CF-Connecting-IP` or `X-Real-IP`",
        "`X-Forwarded-For`",
    )
    geoip: Path | None = _setting(
        None, _existing_file, "path of a .mmdb (country or city)", "the bundled country table"
    )
    ip: IpPolicy = _setting(
        "full",
        _one_of("full", "truncated", "none"),
        "what is stored of addresses: full, truncated (/24, /48) or none",
    )
    retention_days: int | None = _setting(
        None, _whole("days"), "older events are removed, and people who were not seen since", "none: everything is kept"
    )
    webhook_private: tuple[Network, ...] = _setting(
        (),
        _targets,
        "CIDRs that webhooks may go to although they are not public, such as `10.1.2.0/24`; there also by plain http",
        "none",
    )
    script_path: str = _setting("/tracker.js", _url_path, "another name for the tracker script")
    collect_path: str = _setting("/collect", _url_path, "another name for the endpoint that receives events")
    role: Role = _setting(
        "all",
        _one_of("all", "collect", "app"),
        "collect (only receives), app (writes, answers, shows) or all",
    )
    network_events_per_minute: int | None = _setting(
        None,
        _whole("events"),
        "what pages of one network (/24, of IPv6 /48) may send; more is answered with 429; see docs/operate.md",
        "none: no limit",
    )
    site_events_per_minute: int | None = _setting(
        None, _whole("events"), "what all pages of one site may send; more is answered with 429", "none: no limit"
    )
    max_connections: int = _setting(
        2000, _whole("connections"), "connections that are served; requests on more of them are answered with 503"
    )
    max_requests: int = _setting(
        1000, _whole("requests"), "requests that are worked on at once; more are answered with 503"
    )
    request_timeout_s: int = _setting(
        30,
        _whole("seconds"),
        "how long a request's body may take to arrive, in seconds; its headers have a third of that",
    )
    drain_s: int = _setting(
        0,
        _whole("seconds", 0),
        "how long a server that is told to stop goes on serving with its readiness red, in seconds: as long as a load"
        " balancer takes to notice",
    )
    sites: Mapping[str, Site] = field(default_factory=dict)


def variable_of(name: str) -> str:
    """Return the environment variable of a setting."""
    return f"FOOTFALL_{name.upper()}"


def setting_fields() -> list[dataclasses.Field[Any]]:
    """Return the settings that have a variable, in the order in which they are documented."""
    return [each for each in dataclasses.fields(Settings) if "reader" in each.metadata]


def read_settings(
    environment: Mapping[str, str] | None = None, file: Path | None = None, **overrides: object
) -> Settings:
    """Return the settings from the environment over the file over the defaults.

    Shape:  overrides are settings by name, for example from the command line; they win.
    Errors: SettingsError, listing every problem.
    """
    environment = os.environ if environment is None else environment
    problems: list[str] = []
    table = _read_file(file, problems)
    values: dict[str, Any] = {}
    known = {each.name: cast("Reader", each.metadata["reader"]) for each in setting_fields()}
    for name, reader in known.items():
        variable = variable_of(name)
        for origin, holder, key in ((variable, environment, variable), (f"{name} in the file", table, name)):
            if holder.get(key, "") != "" and not (holder is environment and _is_injected(key, holder[key])):
                _read_one(values, name, reader, (origin, holder[key]), problems)
                break
    problems += [
        f"{key}: no such setting; see docs/settings.md"
        for key in environment
        if key.startswith("FOOTFALL_")
        and key.removeprefix("FOOTFALL_").lower() not in known
        and not _is_injected(key, environment[key])
    ]
    problems += [f"{key} in the file: no such setting" for key in table if key not in known and key != "sites"]
    values["sites"] = read_sites(table.get("sites", {}), problems, _secret)
    problems += shared_keys(values["sites"].values())
    for name, value in overrides.items():
        if value is not None:
            _read_one(values, name, known[name], (f"--{name.replace('_', '-')}", value), problems)
    if values.get("script_path", "/tracker.js") == values.get("collect_path", "/collect"):
        problems.append("FOOTFALL_SCRIPT_PATH and FOOTFALL_COLLECT_PATH must differ")
    if problems:
        raise SettingsError(problems)
    return Settings(**values)


def _is_injected(variable: str, value: Any) -> bool:
    """Return whether an orchestrator made a variable of a service named footfall, such as FOOTFALL_PORT_8000_TCP.

    Kubernetes makes FOOTFALL_PORT as well, as an address (kubernetes.io/docs, "Environment variables" of Services).
    """
    if variable == "FOOTFALL_PORT":
        return str(value).startswith(("tcp://", "udp://", "sctp://"))
    return variable.startswith(("FOOTFALL_SERVICE_", "FOOTFALL_PORT_"))


def _read_one(
    values: dict[str, Any], name: str, reader: Reader, origin_value: tuple[str, Any], problems: list[str]
) -> None:
    origin, value = origin_value
    try:
        values[name] = reader(value)
    except (ValueError, TypeError) as error:
        # a secret's own text must never reach a log
        shown = "" if name in _SECRETS else f" (it is {str(value)[:80]!r})"
        problems.append(f"{origin} {error}{shown}")


def _read_file(file: Path | None, problems: list[str]) -> dict[str, Any]:
    path = file or Path("footfall.toml")
    if not path.exists():
        if file is not None:
            problems.append(f"{file}: no such file")
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        problems.append(f"{path}: {error}")
        return {}
