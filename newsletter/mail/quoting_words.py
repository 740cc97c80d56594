"""How mail programs introduce what they quote, in the languages of the people who write to us."""

from __future__ import annotations

# "On Tue, 24 Nov 2026, Sam Okafor wrote:" ends with one of these, perhaps with a name or a colon after it.
WROTE = (
    "wrote|writes|sent|schrieb|a écrit|écrit|escribió|escribio|ha scritto|scrive|schreef|"
    r"geschreven|skrev|kirjoitti|napisał|napisała|napisał\(a\)|napisal|napsal|napsala|"
    r"napsal\(a\)|escreveu|ysgrifennodd|yazdı|shkroi|a scris|írta|написал|написала|написал\(а\)|"
    "пишет|пише|έγραψε|كتب|کتب|نے لکھا|написа|写道|寫道|"
    "napisao|napisala|napísal|napísala|написа|menulis|đã viết|escrigué|idatzi zuen|skrifaði|parašė|rakstīja|kirjutas|"
    "כתב|כתבה|เขียนว่า|ने लिखा|লিখেছেন|ਨੇ ਲਿਖਿਆ|のメッセージ|さんは書きました|님이 작성"
)
# ----- Original message ----- and its kin; dashes, stars and letter case do not count.
SEPARATORS = frozenset(
    {
        "original message",
        "reply message",
        "ursprüngliche nachricht",
        "ursprüngliche mail",
        "originalnachricht",
        "antwort nachricht",
        "message d'origine",
        "message original",
        "mensaje original",
        "mensagem original",
        "messaggio originale",
        "oorspronkelijk bericht",
        "ursprungligt meddelande",
        "originalmeddelande",
        "oprindelig meddelelse",
        "oprindelig besked",
        "opprinnelig melding",
        "alkuperäinen viesti",
        "wiadomość oryginalna",
        "oryginalna wiadomość",
        "původní zpráva",
        "původní e-mail",
        "neges wreiddiol",
        "mesaj original",
        "eredeti üzenet",
        "orijinal ileti",
        "исходное сообщение",
        "αρχικό μήνυμα",
        "الرسالة الأصلية",
        "اصل پیغام",
        "原始邮件",
        "原始郵件",
        "원본 메시지",
        "original",
        "reply above this line",
        "please reply above this line",
        "type your reply above this line",
        "please type your reply above this line",
        "write your reply above this line",
    }
)
# What a person sends on to us is part of what they say: nothing below such a line is cut.
FORWARDED = frozenset(
    {
        "forwarded message",
        "begin forwarded message",
        "weitergeleitete nachricht",
        "message transféré",
        "mensaje reenviado",
        "mensagem encaminhada",
        "messaggio inoltrato",
        "doorgestuurd bericht",
        "vidarebefordrat meddelande",
        "przekazana wiadomość",
        "neges a anfonwyd ymlaen",
        "пересылаемое сообщение",
    }
)
# Outlook's block: From, Sent, To, Subject.
FIELDS = (
    "from|sent|to|cc|date|subject|reply-to|von|gesendet|an|datum|betreff|de|envoyé|envoyé le|à|objet|enviado|"
    "enviado el|enviada em|para|assunto|asunto|fecha|data|da|inviato|a|oggetto|risposta|van|verzonden|aan|"
    "onderwerp|från|skickat|till|ämne|fra|sendt|dato|til|emne|lähettäjä|lähetetty|päivä|vastaanottaja|aihe|od|"
    "wysłano|wysłane|do|temat|odesláno|komu|předmět|oddi wrth|anfonwyd|at|pwnc|de la|trimis|către|subiect|от|"
    "отправлено|кому|тема|дата|від|από|στάλθηκε|προς|θέμα|من|إلى|الموضوع|تاريخ|از|"
    "发件人|发送时间|收件人|主题|寄件者|收件者|主旨|"
    "kimden|kime|gönderilme|gönderilme tarihi|konu|feladó|címzett|elküldve|tárgy|מאת|נשלח|אל|נושא|"
    "差出人|送信日時|宛先|件名|"
    "gửi|từ|đến|chủ đề|dari|kepada|šalje|poslano|prima|predmet|изпратено|"
    "보낸 사람|받는 사람|제목"
)
# "Sent from my phone", said by the phone: at most nine words after it.
DEVICES = (
    "sent from|sent via|sent using|sent with|get outlook for|sent on the go|von meinem|von unterwegs|gesendet von|"
    "gesendet mit|gesendet aus|diese nachricht wurde von|envoyé de|envoyé depuis|envoyé à partir|"
    "enviado desde|enviado de|enviado do|enviado con|inviato da|inviato dal|verzonden vanaf|verzonden met|"
    "verstuurd vanaf|skickat från|sendt fra|lähetetty|wysłane z|wysłano z|odesláno z|anfonwyd o|trimis de pe|"
    "отправлено с|отправлено из|надіслано з|στάλθηκε από|εστάλη από|أرسلت من|תשלח מ|נשלח מה|بھیجا گیا|"
    "iphone'umdan|iphone’umdan|发自我的|發自我的|从我的|從我的|"
    "iphoneから送信|나의 iphone|나의 ipad|나의 galaxy|내 iphone"
)
