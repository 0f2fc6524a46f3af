"""`footfall export` writes the same with a server that runs and without one."""

import json
from pathlib import Path

from server.cli import main
from tests.real_server import fetch, start_server

KEYS = {"shop": "shop-secret-key-0123456789", "blog": "blog-secret-key-0123456789"}


def test_all_sites_are_exported_with_a_server_as_without(tmp_path: Path) -> None:
    config = tmp_path / "footfall.toml"
    config.write_text("".join(f'[sites.{site}]\nsecret_key = "{key}"\n' for site, key in KEYS.items()))
    server = start_server(
        tmp_path / "data",
        command=("-m", "server", "serve", "--config", str(config)),
        environment={"FOOTFALL_ADMIN_PASSWORD": "test-password"},
    )
    try:
        for site, key in KEYS.items():
            body = json.dumps({"name": f"in {site}"}).encode()
            headers = {"authorization": f"Bearer {key}"}
            assert fetch(f"{server.base_url}/api/events", headers=headers, body=body).status == 200
        server.wait_until_stored()
        chosen = ["export", "--config", str(config), "--data-dir", str(server.data_dir), "--port", str(server.port)]

        def export(*more: str) -> list[tuple[str, str]]:
            output = tmp_path / "out.ndjson"
            assert main([*chosen, "--output", str(output), *more]) == 0
            events = [json.loads(line) for line in output.read_text().splitlines()]
            return sorted((event["site"], event["name"]) for event in events)

        everything = [("blog", "in blog"), ("shop", "in shop")]
        assert export() == everything
        assert export("--site", "blog") == everything[:1]
        assert server.stop() == 0
        assert export() == everything
        assert export("--site", "blog") == everything[:1]
    finally:
        server.kill()
