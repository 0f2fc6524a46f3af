import pytest

from server.enrich.referrer import referrer_domain


@pytest.mark.parametrize(
    ("referrer", "domain"),
    [
        pytest.param("https://www.google.de/search?q=shoes", "google.de", id="www"),
        pytest.param("HTTPS://News.Example.COM/a", "example.com", id="case"),
        pytest.param("https://a.b.example.co.uk/", "example.co.uk", id="two-part-suffix"),
        pytest.param("https://x.city.kawasaki.jp/", "city.kawasaki.jp", id="exception-of-the-list"),
        pytest.param("https://blog.ann.github.io/", "ann.github.io", id="hoster-customer"),
        pytest.param("https://github.io/", "github.io", id="suffix-itself"),
        pytest.param("https://l.facebook.com/l.php?u=x", "facebook.com", id="link-shim"),
        pytest.param("https://out.reddit.com/t3_x", "reddit.com", id="outbound-host"),
        pytest.param("https://t.co/abc", "t.co", id="shortener"),
        pytest.param("https://mail.google.com/mail/u/0/", "mail.google.com", id="listed-below"),
        pytest.param("https://m.news.ycombinator.com/item", "news.ycombinator.com", id="below-listed"),
        pytest.param("https://webmail.example.org/", "webmail.example.org", id="webmail"),
        pytest.param("https://mail.ru/", "mail.ru", id="registered-like-a-prefix"),
        pytest.param("https://evil.example\\@google.com/", "evil.example", id="backslash"),
        pytest.param("http://localhost:3000/", "localhost", id="single-label"),
        pytest.param("http://user:password@example.com:8080/", "example.com", id="user-and-port"),
        pytest.param("https://example.com.", "example.com", id="final-dot"),
        pytest.param("https://xn--mnchen-3ya.de/", "xn--mnchen-3ya.de", id="punycode"),
        pytest.param("https://münchen.de/", "münchen.de", id="unicode"),
        pytest.param("http://[2001:db8::1]:8080/x", "[2001:db8::1]", id="v6"),
        pytest.param("http://192.0.2.7/x", "192.0.2.7", id="v4"),
        pytest.param("android-app://com.google.android.gm/", "com.google.android.gm", id="android-app"),
        pytest.param("android-app://com.Slack", "com.slack", id="android-app-bare"),
        pytest.param(None, None, id="none"),
        pytest.param("", None, id="empty"),
        pytest.param("example.com/x", None, id="no-scheme"),
        pytest.param("/path", None, id="path"),
        pytest.param("javascript:alert(1)", None, id="javascript"),
        pytest.param("data:text/html,x", None, id="data"),
        pytest.param("file:///etc/passwd", None, id="file"),
        pytest.param("chrome-extension://abc/x", None, id="extension"),
        pytest.param("about:blank", None, id="about"),
        pytest.param("https://", None, id="no-host"),
        pytest.param("https://exa mple.com", None, id="space"),
        pytest.param("https://<script>/", None, id="markup"),
        pytest.param("https://a%00b.com/", None, id="percent"),
        pytest.param("https://a\x00b.com/", None, id="nul"),
        pytest.param("https://\ud800/", None, id="surrogate"),
        pytest.param("https://" + "a" * 100_000, None, id="long"),
        pytest.param("android-app://", None, id="no-package"),
        pytest.param("android-app://<b>/", None, id="package-markup"),
    ],
)
def test_domain_is_read(referrer: str | None, domain: str | None) -> None:
    assert referrer_domain(referrer, "shop.example") == domain


@pytest.mark.parametrize(
    ("referrer", "own_host"),
    [
        pytest.param("https://shop.example/cart", "shop.example", id="same"),
        pytest.param("https://www.shop.example/", "shop.example", id="www-there"),
        pytest.param("https://shop.example/", "www.shop.example", id="www-here"),
        pytest.param("https://blog.shop.example/", "shop.example", id="below"),
        pytest.param("https://shop.example/", "blog.shop.example", id="above"),
        pytest.param("https://SHOP.example:8443/", "shop.example:8000", id="ports"),
        pytest.param("http://127.0.0.1:8000/", "127.0.0.1", id="address"),
        pytest.param("https://blog.shop.example/", "www.shop.example", id="siblings"),
        pytest.param("https://de.shop.co.uk/", "en.shop.co.uk", id="siblings-two-part-suffix"),
    ],
)
def test_own_site_is_no_referrer(referrer: str, own_host: str) -> None:
    assert referrer_domain(referrer, own_host) is None


@pytest.mark.parametrize("own_host", ["myshop.example", "example.org", "<b>", "", None])
def test_other_site_is_a_referrer(own_host: str | None) -> None:
    assert referrer_domain("https://shop.example/", own_host) == "shop.example"


@pytest.mark.parametrize(
    ("referrer", "own_host"),
    [
        pytest.param("https://ann.github.io/", "bob.github.io", id="customers-of-a-hoster"),
        pytest.param("https://github.io/", "bob.github.io", id="the-hoster"),
        pytest.param("https://other.co.uk/", "shop.co.uk", id="two-part-suffix"),
        pytest.param("http://10.0.0.1/", "20.0.0.1", id="addresses"),
        pytest.param("https://shop.example/", "localhost", id="single-label"),
    ],
)
def test_neighbours_are_referrers(referrer: str, own_host: str) -> None:
    assert referrer_domain(referrer, own_host) is not None


def test_configured_origins_are_the_site_itself() -> None:
    origins = frozenset({"https://shop.example", "https://pay.partner.test:8443"})
    assert referrer_domain("https://checkout.partner.test/", "shop.example", origins) is None
    assert referrer_domain("https://shop.example/", "landing.test", origins) is None
    assert referrer_domain("https://shop.example/", None, origins) is None
    assert referrer_domain("https://other.test/", "shop.example", origins) == "other.test"
