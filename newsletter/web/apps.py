"""Tells Django about this package."""

from django.apps import AppConfig


class Web(AppConfig):
    name = "newsletter.web"
    label = "web"
