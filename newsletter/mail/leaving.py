"""Wishes to leave in words: a whole reply that is a command, or a softer wish that a colleague should look at.

A word alone proves nothing: "please stop the noise" and "it does not end" are why people write to us. On 198 replies
the word "unsubscribe" stands in 21, nearly always in the footer they quote, and in 3 in the person's own words.
"""

from __future__ import annotations

import re
import unicodedata

COMMAND, ASK = "unsubscribe", "ask"
MOST_COMMAND_WORDS = 6
MOST_ASKING_WORDS = 60

# A whole reply, with or without politeness. Words that mean nothing else come first, in every language that we know.
PLAIN = (
    "unsubscribe", "unsubscribe me", "unsub", "opt out", "opt-out", "optout", "remove me", "take me off",
    "remove from list", "remove me from list", "cancel subscription", "cancel my subscription", "no more emails",
    "no more e-mails", "stop emails", "stop emailing me", "stop sending me emails", "stop these emails",
    "dad-danysgrifio", "dad danysgrifio", "datdanysgrifio", "dad-danysgrifiwch fi", "tynnwch fi oddi ar y rhestr",
    "abmelden", "abmeldung", "abbestellen", "newsletter abbestellen", "austragen", "keine e-mails mehr", "abo kündigen",
    "désabonner", "se désabonner", "désabonnement", "désabonnez-moi", "désabonnez moi", "me désabonner", "desabonner",
    "désinscrire", "désinscription", "désinscrivez-moi", "me désinscrire", "desinscription",
    "darme de baja", "dar de baja", "dame de baja", "denme de baja", "baja", "cancelar suscripción", "desuscribir",
    "cancelar suscripcion", "anular suscripción", "desuscribirme", "desuscribirse",
    "cancelar subscrição", "cancelar inscrição", "cancelar assinatura", "descadastrar", "anular subscrição",
    "cancellami", "disiscrivimi", "disiscrizione", "cancella iscrizione", "annulla iscrizione", "disiscrivere",
    "cancellarmi", "annullare l'iscrizione",
    "afmelden", "uitschrijven", "schrijf me uit", "schrijf mij uit", "meld me af", "meld mij af", "opzeggen",
    "wypisz", "wypisz mnie", "wypisać", "wypisać się", "anuluj subskrypcję", "rezygnuję", "rezygnacja",
    "dezabonare", "dezabonează-mă", "dezaboneaza-ma", "dezabonați-mă", "dezabonati-ma", "mă dezabonez",
    "avregistrera", "avregistrera mig", "avprenumerera", "avsluta prenumeration", "afmeld", "afmeld mig", "frameld",
    "avmeld", "meld meg av", "avslutt abonnement", "peruuta tilaus", "peru tilaus", "odhlásit", "odhlásit odběr",
    "zrušit odběr", "odhlásiť", "zrušiť odber", "leiratkozás", "leiratkozom", "iratkozzak le", "odjava", "odjavi me",
    "abonelikten çık", "abonelikten çıkar", "aboneliği iptal et", "διαγραφή", "κατάργηση εγγραφής", "απεγγραφή",
    "отписаться", "отпишите меня", "отписка", "відписатися", "відпишіть мене", "отписване", "отпишете ме",
    "إلغاء الاشتراك", "الغاء الاشتراك", "لغو اشتراک", "ان سبسکرائب", "رکنیت ختم کریں", "הסר", "הסרה", "ביטול הרשמה",
    "सदस्यता समाप्त करें", "सदस्यता रद्द करें", "ਗਾਹਕੀ ਰੱਦ ਕਰੋ", "সদস্যতা বাতিল করুন", "আনসাবস্ক্রাইব",
    "退订", "退訂", "取消订阅", "取消訂閱", "配信停止", "購読解除", "購読停止",
    "구독 취소", "구독취소", "수신거부", "수신 거부",
    "hủy đăng ký", "huỷ đăng ký", "ยกเลิกการสมัคร", "berhenti berlangganan",
)  # fmt: skip
# Only as everything that somebody wrote, subject and text together: each of them begins other sentences too.
BARE = ("stop", "end", "quit", "cancel", "remove", "stopp", "parar", "arrêt", "stop please")
# What may stand behind a plain command: from which list.
_FROM_WHAT = re.compile(
    r" (?:(?:from|off|to|of|von|de|del|della|dal|dalla|van|z|от) )?(?:(?:this|the|your|these|all|my"
    r"|any|der|dem|diesem|la"
    r"|le|les|cette|votre|esta|this)? ?){0,2}(?:(?:e-?)?mail(?:ing)?s?(?: lists?)?|lists?|newsletters?|updates"
    r"|alerts?|messages?|everything|all|lista|liste|verteiler|nieuwsbrief|boletín|bulletin|here)"
)
_POLITE = re.compile(
    r"^(?:(?:hi|hello|hey|dear|good morning|hallo|bonjour|hola|ciao|please|pls|plz|kindly|bitte|s'il vous plaît|svp"
    r"|por favor|per favore|graag|proszę|vă rog|i want to|i would like to|i'd like to|can you|could you|yes) )+"
    r"|(?: (?:please|pls|plz|thanks|thank you|thankyou|thx|ta|cheers|regards|kind regards|many thanks|now|asap"
    r"|bitte|graag|os gwelwch yn dda|danke|merci|svp|gracias|por favor|grazie|dank u|bedankt"
    r"|dziękuję|immediately|today|diolch))+$"
)
_SUBJECT_PREFIX = re.compile(
    r"^(?:(?:re|aw|sv|vs|antw|odp|ynt|r|tr|wg|fwd?|ateb|bls|回复|答复|返信)\s*[:：]\s*)+", re.IGNORECASE
)
# Softer wishes, anywhere in a short reply of the person's own words.
# "Take me off the street" and "remove me from this house" are pleas: what they want to be off must be mail.
_MAIL = r"(?: \w+){0,6}? (?:lists?|e-?mails?|mails?|mailing|newsletters?|messages?|updates|alerts|contacts|database)\b"
_ASKING = re.compile(
    rf"\bunsubscrib|\bopt(?:ing)?[- ]?(?:me )?out(?:{_MAIL}|$)"
    rf"|\b(?:remove|delete|take) (?:me|us|my \w+|my e-?mail address)(?: off| out)?(?:{_MAIL}|$| please$| thanks$)"
    rf"|\b(?:remove me|take me off)(?: i| as| we| because| since) "
    r"|(?:do(?:n't| not)|no longer|didn't|never) (?:want|wish|need|like|signed up|sign up)(?: \w+){0,4} "
    r"(?:e-?mails?|newsletters?|messages?|these|updates|alerts)"
    r"|(?:stop|quit) (?:sending|e-?mailing|mailing|contacting|spamming|messaging) (?:me|us|this|these)"
    r"|cancel (?:my|this|the) (?:subscription|newsletter)|no more (?:e-?mails|newsletters|messages)"
    r"|(?:nicht|kein\w*) (?:mehr )?(?:\w+ ){0,3}(?:e-?mails?|newsletter|zusenden|erhalten)|ne (?:plus|souhaite plus) "
    r"recevoir|no (?:quiero|deseo) recibir|non (?:voglio|desidero) (?:più )?ricevere|geen (?:e-?)?mails? meer"
    r"|nie chcę (?:więcej )?(?:otrzymywać|dostawać)|dejar de recibir",
)


