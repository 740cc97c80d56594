"""The signs of mail that no person wrote: absence notices, receipts, lists. Where none is, it is a person."""

from __future__ import annotations

import re

from newsletter.mail.incoming import Incoming

# How mail programs begin the subject of an automatic answer, in front of the subject they answer. Only at the very
# start and with the colon: "Auto theft in my road" and "Out of office hours nobody answers" are people. Words that a
# person could begin with ("Vacation: our house was broken into") are left out: calling a person a machine costs more.
PHRASES = (
    "automatic reply", "auto reply", "auto-reply", "autoreply", "auto response", "auto-response", "autoresponse",
    "out of office", "out of the office", "out of office reply", "out of office autoreply",
    "vacation reply",
    "automatische antwort", "abwesenheitsnotiz", "autoantwort",
    "réponse automatique", "reponse automatique", "absence du bureau",
    "respuesta automática", "respuesta automatica",
    "risposta automatica", "fuori ufficio",
    "resposta automática", "resposta automatica", "ausência temporária",
    "automatisch antwoord", "afwezigheidsbericht",
    "autosvar", "automatiskt svar", "automatisk svar", "fraværsmelding",
    "automaattinen vastaus", "automatyczna odpowiedź", "automatyczna odpowiedz", "automatická odpověď",
    "automatická odpoveď", "automatikus válasz", "răspuns automat", "otomatik yanıt", "automatski odgovor",
    "samodejni odgovor", "automaatvastus", "αυτόματη απάντηση", "автоматический ответ", "автоматична відповідь",
    "автоматичен отговор", "ymateb awtomatig", "ateb awtomatig", "allan o’r swyddfa", "allan o'r swyddfa",
    "رد تلقائي", "الرد التلقائي", "خودکار جواب", "پاسخ خودکار", "תשובה אוטומטית", "स्वचालित उत्तर",
    "自动回复", "自動回覆", "自動応答", "自動返信", "자동 회신", "자동 응답", "ตอบกลับอัตโนมัติ", "trả lời tự động",
)  # fmt: skip
SUBJECT = re.compile(rf"^\s*(?:{'|'.join(map(re.escape, PHRASES))})\s*[:：]", re.IGNORECASE)
PRECEDENCE = ("auto_reply", "bulk", "junk", "list")


def automatic(incoming: Incoming) -> str:
    """Why this mail is automatic, in words, or "" for a person's.

    X-Auto-Response-Suppress alone is no sign (Outlook sets it on people's mail), nor is X-MS-Exchange-Inbox-Rules-Loop
    alone (a forwarding rule sets it); both together are an Exchange out-of-office notice.
    """
    header = incoming.header
    submitted = re.split(r"[;(\s]", header("auto-submitted").strip().lower())[0]
    if submitted and submitted != "no":
        return f"Auto-Submitted: {submitted} (RFC 3834)"
    if "vacation" in header("x-apple-action").lower():
        return "X-Apple-Action: VACATION"
    precedence = header("precedence").strip().lower()
    if precedence in PRECEDENCE:
        return f"Precedence: {precedence}"
    for name in ("x-autoreply", "x-autorespond", "x-autoresponder", "x-auto-reply"):
        value = header(name).strip().lower()
        if value and value not in ("no", "false", "0"):
            return f"{name} is set"
    if header("list-id").strip():
        return "it came through a mailing list"
    if header("x-auto-response-suppress") and header("x-ms-exchange-inbox-rules-loop"):
        return "an Exchange out-of-office notice"
    if SUBJECT.match(incoming.subject):
        return "its subject is that of an automatic answer"
    return ""


def report(incoming: Incoming) -> str:
    """The kind of report this is (RFC 6522), also where the outer type hides it: `delivery-status` …, or ""."""
    for kind in ("feedback-report", "disposition-notification", "delivery-status"):
        if incoming.report_type == kind or f"message/{kind}" in incoming.parts:
            return kind
    return "delivery-status" if "message/global-delivery-status" in incoming.parts else ""


FAULTS = {
    "too-big": "it is too big to be read",
    "headers-too-long": "its headers are too long",
    "too-many-parts": "it has too many parts",
    "too-deep": "its parts are nested too deeply",
    "unreadable": "its structure is broken",
}


def unreadable(incoming: Incoming) -> str:
    """Why a person must look at the raw message, or "". Where words could be read, they count, not the fault."""
    if any(letter.isalnum() for letter in incoming.text):
        return ""
    for fault in incoming.faults:
        if fault in FAULTS:
            return FAULTS[fault]
    return "" if incoming.from_address or incoming.attachments else "nothing in it could be read"
