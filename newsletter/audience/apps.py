"""Tells Django about this package."""

from django.apps import AppConfig


class Audience(AppConfig):
    name = "newsletter.audience"
    label = "audience"
