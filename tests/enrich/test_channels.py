import pytest

from server.enrich.channels import channel_of


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
        pytest.param("mail.company.example", "email", id="webmail"),
        pytest.param("mail.naver.com", "email", id="mail-of-a-search-engine"),
        pytest.param("chatgpt.com", "referral", id="assistant"),
        pytest.param("gemini.google.com", "referral", id="assistant-of-a-search-engine"),
        pytest.param("perplexity.ai", "referral", id="assistant-that-searches"),
        pytest.param("copilot.microsoft.com", "referral", id="assistant-copilot"),
        pytest.param("edgeservices.bing.com", "referral", id="assistant-in-edge"),
        pytest.param("claude.ai", "referral", id="assistant-claude"),
        pytest.param("lnkd.in", "social", id="linkedin-shortener"),
        pytest.param("yandex.com.tr", "organic", id="yandex-two-part-ending"),
        pytest.param("google.abc.co", "referral", id="name-below-a-short-domain"),
        pytest.param("google.github.io", "referral", id="name-of-a-hoster-customer"),
        pytest.param("tpc.googlesyndication.com", "paid", id="advertisement"),
        pytest.param("news.example", "referral", id="other"),
        pytest.param("google.example.net", "referral", id="name-below-another"),
        pytest.param("notgoogle.com", "referral", id="name-inside"),
        pytest.param("netflix.com", "referral", id="domain-inside"),
        pytest.param("." * 200, "referral", id="dots"),
        pytest.param("a." * 50_000, "referral", id="long"),
    ],
)
def test_channel_of_a_referrer(domain: str | None, expected: str) -> None:
    assert channel_of(domain, {}, is_paid_click=False) == expected


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
        pytest.param("x", "", None, "social", id="x-alone"),
        pytest.param("X", "social", None, "social", id="x-social"),
        pytest.param("x", "flyer", None, "referral", id="x-as-placeholder"),
        pytest.param("x", "spring", "t.co", "social", id="x-placeholder-known-referrer"),
        pytest.param("x.com", "spring", None, "social", id="x-domain"),
        pytest.param("box", "", None, "referral", id="x-inside"),
        pytest.param("chatgpt.com", "", None, "referral", id="assistant"),
        pytest.param("chatgpt.com", "", "google.com", "referral", id="assistant-beats-referrer"),
        pytest.param("shop", "sms", None, "referral", id="sms"),
        pytest.param("shop", "web push", None, "referral", id="push"),
        pytest.param("club", "email-newsletter", None, "email", id="two-words"),
        pytest.param("club", "Organic_Social", None, "social", id="organic-social"),
        pytest.param("post", "direct mail", None, "referral", id="phrase-beats-word"),
        pytest.param("google", "(none)", None, "organic", id="no-medium"),
        pytest.param("google", "gmb", None, "organic", id="unknown-medium-known-source"),
        pytest.param("vk", "target", None, "paid", id="target"),
        pytest.param("club", "unpaid", None, "referral", id="unpaid"),
        pytest.param("\ud800", "\x00" * 100_000, None, "referral", id="hostile"),
    ],
)
def test_channel_of_a_tagged_link(source: str, medium: str, domain: str | None, expected: str) -> None:
    utm = {name: value for name, value in (("utm_source", source), ("utm_medium", medium)) if value}
    assert channel_of(domain, utm, is_paid_click=False) == expected


def test_click_id_of_an_advertisement_makes_it_paid() -> None:
    assert channel_of("google.com", {}, is_paid_click=True) == "paid"
    assert channel_of(None, {"utm_source": "news", "utm_medium": "email"}, is_paid_click=True) == "paid"
