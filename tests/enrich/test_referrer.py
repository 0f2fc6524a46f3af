import pytest

from server.enrich.referrer import channel, referrer_domain


@pytest.mark.parametrize(
    ("referrer", "domain"),
    [
        pytest.param("https://www.google.de/search?q=shoes", "google.de", id="www"),
        pytest.param("HTTPS://News.Example.COM/a", "news.example.com", id="case"),
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
    ],
)
def test_own_site_is_no_referrer(referrer: str, own_host: str) -> None:
    assert referrer_domain(referrer, own_host) is None


@pytest.mark.parametrize("own_host", ["myshop.example", "example.org", "<b>", "", None])
def test_other_site_is_a_referrer(own_host: str | None) -> None:
    assert referrer_domain("https://shop.example/", own_host) == "shop.example"


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        pytest.param(None, "direct", id="none"),
        pytest.param("google.com", "organic", id="google"),
        pytest.param("google.co.uk", "organic", id="google-two-part-ending"),
        pytest.param("news.google.com", "organic", id="google-below"),
        pytest.param("yandex.ru", "organic", id="yandex"),
        pytest.param("ya.ru", "organic", id="ya"),
        pytest.param("duckduckgo.com", "organic", id="duckduckgo"),
        pytest.param("r.search.yahoo.com", "organic", id="yahoo-search"),
        pytest.param("com.google.android.googlequicksearchbox", "organic", id="google-app"),
        pytest.param("l.facebook.com", "social", id="facebook"),
        pytest.param("t.co", "social", id="twitter"),
        pytest.param("out.reddit.com", "social", id="reddit"),
        pytest.param("pinterest.de", "social", id="pinterest"),
        pytest.param("m.vk.com", "social", id="vk"),
        pytest.param("org.telegram.messenger", "social", id="telegram-app"),
        pytest.param("mail.google.com", "email", id="gmail"),
        pytest.param("com.google.android.gm", "email", id="gmail-app"),
        pytest.param("e.mail.ru", "email", id="mail-ru"),
        pytest.param("go.mail.ru", "organic", id="mail-ru-search"),
        pytest.param("accounts.google.com", "referral", id="google-sign-in"),
        pytest.param("news.example", "referral", id="other"),
        pytest.param("google.example.net", "referral", id="name-below-another"),
        pytest.param("notgoogle.com", "referral", id="name-inside"),
        pytest.param("netflix.com", "referral", id="domain-inside"),
        pytest.param("." * 200, "referral", id="dots"),
        pytest.param("a." * 50_000, "referral", id="long"),
    ],
)
def test_channel_of_a_referrer(domain: str | None, expected: str) -> None:
    assert channel(domain, {}, False) == expected


@pytest.mark.parametrize(
    ("source", "medium", "domain", "expected"),
    [
        pytest.param("google", "cpc", None, "paid", id="cpc"),
        pytest.param("facebook", "paid_social", "facebook.com", "paid", id="paid-social"),
        pytest.param("x", "PPC", None, "paid", id="ppc-upper-case"),
        pytest.param("x", "display", None, "paid", id="display"),
        pytest.param("x", "retargeting", None, "paid", id="retargeting"),
        pytest.param("news", "email", "mail.google.com", "email", id="email"),
        pytest.param("news", "Newsletter", None, "email", id="newsletter"),
        pytest.param("ig", "social", None, "social", id="social"),
        pytest.param("google", "organic", None, "organic", id="organic"),
        pytest.param("partner", "affiliate", "google.com", "referral", id="affiliate"),
        pytest.param("google", "", None, "organic", id="source-word"),
        pytest.param("fb", "", None, "social", id="source-short-word"),
        pytest.param("newsletter", "", None, "email", id="source-mail"),
        pytest.param("t.co", "", None, "social", id="source-domain"),
        pytest.param("spring", "", "google.de", "organic", id="unknown-source-known-referrer"),
        pytest.param("spring", "flyer", None, "referral", id="unknown-source-and-medium"),
        pytest.param("", "cpcx", None, "referral", id="medium-only-begins-alike"),
        pytest.param("\ud800", "\x00" * 100_000, None, "referral", id="hostile"),
    ],
)
def test_channel_of_a_tagged_link(source: str, medium: str, domain: str | None, expected: str) -> None:
    utm = {name: value for name, value in (("utm_source", source), ("utm_medium", medium)) if value}
    assert channel(domain, utm, False) == expected


def test_click_id_of_an_advertisement_makes_it_paid() -> None:
    assert channel("google.com", {}, True) == "paid"
    assert channel(None, {"utm_source": "news", "utm_medium": "email"}, True) == "paid"
