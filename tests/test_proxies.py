import pytest

from server.proxies import FORWARDING_HEADERS, parse_networks, parse_proxy_header


@pytest.mark.parametrize(
    ("text", "network"),
    [
        pytest.param("10.0.0.0/8", "10.0.0.0/8", id="v4"),
        pytest.param(" 192.0.2.7 ", "192.0.2.7/32", id="single-v4"),
        pytest.param("2001:db8::/32", "2001:db8::/32", id="v6"),
        pytest.param("::1", "::1/128", id="single-v6"),
        pytest.param("::ffff:10.0.0.0/104", "10.0.0.0/8", id="mapped"),
        pytest.param("::ffff:10.0.0.1", "10.0.0.1/32", id="mapped-single"),
        pytest.param("0.0.0.0/0", "0.0.0.0/0", id="everything-v4"),
        pytest.param("unix", "unix", id="unix"),
        pytest.param("unix:", "unix", id="unix-as-nginx-writes-it"),
    ],
)
def test_networks_are_read(text: str, network: str) -> None:
    assert [str(found) for found in parse_networks([text])] == [network]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("10.1.2.3/8", id="host-bits"),
        pytest.param("10.0.0.0/33", id="prefix-too-long"),
        pytest.param("*", id="star"),
        pytest.param("", id="empty"),
        pytest.param("localhost", id="name"),
        pytest.param("010.0.0.0/8", id="octal"),
        pytest.param("fe80::1%eth0", id="zone"),
    ],
)
def test_networks_are_refused_with_the_text_that_is_wrong(text: str) -> None:
    with pytest.raises(ValueError, match="range") as caught:
        parse_networks(["10.0.0.0/8", text])
    assert repr(text) in str(caught.value)


def test_all_wrong_networks_are_named_at_once() -> None:
    with pytest.raises(ValueError, match="range") as caught:
        parse_networks(["10.1.2.3/8", "10.0.0.0/8", "nonsense"])
    assert "10.1.2.3/8" in str(caught.value)
    assert "nonsense" in str(caught.value)


@pytest.mark.parametrize("name", [*FORWARDING_HEADERS, "CF-Connecting-IP", " X-Forwarded-For ", "X-My-Edge-Address"])
def test_header_is_read(name: str) -> None:
    assert parse_proxy_header(name) == name.strip().lower()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        pytest.param("X-Forwarded-Fro", "did you mean x-forwarded-for", id="slip"),
        pytest.param("X_Forwarded_For", "did you mean x-forwarded-for", id="underscores"),
        pytest.param("X-Forwarded-For, X-Real-IP", "must be one header", id="two"),
        pytest.param("X-Forwarded-For:", "must be a header", id="colon"),
        pytest.param("User-Agent", "must be a header", id="no-address"),
        pytest.param("X-Forwarded-Proto", "must be a header", id="scheme"),
        pytest.param("x" * 65, "must be a header", id="long"),
        pytest.param("é", "must be a header", id="letters"),
    ],
)
def test_header_is_refused(name: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        parse_proxy_header(name)
