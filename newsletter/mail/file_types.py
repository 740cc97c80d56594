"""What a file is by its first bytes, whatever its name or the mail says; and which files are programs."""

from __future__ import annotations

import io
import re
import zipfile

_STARTS: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"BM", "image/bmp"),
    (b"{\\rtf", "application/rtf"),
    (b"\x78\x9f\x3e\x22", "application/ms-tnef"),
    (b"\x1aE\xdf\xa3", "video/webm"),
    (b"OggS", "audio/ogg"),
    (b"fLaC", "audio/flac"),
    (b"#!AMR", "audio/amr"),
    (b"ID3", "audio/mpeg"),
    (b"\x1f\x8b", "application/gzip"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (b"BZh", "application/x-bzip2"),
    (b"\xfd7zXZ\0", "application/x-xz"),
)
_FTYP = {  # ISO media: the brand after `ftyp`
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"), "image/heic"),
    **dict.fromkeys((b"mif1", b"msf1"), "image/heif"),
    **dict.fromkeys((b"avif", b"avis"), "image/avif"),
    **dict.fromkeys((b"qt  ",), "video/quicktime"),
    **dict.fromkeys((b"M4A ", b"M4B "), "audio/mp4"),
    **dict.fromkeys((b"3gp4", b"3gp5", b"3gp6", b"3gp7", b"3g2a"), "video/3gpp"),
}
_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}
# Programs, and containers that run or hide them. The words go on "It is …".
_PROGRAMS: tuple[tuple[bytes, str], ...] = (
    (b"MZ", "a Windows program"),
    (b"\x7fELF", "a Linux program"),
    (b"\xfe\xed\xfa\xce", "a macOS program"),
    (b"\xfe\xed\xfa\xcf", "a macOS program"),
    (b"\xce\xfa\xed\xfe", "a macOS program"),
    (b"\xcf\xfa\xed\xfe", "a macOS program"),
    (b"\xca\xfe\xba\xbe", "a Java or macOS program"),
    (b"dex\n", "an Android program"),
    (b"L\0\0\0\x01\x14\x02\0", "a Windows shortcut"),
    (b"ITSF", "a Windows help file, which can run programs"),
    (b"MSCF", "a Windows installer archive"),
    (b"xar!", "a macOS installer"),
    (b"!<arch>\ndebian", "a Linux installer"),
    (b"\xed\xab\xee\xdb", "a Linux installer"),
    (b"conectix", "a disk image"),
    (b"vhdxfile", "a disk image"),
)
_ENDINGS = frozenset(
    "ade adp apk app appref-ms application appx bash bat chm cmd com command cpl dll dmg drv exe "  # noqa: SIM905
    "gadget hlp hta img inf ins iso isp jar js jse jnlp lnk mde msc msi msix msp mst ocx pif pkg ps1 "
    "ps1xml ps2 psc1 psm1 py pyc pyw reg rpm run scf scr sct sh shb shs sys url vb vbe vbs vhd vhdx "
    "vxd wsc wsf wsh xbap xll xpi zsh".split()
)
_MACROS = frozenset("docm dotm xlsm xltm xlsb xlam pptm potm ppam ppsm sldm".split())  # noqa: SIM905
_OFFICE = {
    "word/": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xl/": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "ppt/": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
}
_MOST_NAMES = 5_000  # in a ZIP; with more nobody looks into it
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_VBA = "_VBA_PROJECT".encode("utf-16-le")
_HELD = "It can still be found in the whole message."


