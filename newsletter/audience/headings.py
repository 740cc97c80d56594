"""What people call the columns of a file, in the languages that spreadsheets are kept in."""

from __future__ import annotations

import re
import unicodedata

# Compared by `plain`: without case, hyphens, underscores and full stops. English first, then German, French, Spanish,
# Italian, Portuguese, Dutch, Polish, Welsh, Irish, Urdu and Arabic.
HEADINGS: dict[str, tuple[str, ...]] = {
    "email": (
        *("email", "e mail", "mail", "email address", "e mail address", "emailaddress"),
        *("e mail adresse", "email adresse", "mailadresse", "mail adresse"),
        *("courriel", "adresse e mail", "adresse email", "adresse mail", "adresse électronique", "adresse courriel"),
        *("correo", "correo electrónico", "correo electronico", "dirección de correo electrónico"),
        *("indirizzo email", "indirizzo e mail", "posta elettronica", "endereço de e mail", "endereço de email"),
        *("e mailadres", "emailadres", "adres e mail", "adres email", "adres mailowy", "poczta elektroniczna"),
        *("e bost", "ebost", "cyfeiriad e bost", "ríomhphost", "seoladh ríomhphoist", "e post"),
        *("ای میل", "برقی پتہ", "البريد الإلكتروني", "البريد الالكتروني", "بريد إلكتروني"),
    ),
    "name": (
        *("name", "full name", "fullname", "display name", "vollständiger name", "nom", "nom complet"),
        *("nombre", "nombre completo", "nome", "nome completo", "naam", "volledige naam"),
        *("imię i nazwisko", "nazwisko i imię", "enw", "enw llawn", "ainm", "نام", "پورا نام", "الاسم", "الاسم الكامل"),
    ),
    "first_name": (
        *("first name", "firstname", "forename", "given name", "vorname", "prénom", "prenom", "nombre de pila"),
        *("primeiro nome", "nome proprio", "voornaam", "imię", "imie", "enw cyntaf", "céadainm"),
        *("پہلا نام", "الاسم الأول", "الاسم الاول"),
    ),
    "last_name": (
        *("last name", "lastname", "surname", "family name", "nachname", "familienname", "zuname"),
        *("nom de famille", "apellido", "apellidos", "cognome", "apelido", "sobrenome", "achternaam", "nazwisko"),
        *("cyfenw", "sloinne", "خاندانی نام", "آخری نام", "اسم العائلة", "اللقب"),
    ),
    "language": (
        *("language", "lang", "preferred language", "sprache", "langue", "idioma", "lengua", "lingua", "língua"),
        *("taal", "język", "jezyk", "iaith", "teanga", "زبان", "اللغة"),
    ),
    "lists": ("lists", "list", "mailing list", "subscriptions"),
    "area": ("area", "areas"),
    "tags": ("tags", "tag"),
    "postcode": ("postcode", "post code", "postal code", "zip", "zip code", "cod post", "پوسٹ کوڈ", "الرمز البريدي"),
}
# ‘Name’ beside ‘Vorname’ is the surname, ‘Nombre’ beside ‘Apellidos’ the first name: a heading → what must stand
# beside it, and what it then means. In English and Welsh ‘Name’ beside a first name is still the whole name.
BESIDE: dict[str, tuple[tuple[str, ...], str]] = {
    "name": (("vorname",), "last_name"),
    "nom": (("prénom", "prenom"), "last_name"),
    "naam": (("voornaam",), "last_name"),
    "nombre": (("apellido", "apellidos"), "first_name"),
    "nome": (("cognome", "apelido", "sobrenome"), "first_name"),
}


def plain(title: str) -> str:
    """A heading as it is compared: `E-Mail_Adresse ` → `e mail adresse`; accents count however they are composed."""
    return re.sub(r"[\W_]+", " ", unicodedata.normalize("NFC", title).casefold()).strip()


def meanings() -> dict[str, str]:
    """Every heading that is known, and the column it means."""
    return {heading: key for key, headings in HEADINGS.items() for heading in headings}


def beside(headings: list[str]) -> dict[str, str]:
    """What the headings of one file mean because of each other."""
    return {one: key for one, (others, key) in BESIDE.items() if one in headings and any(o in headings for o in others)}
