"""Categories of work orders: the second level, found by code, name or pinyin."""

from django.db import models
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from complaints.kinds import Group, Kind, Severity


class Category(models.Model):
    """What went wrong, more exactly than its class. It carries what a form proposes:
    severity, whether the item must be named, and the words to read to the caller."""

    code = models.CharField(_("code"), max_length=6, unique=True)
    group = models.CharField(_("class"), max_length=10, choices=Group)
    name = models.CharField(_("name"), max_length=40)
    name_zh = models.CharField(_("Chinese name"), max_length=20)
    initials = models.CharField(max_length=20)  # of the Chinese name: yw
    pinyin = models.CharField(max_length=80)
    aliases = models.CharField(max_length=40, blank=True)  # what people also say: ys
    severity = models.CharField(max_length=8, choices=Severity, default=Severity.NORMAL)
    kind = models.CharField(max_length=16, choices=Kind, blank=True)  # it suggests
    needs_item = models.BooleanField(default=True)
    script = models.CharField(max_length=300, blank=True)
    script_zh = models.CharField(max_length=150, blank=True)
    is_active = models.BooleanField(default=True)

    class Meta:
        ordering = ["code"]

    def __str__(self) -> str:
        return self.name_zh if _is_chinese() else self.name

    @property
    def said(self) -> str:
        """What the agent reads to the caller."""
        return self.script_zh if _is_chinese() else self.script


def _is_chinese() -> bool:
    return (get_language() or "").startswith("zh")
