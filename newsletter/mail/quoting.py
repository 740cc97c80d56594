"""What a person wrote anew in a reply: without the quoted message, its introduction, and the signature."""

from __future__ import annotations

import re

from newsletter.mail.html_text import SEPARATOR

_LONGEST_LINE = 500  # longer ones are prose, and no pattern is tried on them

# "On Tue, 24 Nov 2026 at 10:02, Sam Okafor <sam@…> wrote:" in the languages of the people we know to write.
_WROTE = (
    "wrote|writes|sent|said|schrieb|a écrit|écrit|escribió|escribio|ha scritto|scrive|schreef|skrev|kirjoitti|"
    "napisał(?:\\(a\\))?|napisał|napisal|napsal(?:\\(a\\))?|escreveu|ysgrifennodd|yazdı|написал(?:а|\\(а\\))?|пишет|"
    "пише|έγραψε|كتب|написа|写道|：?写道|のメッセージ|に書きました|さんは書きました|작성"
)
_ATTRIBUTION = re.compile(
    rf"\s*(?:[>*]\s*)?\S.{{3,400}}(?:{_WROTE})(?:\b|\s|[:：])[^:：]{{0,60}}[:：]\s*$", re.IGNORECASE
)
_STARTS = re.compile(
    r"\s*(?:[>*]\s*)?(?:On|Am|Le|El|Il|Op|Den|På|Em|Dnia|W dniu|Dne|Ar|Ke|Vào|Pada|Në|Tarihinde|От|В|Στις|في|"
    r"\d{1,4}[-/.:年]|\d{1,2} \w|20\d\d|Mon|Tue|Wed|Thu|Fri|Sat|Sun|Lun|Mar|Mer|Gio|Ven|Sab|Dom|пн|вт|ср|чт|пт|сб|вс)",
    re.IGNORECASE,
)
# Gmail's newer form and its kin: a date, a name and an address, ended by a colon.
_DATED = re.compile(
    r"\s*(?=.{0,200}\d{1,2}[:.]\d\d)(?=.{0,200}\b(?:19|20)\d\d\b).{5,300}<\S{3,200}@\S{3,200}>\s*[:：]\s*$"
)
_SEPARATOR = re.compile(
    r"\s*[>*]?\s*(?:[-_=]{2,}\s*(?:original message|reply message|forwarded message|begin forwarded message|"
    r"ursprüngliche (?:nachricht|mail)|weitergeleitete nachricht|message d'origine|message original|mensaje original|"
    r"messaggio originale|oorspronkelijk bericht|ursprungligt meddelande|original ?meddelande|"
    r"oprindelig meddelelse|opprinnelig melding|"
    r"mensagem original|wiadomość oryginalna|původní (?:zpráva|e-mail)|neges wreiddiol|"
    r"исходное сообщение|пересылаемое сообщение|αρχικό μήνυμα|الرسالة الأصلية|原始邮件|원본 메시지)\s*[-_=]{2,}|"
    r"_{10,}|begin forwarded message:|-{2,} ?reply above this line ?-{2,}|"
    r"#{2,}- please (?:type|write) your reply above this line -#{2,})\s*$",
    re.IGNORECASE,
)
# Outlook's block From, Sent, To, Subject: at least three of them on neighbouring lines.
_FIELD = re.compile(
    r"\s*\*?(?:from|sent|to|cc|date|subject|reply-to|von|gesendet|an|datum|betreff|de|envoyé|à|date|objet|"
    r"enviado(?: el)?|"
    r"para|asunto|fecha|da|inviato|a|data|oggetto|risposta|van|verzonden|aan|onderwerp|från|skickat|till|ämne|fra|sendt|"
    r"til|emne|od|wysłano|do|temat|odesláno|komu|předmět|lähettäjä|lähetetty|vastaanottaja|aihe|oddi wrth|anfonwyd|at|"
    r"pwnc|от|отправлено|кому|тема|дата|από|στάλθηκε|προς|θέμα|من|إلى|الموضوع|تاريخ|发件人|发送时间|收件人|主题)"
    r"\s?\*?\s?[:：]\*?(?:\s|$)",
    re.IGNORECASE,
)
_SIGNATURE = re.compile(r"\s*(?:--|—|__|- --)\s*$")
_DEVICE = re.compile(
    r"\s*[*_]*(?:sent (?:from|using|via) (?:my|the|an?|samsung|mail|outlook|yahoo|blue|proton|mobile|\S+ mail)\b|"
    r"get outlook for |"
    r"(?:von|gesendet (?:von|mit|aus)) (?:mein|der|dem|outlook)|envoyé de(?:puis)? (?:mon|ma|outlook|yahoo)|"
    r"enviado (?:desde|de|do) (?:mi|meu|el|outlook)|inviato da|verzonden (?:vanaf|met|van) |skickat från|"
    r"sendt fra (?:min|mit|outlook)|lähetetty |wysłane z |odesláno z|anfonwyd o|отправлено (?:с|из) |"
    r"εστάλη από|أُ?رسلت? من|发自我的|iphoneから送信|나의 iphone에서|sent on the go|sent by mail\b).{0,120}$",
    re.IGNORECASE,
)


