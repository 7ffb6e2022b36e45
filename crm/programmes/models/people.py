"""What is kept of staff beside their account: badge, picture, level, where they came from.

Sources: R-ORG-13, 22, 28.
"""

from pathlib import Path

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm.access.models import User


class StaffRecord(models.Model):
    """Who somebody is at work: the badge that customers see (亮身份), the level of a customer
    manager, and whether they were chosen within the house or hired."""

    class Level(models.TextChoices):
        JUNIOR = "junior", pgettext_lazy("level", "Junior")
        MIDDLE = "middle", pgettext_lazy("level", "Intermediate")
        SENIOR = "senior", pgettext_lazy("level", "Senior")
        CHIEF = "chief", pgettext_lazy("level", "Chief")

    class Origin(models.TextChoices):
        WITHIN = "within", _("Chosen within the house")
        HIRED = "hired", _("Hired from outside")

    user = models.OneToOneField(User, models.CASCADE, related_name="staff_record")
    badge = models.CharField(_("badge number"), max_length=20, blank=True)
    level = models.CharField(_("level"), max_length=6, choices=Level, blank=True)
    origin = models.CharField(_("where from"), max_length=6, choices=Origin, blank=True)
    joined_on = models.DateField(_("with us since"), null=True, blank=True)
    has_photo = models.BooleanField(default=False, editable=False)
    kept_by = models.ForeignKey(
        User, models.PROTECT, null=True, editable=False, related_name="+"
    )
    kept_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="staff_badge_once",
                fields=["badge"],
                condition=~Q(badge=""),
                violation_error_message=_("Somebody else wears this number."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.user} {self.badge}"

    @property
    def seen(self) -> str:
        """Which state of the record a page has shown."""
        return f"{self.kept_at.timestamp()}" if self.kept_at else ""

    @property
    def photo(self) -> Path:
        return Path(settings.FILES_ROOT) / "staff" / f"{self.user_id}.jpg"
