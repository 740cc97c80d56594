"""The public addresses (docs/reference/web-addresses.md)."""

from django.urls import path, re_path

from newsletter.web.about import accessibility, health, home, no_icon, not_found, robots, well_known
from newsletter.web.archive import index, message, preview
from newsletter.web.confirm import confirm
from newsletter.web.copies import view
from newsletter.web.feed import feed
from newsletter.web.files import published
from newsletter.web.hooks import hook
from newsletter.web.methods import reading_only
from newsletter.web.preferences import preferences
from newsletter.web.rate import rate
from newsletter.web.reply import reply
from newsletter.web.subscribe import snippet, subscribe
from newsletter.web.unsubscribe import unsubscribe

urlpatterns = [
    path("", reading_only(home)),
    re_path(r"^subscribe/?$", subscribe),
    re_path(r"^subscribe/form/?$", reading_only(snippet)),
    re_path(r"^c/(?P<token>[^/]{1,200})/?$", confirm),
    re_path(r"^p/(?P<token>[^/]{1,200})/?$", preferences),
    re_path(r"^u/(?P<token>[^/]{1,200})/?$", unsubscribe),
    re_path(r"^r/(?P<token>[^/]{0,200})/?$", reply),
    re_path(r"^v/(?P<token>[^/]{1,200})/?$", reading_only(view)),
    re_path(r"^archive/?$", reading_only(index)),
    re_path(r"^archive/(?P<slug>[^/\0]{1,200})/?$", reading_only(message)),
    re_path(r"^preview/(?P<slug>[^/\0]{1,200})/(?P<seal>[^/]{1,80})/?$", reading_only(preview)),
    re_path(r"^accessibility/?$", reading_only(accessibility)),
    path("feed.xml", reading_only(feed)),
    re_path(r"^rate/(?P<token>[^/]{1,200})/?$", rate),
    re_path(r"^i/(?P<sha256>[0-9a-f]{64})\.(?P<extension>[a-z]{3,4})$", reading_only(published)),
    re_path(r"^hooks/(?P<key>[a-z0-9_-]{1,40})/(?:mime/?)?$", hook),
    path(".well-known/newsletter", reading_only(well_known)),
    path("healthz", reading_only(health)),
    path("robots.txt", reading_only(robots)),
    path("favicon.ico", reading_only(no_icon)),
]
handler400 = handler404 = not_found
