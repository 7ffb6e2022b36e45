"""When a channel was not to be reached (R-CMP-40)."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from complaints.kinds import Channel
from crm.access.models import User
from crm.access.scoping import ScopedQuerySet, subtree
from crm.org.models import Office
from crm.org.queries import ancestry


class OutageQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        """Whose customers could not reach us: offices at, below and above one's own."""
        posts = user.posts("agent", "supervisor")
        over = {path for posting in posts for path in ancestry(posting.office)}
        above = Q(office__path__in=over)
        return above | subtree(user, "supervisor")


class ChannelOutage(models.Model):
    """A channel of an office (and all below) was closed from then to then; one at a time."""

    office = models.ForeignKey(Office, models.PROTECT, related_name="+")
    channel = models.CharField(_("channel"), max_length=14, choices=Channel)
    started_at = models.DateTimeField(_("since"))
    ended_at = models.DateTimeField(null=True)
    reason = models.CharField(_("reason"), max_length=200)
    noted_by = models.ForeignKey(User, models.PROTECT, related_name="+")

    objects = OutageQuerySet.as_manager()

    class Meta:
        ordering = ["-started_at"]
        constraints = [
            models.CheckConstraint(
                name="outage_forward",
                condition=Q(ended_at=None) | Q(ended_at__gt=F("started_at")),
            ),
            models.UniqueConstraint(
                name="outage_one_running",
                fields=["office", "channel"],
                condition=Q(ended_at=None),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.started_at:%Y-%m-%d %H:%M}"
