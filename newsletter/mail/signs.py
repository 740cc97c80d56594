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
    "out-of-office", "out of office message", "out of office notification", "automated reply", "automated response",
    "automatic response", "abwesenheitsmeldung", "abwesenheitsbenachrichtigung", "automatische abwesenheitsnotiz",
    "automatische rückantwort", "réponse d'absence", "réponse d’absence", "message d'absence", "message d’absence",
    "fuera de la oficina", "fuera de oficina", "contestación automática", "fora do escritório", "resposta automàtica",
    "avviso di assenza", "niet aanwezig", "automatische beantwoording", "frånvaromeddelande", "frånvarobesked",
    "fraværsbesked", "poissaoloilmoitus", "nieobecność w biurze", "poza biurem", "mimo kancelář",
    "irodán kívül", "automatinis atsakymas", "automātiska atbilde", "automātiskā atbilde", "sjálfvirkt svar",
    "freagra uathoibríoch", "erantzun automatikoa", "balasan otomatis", "balasan automatik", "аутоматски одговор",
    "автоответ", "автоматический отклик", "স্বয়ংক্রিয় উত্তর", "ਸਵੈਚਲਿਤ ਜਵਾਬ", "સ્વચાલિત જવાબ", "தானியங்கி பதில்",
    "自动回复", "自動回覆", "自動応答", "自動返信", "자동 회신", "자동 응답", "ตอบกลับอัตโนมัติ", "trả lời tự động",
)  # fmt: skip
_ANY = "|".join(map(re.escape, PHRASES))
SUBJECT = re.compile(rf"^\s*(?:(?:{_ANY})\s*[:：]|[\[(](?:{_ANY})[\])])", re.IGNORECASE)
# These also as the whole subject: no person calls a message so.
WHOLE = re.compile(r"\s*(?:automatic reply|auto[- ]?reply|auto[- ]?response|out of (?:the )?office(?: auto[- ]?reply)?|"
                   r"vacation auto[- ]?reply|automated response)\W*", re.IGNORECASE)  # fmt: skip
# Nobody reads what is sent to these, and no person writes from them; where a web form does, it names a Reply-To.
NO_REPLY = re.compile(
    r"^(?:no|do|dont|donot)[-_.]?(?:not[-_.]?)?reply\b|^auto[-_.]?(?:reply|responder|mailer)\b", re.IGNORECASE
)
# A challenge: "prove that you are a person, then your mail is delivered". We never answer one.
CHALLENGE = re.compile(
    r"\b(?:spam ?arrest|boxbe|bluebottle|tmda|0spam|mailblocks|choicemail|knowspam)\b"
    r"|(?:confirm|verify|authenticate) (?:that )?(?:you(?:r| are)) .{0,60}(?:human|person|real|message|e-?mail|sender)"
    r".{0,200}(?:click|link|reply to this|below|deliver)"
    r"|(?:message|e-?mail) (?:is |has been |was )?(?:being )?(?:held|awaiting|pending|quarantined|waiting)\b.{0,120}"
    r"(?:confirm|verif|approv|authenticat|click)"
    r"|not (?:yet )?(?:on|in) (?:my|his|her|their|the|our) (?:approved|allowed|white|safe|trusted|accept)",
    re.IGNORECASE | re.DOTALL,
)
MOVED = re.compile(
    r"\b(?:inbox|mail-?\s?box|e-?mail(?: address| account)?|address|account)(?: \S{1,80}){0,3} (?:is|are|has been|was) "
    r"(?:no longer|not|discontinued|being closed|now closed|closed|changing|changed)"
    r"(?: (?:in use|used|active|monitored|valid|available|checked|read|attended))?"
    r"|\b(?:has|have|is|am|'ve) (?:now |since |recently )?(?:left|leaving|retired|no longer (?:with"
    r"|work|employed|at|part))"
    r"|no longer (?:works?|working|employed|with) |(?:my|our|the) new (?:e-?mail )?address"
    r"|changed my (?:e-?mail )?address"
    r"|new e-?mail address|ausgeschieden|nicht mehr (?:bei|im|für|in) |neue (?:e-?mail-?)?adresse|a quitté"
    r"|nouvelle adresse|ya no trabaja|nueva dirección|non lavora più|nuovo indirizzo"
    r"|niet meer werkzaam|nieuw e-?mailadres",
    re.IGNORECASE,
)
NOT_USED = re.compile(
    r"^\W{0,3}(?:dear [^\n,]{0,40},?\s+|hello,?\s+|hi,?\s+)?(?:please note:? (?:that )?)?(?:this"
    r"|the|my) (?:e-?mail )?(?:inbox"
    r"|mail-?\s?box|e-?mail|address|account)(?: address| account)?(?: \S{1,80})? is (?:no longer|not) "
    r"(?:in use|used|active|monitored|valid|attended|available)\b",
    re.IGNORECASE,
)
PRECEDENCE = ("auto_reply", "auto-reply", "bulk", "junk", "list")
FLAGS = ("x-autoreply", "x-autorespond", "x-autoresponder", "x-auto-reply", "x-autogenerated", "x-autoreply-from")


