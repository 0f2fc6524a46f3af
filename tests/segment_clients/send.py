"""Sends through one of Segment's Python clients: send.py MODULE HOST WRITE_KEY COUNT. Says what was not delivered.

Shape: MODULE is `segment.analytics` (segment-analytics-python) or `analytics` (analytics-python).
"""

import importlib
import sys


def main() -> int:
    """Return the exit status, 1 when anything could not be delivered."""
    module, host, write_key, count = sys.argv[1:]
    failures: list[object] = []
    client_class = importlib.import_module(module + ".client").Client
    client = client_class(
        write_key,
        host=host,
        on_error=lambda error, batch: failures.append((error, len(batch))),
        gzip=module == "segment.analytics",
        upload_size=15,
        upload_interval=0.1,
    )
    client.identify("py-1", {"email": "py@shop.example", "plan": "pro"}, anonymous_id="visitor-py")
    for number in range(int(count)):
        client.track("py-1", "Step", {"number": number}, context={"ip": "203.0.113.7", "locale": "de-DE"})
    client.page("py-1", "Docs", "Home", {"url": "https://shop.example/"})
    client.screen("py-1", "Shop", "Cart")
    client.group("py-1", "acme", {"size": 7})
    client.track("py-1", "Order Completed", {"order_id": "o-1", "total": 19.9})
    client.alias("py-1", "py-2")
    client.flush()
    client.join()
    for failure in failures:
        sys.stderr.write(f"could not deliver {failure}\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
