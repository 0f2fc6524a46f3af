import orjson
import pytest

from server.ingest.address_policy import MAX_FIELDS, keep_ip, scrub_payload
from server.settings import IpPolicy


@pytest.mark.parametrize(
    ("ip", "policy", "kept"),
    [
        ("203.0.113.7", "full", "203.0.113.7"),
        ("203.0.113.7", "truncated", "203.0.113.0"),
        ("203.0.113.7", "none", None),
        ("2001:db8:1:2::3", "truncated", "2001:db8:1::"),
        (None, "full", None),
        (None, "truncated", None),
    ],
)
def test_policy_decides_what_is_kept(ip: str | None, policy: IpPolicy, kept: str | None) -> None:
    assert keep_ip(ip, policy) == kept


@pytest.mark.parametrize(
    ("payload", "scrubbed"),
    [
        pytest.param(b'{"ip":"203.0.113.7","name":""}', b'{"ip":"203.0.113.0","name":""}', id="field"),
        pytest.param(b'{"context": {"IP" : "203.0.113.7"}}', b'{"context": {"IP" : "203.0.113.0"}}', id="nested"),
        pytest.param(b'{"$ip":"2001:db8:1:2::3"}', b'{"$ip":"2001:db8:1::"}', id="attribute"),
        pytest.param(b'{"ip_address":"203.0.113.7"}', b'{"ip_address":"203.0.113.0"}', id="other-spelling"),
        pytest.param(b'{"ip":"what \\" 203.0.113.7"}', b'{"ip":""}', id="no-address"),
        pytest.param(b'{"ip":"203.0.113.7', b'{"ip":"203.0.113.0"', id="cut-off"),
        pytest.param(b"not json: 198.51.100.4!", b"not json: 198.51.100.0!", id="own-address"),
        pytest.param(b"::ffff:198.51.100.4", b"::ffff:198.51.100.0", id="own-address-mapped"),
        pytest.param(b"1198.51.100.4 198.51.100.45", b"1198.51.100.4 198.51.100.45", id="others-that-look-alike"),
        pytest.param(b'{"user_agent":"Chrome/131.0.0.0"}', b'{"user_agent":"Chrome/131.0.0.0"}', id="versions"),
        pytest.param(b'{"zip":"203.0.113.7"}', b'{"zip":"203.0.113.7"}', id="other-names"),
        pytest.param(b"\xff\x00", b"\xff\x00", id="binary"),
    ],
)
def test_rejected_payload_is_scrubbed(payload: bytes, scrubbed: bytes) -> None:
    assert scrub_payload(payload, "198.51.100.4", "truncated") == scrubbed
    assert b"203.0.113.7" not in scrub_payload(payload, None, "none") or b"zip" in payload
    assert scrub_payload(payload, "198.51.100.4", "full") == payload


def test_scrubbed_payload_can_be_sent_again() -> None:
    payload = orjson.dumps({"ip": "203.0.113.7", "props": {"a": [1, None]}, "name": ""})
    assert orjson.loads(scrub_payload(payload, "198.51.100.4", "none")) == {
        "ip": "",
        "props": {"a": [1, None]},
        "name": "",
    }


def test_payload_of_nothing_but_addresses_is_cut() -> None:
    scrubbed = scrub_payload(b'{"ip":"203.0.113.7"}' * 1000, None, "truncated")
    assert scrubbed == b'{"ip":"203.0.113.0"}' * MAX_FIELDS + b'{"'
