"""Was it useful? One tap in the mail, one on the page: opening it counts nothing, for scanners open every link."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from newsletter.mail.tokens import Purpose
from newsletter.sending import archiving, rating
from newsletter.web import links
from newsletter.web.answers import page, unknown_link
from newsletter.web.copies import delivery_of
from newsletter.web.methods import refused
from newsletter.web.words import words_for

ANSWERS = {"yes": True, "no": False}


def rate(request: HttpRequest, token: str) -> HttpResponse:
    """`/rate/<v token>`. GET and HEAD ask; POST with useful=yes or no counts, once for each copy; it can be changed."""
    if request.method not in ("GET", "HEAD", "POST"):
        return refused(request, "GET, HEAD, POST, OPTIONS")
    found = links.read(token, Purpose.VIEW, Purpose.TEST)
    if found is None:
        return unknown_link(request)
    test = found[0] is Purpose.TEST
    delivery = None if test else delivery_of(found[1])
    if not test and (delivery is None or not archiving.delivered(delivery.mailing)):
        return unknown_link(request)
    answer = request.POST.get("useful", "") if request.method == "POST" else ""
    said = words_for(request, delivery.language if delivery else "")
    if delivery is not None and answer in ANSWERS:
        rating.keep(delivery, ANSWERS[answer])
    known = rating.of(delivery) if delivery else ANSWERS.get(answer)
    # What was said is shown only to who says it now: a forwarded mail does not tell what its owner thinks.
    shown = answer if answer in ANSWERS and known is not None else ""
    title = "rate_done_title" if shown else "rate_title"
    return page(request, "rate.html", title, words=said, said=shown, test=test, tone="good" if shown else "")
