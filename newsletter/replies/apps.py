"""Tells Django about this package."""

from django.apps import AppConfig


class Replies(AppConfig):
    name = "newsletter.replies"
    label = "replies"