def new_words(text: str) -> str:
    """The new words of a reply, or the whole text when nothing else is left of it.

    Answers written between the quoted lines are kept together with them, for they mean nothing alone.
    """
    lines = [line.rstrip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    lines = _joined_attributions(lines)
    kinds = [_kind(lines, at) for at in range(len(lines))]
    kept = lines[: _end_of_reply(lines, kinds)]
    kinds = kinds[: len(kept)]
    words = [(line, kind) for line, kind in zip(kept, kinds, strict=True)]
    if not _interleaved(kinds):
        words = [(line, kind) for line, kind in words if kind not in "qa"]
    result = "\n".join(line for line, _ in _without_signature(words)).strip()
    return result or text.strip()


def _kind(lines: list[str], at: int) -> str:
    """e(mpty), q(uote), a(ttribution), s(eparator: all below is the old message), d(evice), g (signature), t(ext)."""
    line = lines[at]
    if not line.strip():
        return "e"
    if len(line) > _LONGEST_LINE:
        return "t"
    if line.lstrip().startswith((">", "|")):
        return "q"
    if line.strip() == SEPARATOR or _SEPARATOR.match(line) or _is_header_block(lines, at):
        return "s"
    if _is_attribution(line):
        return "a"
    if _SIGNATURE.match(line):
        return "g"
    return "d" if _DEVICE.match(line) else "t"


def _is_attribution(line: str) -> bool:
    if len(line) > _LONGEST_LINE or not line.endswith((":", "：", "写道", "작성")):
        return False
    return bool(_DATED.match(line)) or bool(
        _STARTS.match(line) and _ATTRIBUTION.match(line) and re.search(r"\d|@", line)
    )


def _is_header_block(lines: list[str], at: int) -> bool:
    if not _FIELD.match(lines[at]):
        return False
    near = [line for line in lines[at : at + 10] if line.strip()][:6]
    return sum(1 for line in near if len(line) <= _LONGEST_LINE and _FIELD.match(line)) >= 3


def _joined_attributions(lines: list[str]) -> list[str]:
    """Mail programs break "On … wrote:" over two or three lines; put such a one on one line."""
    out: list[str] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        if line.strip() and len(line) < 200 and _STARTS.match(line) and not _is_attribution(line):
            for more in (2, 3, 4):
                joined = " ".join(part.lstrip("> ") for part in lines[at : at + more])
                if all(part.strip() for part in lines[at : at + more]) and _is_attribution(joined):
                    line, at = joined, at + more - 1
                    break
        out.append(line)
        at += 1
    return out


def _end_of_reply(lines: list[str], kinds: list[str]) -> int:
    """Where the old message starts and nothing new follows."""
    for at, kind in enumerate(kinds):
        before = any(other == "t" for other in kinds[:at])
        if kind == "s" and (before or not any(other == "t" for other in kinds[at:])):
            return at
        if kind == "a" and before:
            rest = kinds[at + 1 :]
            quoted = [other for other in rest if other != "e"]
            if not quoted or quoted[0] != "q" or not any(other == "t" for other in rest):
                return at  # an unmarked quote, or a marked one with nothing of the person's after it
    return len(lines)


def _interleaved(kinds: list[str]) -> bool:
    """New words after quoted ones, more than once or after words before them."""
    marks = re.sub("[edg]", "", "".join(kinds))
    return bool(re.search(r"t[aq]*q[aq]*t", marks))


def _without_signature(words: list[tuple[str, str]]) -> list[tuple[str, str]]:
    for at, (_, kind) in enumerate(words):
        text_before = any(other == "t" for _, other in words[:at])
        if kind == "g" and text_before and sum(1 for _, other in words[at:] if other == "t") <= 12:
            return words[:at]
        if kind == "d" and (text_before or at == 0) and not any(other == "t" for _, other in words[at + 1 :]):
            return words[:at]
    return [(line, kind) for line, kind in words if kind != "d"]