def automatic(incoming: Incoming) -> str:
    """Why this mail is automatic, in words, or "" for a person's.

    X-Auto-Response-Suppress alone is no sign (Outlook sets it on people's mail), nor is X-MS-Exchange-Inbox-Rules-Loop
    alone (a forwarding rule sets it); both together are an Exchange out-of-office notice. Subjects: see by_words.
    """
    header = incoming.header
    submitted = re.split(r"[;(\s]", header("auto-submitted").strip().lower())[0]
    if submitted and submitted != "no":
        return f"Auto-Submitted: {submitted} (RFC 3834)"
    if "vacation" in header("x-apple-action").lower():
        return "X-Apple-Action: VACATION"
    precedence = (header("precedence") or header("preference")).strip().lower()
    if precedence in PRECEDENCE:
        return f"Precedence: {precedence}"
    for name in FLAGS:
        value = header(name).strip().lower()
        if value and value not in ("no", "false", "0"):
            return f"{name} is set"
    if "autorespon" in header("x-post-messageclass").lower() or header("delivered-to").lower() == "autoresponder":
        return "an automatic responder says that it is one"
    if header("x-fc-machinegenerated").strip().lower() == "true":
        return "X-FC-MachineGenerated is set"
    if header("list-id").strip():
        return "it came through a mailing list"
    if header("x-auto-response-suppress") and header("x-ms-exchange-inbox-rules-loop"):
        return "an Exchange out-of-office notice"
    return ""


def by_words(incoming: Incoming) -> str:
    """Why this mail is automatic by its subject, its From or its text, where no header says so; "" for a person's."""
    if SUBJECT.match(incoming.subject) or WHOLE.fullmatch(incoming.subject):
        return "its subject is that of an automatic answer"
    if NO_REPLY.match(incoming.from_address) and incoming.header("reply-to") in ("", incoming.from_address):
        return "it comes from an address that takes no answers"
    if challenge(incoming):
        return "it asks us to prove that we are a person"
    if NOT_USED.match(incoming.text[:400]):
        return "it says that the address is not in use"
    return ""


def challenge(incoming: Incoming) -> bool:
    """True for a challenge of a spam filter: it must say so and hold a link or a code to answer with."""
    text = incoming.text[:3000]
    return bool(CHALLENGE.search(f"{incoming.subject}\n{text}")) and bool(
        re.search(r"https?://|reply to this (?:message|e-?mail)|\[[A-Z0-9#:-]{6,}\]", text)
    )


def detail(incoming: Incoming) -> str:
    """What kind of automatic mail it is: challenge, moved (it proposes a change of address), list, out-of-office."""
    text = incoming.text[:3000]
    if challenge(incoming):
        return "challenge"
    if MOVED.search(f"{incoming.subject}\n{text}"):
        return "moved"
    if incoming.header("list-id").strip() or incoming.header("precedence").strip().lower() in ("list", "bulk", "junk"):
        return "list" if not re.search(r"vacation|out of|auto", incoming.subject, re.IGNORECASE) else "out-of-office"
    if re.search(r"ticket|\bcase\b|reference|received your|thank you for (?:your|contacting)", text, re.IGNORECASE):
        return "acknowledgement"
    return "out-of-office"


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
