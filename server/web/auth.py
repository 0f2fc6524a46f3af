"""Who may ask: the secret key of a site, or the dashboard's signed cookie."""

import base64
import hmac
from collections.abc import Iterator, Mapping

from itsdangerous import BadData, URLSafeTimedSerializer
from starlette.requests import HTTPConnection
from starlette.responses import Response

from server.enrich.client_ip import truncate_ip
from server.errors import BadRequest, NotAuthorised, TooManyRequests
from server.ingest.limits import Buckets
from server.settings import Settings
from server.sites import Site
from server.web.keys import Keys, is_password
from server.web.outside import outside_of

COOKIE = "footfall_session"
SESSION_MAX_AGE_S = 14 * 24 * 3600
TRIES = 10
TRIES_OF_ALL = 120


class Auth:
    """Checks keys, the password and the cookie; counts wrong passwords."""

    def __init__(self, settings: Settings, keys: Keys, sites: Mapping[str, Site]) -> None:
        self._settings = settings
        self._sites = sites
        self._password_hash = keys.password_hash
        # a new password ends all sessions, a restart none
        self._serializer = URLSafeTimedSerializer(keys.cookie_key + keys.password_mark, salt="footfall.dashboard")
        self._tries, self._tries_of_all = Buckets(TRIES), Buckets(TRIES_OF_ALL)

    def site_of_key(self, connection: HTTPConnection) -> Site:
        """Return the site whose secret key the request carries.

        Shape:  `Authorization: Bearer <key>`, or Basic with the key as user name or password.
        Errors: NotAuthorised; BadRequest when the query names another site.
        """
        given = key_of(connection.headers.get("authorization", ""))
        if not given:
            raise NotAuthorised(
                "missing_key", "The secret key is missing.", "Send the header `Authorization: Bearer <secret key>`."
            )
        found = self.find_site(given)
        if found is None:
            raise NotAuthorised("wrong_key", "This is no site's secret key.", "See `footfall doctor` for where it is.")
        named = connection.query_params.get("site") or found.key
        if named != found.key:
            raise BadRequest("other_site", f"This key is of the site {found.key!r} only.", "Leave `site` out.")
        return found

    def find_site(self, given: str) -> Site | None:
        """Return the site whose secret key this is."""
        found = None
        for site in self._sites.values():  # all of them, always: the time tells nothing
            if site.secret_key and hmac.compare_digest(site.secret_key.encode(), given.encode("utf-8", "replace")):
                found = site
        return found

    def readable_site(self, connection: HTTPConnection) -> str | None:
        """Return the site whose events the request may read: the key's own, or None (all) for the dashboard."""
        return None if self.is_dashboard(connection) else self.site_of_key(connection).key

    def is_dashboard(self, connection: HTTPConnection) -> bool:
        """Return whether it is the cookie that lets the request in: there is one, and no key was given.

        A name and a password that are no key are a proxy's in front of the dashboard: browsers add them to everything.
        """
        header = connection.headers.get("authorization")
        if header is not None and (not _is_basic(header) or self.find_site(key_of(header) or "") is not None):
            return False
        return self.is_signed_in(connection)

    def check_password(self, password: str) -> bool:
        """Return whether this is the dashboard's password.

        Slow, and takes 64 MiB: call it in a thread, one call at a time.
        """
        return is_password(password, self._password_hash)

    def is_signed_in(self, connection: HTTPConnection) -> bool:
        """Return whether the request carries the dashboard's cookie."""
        return any(map(self._is_ours, _cookies(connection)))

    def _is_ours(self, cookie: str) -> bool:
        try:
            return bool(self._serializer.loads(cookie, max_age=SESSION_MAX_AGE_S) == "admin")
        except BadData:
            return False

    def sign_in(self, connection: HTTPConnection, response: Response) -> None:
        """Set the cookie: for this application's paths, out of reach of scripts and of other sites' requests."""
        response.set_cookie(
            COOKIE,
            self._serializer.dumps("admin"),
            max_age=SESSION_MAX_AGE_S,
            path=None,  # browsers take the folder of the page: only they know what a proxy put in front of it
            secure=self._is_secure(connection),
            httponly=True,
            samesite="lax",
        )

    def sign_out(self, response: Response) -> None:
        """Remove the cookie."""
        response.set_cookie(COOKIE, "", max_age=0, expires=0, path=None, httponly=True, samesite="lax")

    def _is_secure(self, connection: HTTPConnection) -> bool:
        return outside_of(connection, self._settings).scheme == "https"

    def throttle(self, ip: str | None, now_ms: int) -> None:
        """Count a try to sign in. Errors: TooManyRequests beyond TRIES a minute of a network, TRIES_OF_ALL of all.

        By network, so that a stranger's guesses do not keep the owner out, who is elsewhere; the limit on all of them
        is for the processor: each try costs one slow hash. Units: now_ms since the epoch.
        """
        # the network first: what one of them tries too much must not use up what all share
        network = truncate_ip(ip) if ip else ""
        wait_s = self._tries.take(network, 1, now_ms) or self._tries_of_all.take("", 1, now_ms)
        if wait_s:
            raise TooManyRequests(
                "too_many_tries", "Too many tries to sign in.", "Wait a minute.", retry_after_s=wait_s
            )


def _cookies(connection: HTTPConnection) -> Iterator[str]:
    """Yield all cookies of this name: that of another Footfall comes along where one lives in a folder of the other."""
    for line in connection.headers.getlist("cookie"):
        for pair in line.split(";"):
            name, _, value = pair.strip().partition("=")
            if name == COOKIE:
                yield value.strip('"')


def _is_basic(header: str) -> bool:
    return header.lstrip()[:6].lower() == "basic "


def key_of(header: str) -> str | None:
    """Return the key that an Authorization header carries: Bearer, or Basic with the key as user name or password."""
    scheme, _, rest = header.strip().partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() == "basic":
        try:
            user, _, password = base64.b64decode(rest.strip(), validate=True).decode().partition(":")
        except ValueError:  # not base64, not ASCII, not UTF-8
            return None
        return user or password
    return None
