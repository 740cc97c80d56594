"""Runs a theme's Jinja in a sandbox in which nothing plain can ever become markup."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from newsletter.problems import Exit, NewsletterError, Problem, Where
from newsletter.rendering import placeholders, styles
from newsletter.rendering.themes import Theme

if TYPE_CHECKING:
    from jinja2 import Environment

OWN = Path(__file__).parent
# Attribute values that hold an entity. MJML decodes and prints them bare, so `alt="&quot; onerror=…"` would become
# an attribute of its own (measured in both releases of the port); as a literal the whole value is opaque.
_ENTITY = re.compile(r"""=\s*(?:"([^"<>]*&[^"<>]*)"|'([^'<>]*&[^'<>]*)')""")


@lru_cache(maxsize=16)
def environment(folder: Path) -> Environment:
    """The Jinja environment of one theme; compiled templates stay in it, and a saved file is noticed."""
    from jinja2 import ChoiceLoader, FileSystemLoader, PrefixLoader, StrictUndefined, pass_context
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    @pass_context  # only so that Jinja does not call it while compiling, when there is no issue yet
    def finalize(_: Any, value: Any) -> Any:
        return _printed(value)

    own = FileSystemLoader(OWN)
    result = ImmutableSandboxedEnvironment(
        loader=ChoiceLoader([FileSystemLoader(folder), PrefixLoader({"engine": own})]),
        undefined=StrictUndefined,
        autoescape=True,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in ("lipsum", "cycler", "joiner", "namespace"):
        result.globals.pop(name)
    for name in ("safe", "forceescape", "xmlattr", "tojson", "pprint", "urlize"):
        result.filters.pop(name, None)
    result.filters.update(styles.FILTERS)
    return result


def _printed(value: Any) -> Any:
    """What `{{ value }}` writes: checked MJML and whole numbers as they are, anything else as an opaque literal."""
    if isinstance(value, Markup) or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if value is None or isinstance(value, bool):
        raise TypeError("a place that prints a value got none, or true/false")
    text = str(value)  # StrictUndefined raises here
    return Markup(placeholders.current.get().literal(text)) if text else Markup("")  # noqa: S704


def opaque_entities(mjml: str) -> str:
    """MJML whose attribute values with entities are literals; what they decode to is escaped later, by place."""

    def replace(match: re.Match[str]) -> str:
        value = match[1] if match[1] is not None else match[2]
        return f'="{placeholders.current.get().literal(unescape(value))}"'

    return _ENTITY.sub(replace, mjml) if "&" in mjml else mjml


class Macros:
    """The block macros of one rendering: the theme's own, else the engine's."""

    def __init__(self, theme: Theme, names: Mapping[str, Any]) -> None:
        env = environment(theme.folder)
        self.theme = theme
        self._modules = []
        with theme_faults(theme):
            if (theme.folder / "blocks.mjml.j2").is_file():
                self._modules.append(env.get_template("blocks.mjml.j2").make_module(dict(names)))
            self._modules.append(env.get_template("engine/blocks.mjml.j2").make_module(dict(names)))

    def __call__(self, name: str, block: Mapping[str, Any]) -> Markup:
        """MJML of one block."""
        for module in self._modules:
            macro = getattr(module, name, None)
            if macro is not None:
                with theme_faults(self.theme):
                    return Markup(macro(block))  # noqa: S704 - the sandbox printed it, value by value
        raise AssertionError(f"no macro {name}")


def document(theme: Theme, names: Mapping[str, Any]) -> str:
    """The whole MJML document of the theme."""
    with theme_faults(theme):
        return environment(theme.folder).get_template("theme.mjml.j2").render(dict(names))


def stylesheet(theme: Theme, file: str, names: Mapping[str, Any]) -> str:
    """`inline.css.j2` or `keep.css.j2` of the theme, or the empty string where it has none."""
    if not (theme.folder / file).is_file():
        return ""
    with theme_faults(theme):
        css = environment(theme.folder).get_template(file).render(dict(names))
    if f"Zq{placeholders.current.get().nonce}" in css:
        hint = "Only colours and numbers may be printed into CSS."
        raise broken(theme, "A plain value is printed into CSS", hint, Where(f"templates/{theme.name}/{file}"))
    return css


@contextmanager
def theme_faults(theme: Theme) -> Iterator[None]:
    """Turns what goes wrong inside a theme into a Problem with the template's line."""
    from jinja2 import TemplateError

    try:
        yield
    except (TemplateError, TypeError, ValueError, KeyError, AttributeError, RecursionError) as error:
        raise broken(theme, _words(error), "", _place(theme, error)) from error


def broken(theme: Theme, message: str, hint: str = "", where: Where | None = None) -> NewsletterError:
    """A theme that cannot be used, as the error that the pipeline raises."""
    where = where or Where(f"templates/{theme.name}/theme.mjml.j2")
    problem = Problem("theme-fault", f"The theme ‘{theme.name}’: {message}", hint=hint, where=where)
    return NewsletterError(problem, exit=Exit.CONFIG)


def _words(error: Exception) -> str:
    return str(getattr(error, "message", None) or error) or type(error).__name__


def _place(theme: Theme, error: Exception) -> Where:
    """The template's line: a syntax error carries it, anything else has it in the deepest template frame."""
    line, name = getattr(error, "lineno", None), getattr(error, "name", None)
    trace = None if line else error.__traceback__
    while trace:
        file = Path(trace.tb_frame.f_code.co_filename)
        if file.suffix == ".j2":  # Jinja rewrites its frames to the template's own file and lines
            line, name = trace.tb_lineno, file.name
        trace = trace.tb_next
    return Where(f"templates/{theme.name}/{Path(str(name or 'theme.mjml.j2')).name}", line)
