"""Teams of an office: who does a thing together, led by one of them.

Sources: R-ORG-07, 14, 19 to 21, 25, 26, 41 to 43, 50.
"""

from typing import Self

from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm.access.models import User
from crm.access.roles import Role
from crm.access.scoping import ScopedQuerySet, reaching
from crm.org.models import Office


class TeamQuerySet(ScopedQuerySet):
    def rule(self, user: User) -> Q:
        """Everybody those of their offices, of offices below and above; members their own."""
        return reaching(user, *Role.values) | Q(
            pk__in=Member.objects.active().filter(user=user).values("team")
        )

    def active(self) -> Self:
        return self.filter(ended_on=None)


class Team(models.Model):
    """People of an office and below it, or of the levels above, with one task."""

    class Kind(models.TextChoices):
        KEY_ACCOUNT = "key_account", pgettext_lazy("team", "Key accounts")
        RELATIONS = "relations", pgettext_lazy("team", "Relations with key customers")
        EXPANSION = "expansion", pgettext_lazy("team", "Cooperation with customers")
        FOLLOW_UP = "follow_up", pgettext_lazy("team", "Follow-up calls")
        INSPECTION = "inspection", pgettext_lazy("team", "Inspection")
        SUPERVISION = "supervision", pgettext_lazy("team", "Supervision of service")
        BIU = "biu", pgettext_lazy("team", "Business intelligence (BIU)")
        FRONT = "front", pgettext_lazy("team", "Front-office service")
        SUPPORT = "support", pgettext_lazy("team", "Back-office support")
        PROJECT = "project", pgettext_lazy("team", "Project group")

    office = models.ForeignKey(
        Office, models.PROTECT, related_name="+", verbose_name=_("office")
    )
    kind = models.CharField(_("kind"), max_length=11, choices=Kind)
    name = models.CharField(_("name"), max_length=60)
    purpose = models.CharField(_("task"), max_length=500, blank=True)
    is_entity = models.BooleanField(
        _("operating entity"),
        default=False,
        help_text=_("It has a budget and figures of its own, not a post only."),
    )
    made_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    made_on = models.DateField(auto_now_add=True)
    ended_on = models.DateField(null=True)
    changed_at = models.DateTimeField(auto_now=True)

    objects = TeamQuerySet.as_manager()

    class Meta:
        ordering = ["office__path", "kind", "pk"]
        constraints = [
            models.UniqueConstraint(
                name="team_name_once",
                fields=["office", "name"],
                condition=Q(ended_on=None),
            )
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("programmes:team", args=[self.pk])

    @property
    def seen(self) -> str:
        """Which state of the team a page has shown."""
        return f"{self.changed_at.timestamp()}"


class TeamMemberQuerySet(models.QuerySet):
    def active(self) -> Self:
        return self.filter(until=None, team__ended_on=None)


class Member(models.Model):
    """Somebody in a team, from a day until another."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="members")
    user = models.ForeignKey(
        User, models.CASCADE, related_name="+", verbose_name=_("person")
    )
    duty = models.CharField(_("what they do there"), max_length=60, blank=True)
    is_leader = models.BooleanField(_("leads it"), default=False)
    since = models.DateField()
    until = models.DateField(null=True)

    objects = TeamMemberQuerySet.as_manager()

    class Meta:
        ordering = ["-is_leader", "since", "pk"]
        constraints = [
            models.UniqueConstraint(
                name="member_once", fields=["team", "user"], condition=Q(until=None)
            ),
            models.UniqueConstraint(
                name="member_one_leader",
                fields=["team"],
                condition=Q(until=None, is_leader=True),
            ),
            models.CheckConstraint(
                name="member_forward",
                condition=Q(until=None) | Q(until__gte=F("since")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} {self.team}"