def sniff(data: bytes) -> str:
    """The content type of `data`; `application/octet-stream` for what is not known, `text/plain` for readable text."""
    start = data[:64]
    found = next((kind for magic, kind in _STARTS if start.startswith(magic)), "")
    if found and (len(data) < 3 or start[:2] != b"BM" or start[6:10] == b"\0\0\0\0"):  # "BMX bikes" is no picture
        return found
    if start[4:8] == b"ftyp":
        return _FTYP.get(start[8:12], "video/mp4")
    if start[4:8] in (b"moov", b"mdat", b"wide", b"skip", b"free", b"pnot") and start[:1] == b"\0":
        return "video/quicktime"  # older cameras write no ftyp
    if start[:4] == b"RIFF" and start[8:12] in _RIFF:
        return _RIFF[start[8:12]]
    if len(data) > 3 and start[0] == 0xFF and start[1] & 0xE0 == 0xE0:
        return "audio/aac" if start[1] & 0x06 == 0 else "audio/mpeg"
    if b"%PDF-" in data[:1024]:
        return "application/pdf"
    if start[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return _zip(data)
    if start.startswith(_OLE):
        return "application/x-ole-storage"  # Word, Excel and PowerPoint up to 2003, Outlook messages
    if data[257:262] == b"ustar":
        return "application/x-tar"
    return _text(data)


def refusal(name: str, data: bytes) -> str:
    """Why this file is not kept, in words; "" = it may be. Name and content are looked at, each for itself."""
    ending = _ending(name)
    start = data[:64]
    found = next((what for magic, what in _PROGRAMS if start.startswith(magic)), "")
    if found and _text(data) != "text/plain":  # a letter may begin with "MZ"
        return f"It is {found}. {_HELD}"
    if start.startswith(b"#!") and not start.startswith(b"#!AMR"):
        return f"It is a script. {_HELD}"
    if data[32769:32774] == b"CD001" or data[-512:-508] == b"koly":
        return f"It is a disk image. {_HELD}"
    if ending in _ENDINGS:
        return f"Files that end in .{ending} can run as programs. {_HELD}"
    if ending in _MACROS or (start.startswith(_OLE) and _VBA in data):
        return f"It is an office file with macros, which are small programs. {_HELD}"
    if start[:4] == b"PK\x03\x04":
        names = _names(data)
        if any(one.endswith("vbaproject.bin") for one in names):
            return f"It is an office file with macros, which are small programs. {_HELD}"
        if "meta-inf/manifest.mf" in names or "androidmanifest.xml" in names:
            return f"It is a Java or Android program. {_HELD}"
        if inside := next((one for one in names if _ending(one) in _ENDINGS and not one.startswith("__macosx")), ""):
            return f"It is an archive that holds a program, .{_ending(inside)}. {_HELD}"
    return ""


def _ending(name: str) -> str:
    """The last ending; Windows drops blanks and full stops behind it."""
    return name.rstrip(" .").rpartition(".")[2].lower() if "." in name else ""


def _zip(data: bytes) -> str:
    names = _names(data)
    if "[content_types].xml" in names:
        kind = next((kind for folder, kind in _OFFICE.items() if any(one.startswith(folder) for one in names)), "")
        return kind or "application/zip"
    if data[30:38] == b"mimetype":
        declared = re.match(rb"application/[a-z0-9.+-]{5,80}", data[38:128])
        if declared and declared[0].startswith((b"application/vnd.oasis.opendocument.", b"application/epub+zip")):
            return declared[0].decode("ascii").removesuffix("PK")
    return "application/zip"


def _names(data: bytes) -> list[str]:
    """Names in a ZIP, in small letters; nothing is unpacked. Empty when it is broken or has too many."""
    end = data.rfind(b"PK\x05\x06", -66_000)
    if end < 0 or int.from_bytes(data[end + 10 : end + 12], "little") > _MOST_NAMES:
        return []
    # The size of the directory is read by the library as it stands there; a file of 25 MB may claim to be all of it.
    if int.from_bytes(data[end + 12 : end + 16], "little") > 5_000_000:
        return []
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return [name.lower() for name in archive.namelist()[:_MOST_NAMES]]
    except Exception:  # broken in any of the many ways in which archives are broken
        return []


def _text(data: bytes) -> str:
    start = data[:4096]
    if not start:
        return "application/x-empty"
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "text/plain"
    if re.search(rb"[\0-\x08\x0e-\x1a\x1c-\x1f]", start):
        return "application/octet-stream"
    head = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<svg" in head[:1000]:
        return "image/svg+xml"
    if head.startswith((b"<!doctype html", b"<html")) or b"<script" in head or b"<body" in head:
        return "text/html"
    if head.startswith(b"<?xml"):
        return "application/xml"
    for magic, kind in ((b"begin:vcalendar", "text/calendar"), (b"begin:vcard", "text/vcard")):
        if head.startswith(magic):
            return kind
    return "text/plain"