def wish(subject: str, words: str) -> str:
    """COMMAND when the whole of the person's new words (at most six), or the whole subject, is a command; ASK when
    they say so more softly; else "". `words` is the reply without what it quotes."""
    said, about = plain(words), plain(_SUBJECT_PREFIX.sub("", subject.strip()))
    length = len(said.split())
    if said and length <= MOST_COMMAND_WORDS and (_is_command(said) or _bare(said)):
        return COMMAND
    if _is_command(about):
        # The subject decides where the text does not say more: "Unsubscribe" above a plea is for a person to read.
        return COMMAND if not said or _POLITE.sub("", f"x {said}") == "x" else ASK
    if _bare(about) and not said:
        return COMMAND
    if said and length <= MOST_ASKING_WORDS and _asks(said):
        return ASK
    return ""


def says_more(subject: str, words: str) -> bool:
    """True when a mail to the unsubscribe address says something else as well: then a person must read it, too.

    Programs write a line of their own there ("This message was generated by …"), and people a name below."""
    lines = [line for line in words.splitlines() if not _OF_PROGRAMS.search(line)]
    said = plain("\n".join(lines))
    return len(said.split()) > 3 and wish("", said) == ""


_OF_PROGRAMS = re.compile(r"unsubscri|automatic|generated|list-|mailing list|sent from|on behalf", re.IGNORECASE)


def plain(text: str) -> str:
    """Small letters on one line without punctuation round the words, to compare with."""
    text = unicodedata.normalize("NFC", text[:4000]).casefold().replace("’", "'").replace("‘", "'")
    text = re.sub(r"[^\w\s'\-\u0300-\u036f\u0900-\u0dff\u200c\u200d]", " ", text)
    return " ".join(word.strip("-_'") or "" for word in text.split()).strip()


def _is_command(said: str) -> bool:
    for _ in range(3):
        said = _POLITE.sub("", said).strip()
    if said in _PLAIN:
        return True
    blanks = (match.start() for match in re.finditer(" ", said[:200]))
    return any(said[:at] in _PLAIN and _FROM_WHAT.fullmatch(said, at) for at in blanks)


def _bare(said: str) -> bool:
    return _POLITE.sub("", said).strip() in _BARE or said in _BARE


def _asks(said: str) -> bool:
    if _ASKING.search(said):
        return True
    # In other languages: one of the unmistakable commands inside a longer sentence.
    return any(f" {one} " in f" {said} " for one in _LONG)


_PLAIN = frozenset(plain(one) for one in PLAIN)
_BARE = frozenset(plain(one) for one in BARE)
# A short word may be part of anything ("baja" is also "goes down"); the languages without blanks are left out.
_LONG = frozenset(one for one in _PLAIN if len(one) >= 8 and not one.startswith(("no more", "remove", "stop", "take")))
