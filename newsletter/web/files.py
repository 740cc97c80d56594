"""Pictures and linked files, each under the hash of its content, so that an address never changes its meaning."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from newsletter.sending import archiving, previewing
from newsletter.sending.models import Asset
from newsletter.web import links
from newsletter.web.answers import unknown_link

# What we publish. Anything else (SVG and HTML can carry scripts, T16) is not served, whatever the database holds.
TYPES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "pdf": "application/pdf",
}
FOR_EVER = "public, max-age=31536000, immutable"


def published(request: HttpRequest, sha256: str, extension: str) -> HttpResponse:
    """`/i/<sha256>.<ext>`. Cached for ever; a webmail on another origin may show it."""
    kind = TYPES.get(extension)
    asset = Asset.objects.filter(sha256=sha256, extension=extension).first() if kind else None
    if kind is None or asset is None:
        return unknown_link(request)
    sealed = bool(previewing.ends(links.keyring(), previewing.PICTURE, sha256, request.GET.get("see", "")))
    if not sealed and not archiving.may_be_seen(sha256):
        return unknown_link(request)  # not stored anywhere: it may be there in a second
    headers = {
        "Cache-Control": "private, max-age=3600" if sealed else FOR_EVER,
        "ETag": f'"{sha256}"',
        "Cross-Origin-Resource-Policy": "cross-origin",
        "Content-Disposition": "inline",
        # No sandbox for PDF: older browsers then refuse to show it in their own viewer (it has no script of ours).
        "Content-Security-Policy": "default-src 'none'" if extension == "pdf" else "default-src 'none'; sandbox",
    }
    if f'"{sha256}"' in request.headers.get("If-None-Match", ""):
        return HttpResponse(status=304, headers=headers)
    return HttpResponse(bytes(asset.data), kind, headers=headers)
