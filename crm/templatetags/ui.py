"""The few tags that templates need. Icons are drawn inline from the lucide package."""

import uuid
from functools import lru_cache
from typing import Any

import lucide
from django import template
from django.template.loader import render_to_string
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext

from complaints import workflow
from crm import charts
from crm.access.capabilities import may
from crm.menu import groups_of

register = template.Library()


@lru_cache(maxsize=512)
def _svg(name: str, size: int, css: str) -> SafeString:
    drawn = lucide._render_icon(
        name,
        size,
        **{"class": f"icon {css}".strip(), "aria-hidden": "true", "focusable": "false"},
    )
    return SafeString(
        drawn
    )  # SECURITY: from the package's own files, never from a user


@register.simple_tag
def icon(name: str, size: int = 18, css: str = "") -> SafeString:
    return _svg(str(name), int(size), str(css))


@register.simple_tag(takes_context=True)
def menu_entries(context: Any) -> SafeString:
    """The groups that the reader's roles open, the entry of this page marked."""
    roles = context.get("roles") or frozenset()
    path = context["request"].path if roles else ""
    known = any(one.url == path for _label, some in groups_of(roles) for one in some)
    return _menu(roles, path if known else "", get_language())


@lru_cache(maxsize=512)
def _menu(roles: frozenset[str], here: str, language: str) -> SafeString:
    """COST: drawn once for each set of roles, page and language; every page has it."""
    groups = groups_of(roles)
    if len(groups) == 1:
        return _entries(groups[0][1], here)
    return format_html_join(
        "",
        '<p class="nav-group">{}</p>{}',
        ((label, _entries(entries, here)) for label, entries in groups),
    )


def _entries(entries: tuple, here: str) -> SafeString:
    return format_html_join(
        "",
        '<a class="nav-item" href="{}"{}>{}<span>{}</span></a>',
        (
            (
                entry.url,
                SafeString(' aria-current="page"' if entry.url == here else ""),
                icon(entry.icon),
                entry.label,
            )
            for entry in entries
        ),
    )


@register.simple_tag
def badge(text: Any, tone: str = "muted", icon_name: str = "circle-dot") -> SafeString:
    """Icon, word and tint: never colour alone."""
    return format_html(
        '<span class="badge tone-{}">{}{}</span>', tone, icon(icon_name, 14), text
    )


@register.simple_tag
def drawn(template: str) -> SafeString:
    """A template that needs no context. COST: drawn once for each language."""
    return _drawn(template, get_language())


@lru_cache(maxsize=32)
def _drawn(template: str, language: str) -> SafeString:
    return render_to_string(template)


@register.simple_tag
def once_token() -> SafeString:
    """A hidden field that makes a form act once however often it is sent."""
    return format_html('<input type="hidden" name="token" value="{}">', uuid.uuid4())


@register.simple_tag
def state_badge(complaint: Any) -> SafeString:
    tone, icon_name = workflow.tone(complaint.state)
    return badge(complaint.get_state_display(), tone, icon_name)


@register.simple_tag
def sparkline(values: list[float], tone: str = "s1") -> SafeString:
    return charts.sparkline(values, tone)


@register.filter
def percent(value: float | None) -> str:
    """A fraction as 52.02; a dash when there is none."""
    return "—" if value is None else f"{100 * value:.2f}"


@register.filter
def whole(value: Any) -> str:
    """A count with thousands set off; in both languages alike."""
    return "" if value in (None, "") else f"{value:,.0f}"


@register.filter
def money(value: Any) -> str:
    return f"{value:,.2f}"


@register.filter
def words(text: str) -> list[str]:
    return text.split()


@register.filter
def translated(message: str) -> str:
    """A message that was kept in English, in the reader's language."""
    return gettext(message) if message else ""


@register.filter
def get(mapping: Any, key: Any) -> Any:
    return mapping.get(key)


@register.simple_tag(takes_context=True)
def may_do(context: Any, capability: str) -> bool:
    """Whether the reader may: asked for every button."""
    return may(context["request"].user, capability)
