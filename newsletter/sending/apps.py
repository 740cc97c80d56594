"""Tells Django about this package."""

from django.apps import AppConfig


class Sending(AppConfig):
    name = "newsletter.sending"
    label = "sending"
