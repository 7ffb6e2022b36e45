"""The season's work plan: timetable, service groups, documents, resources, competitors.

Sources: R-ORG-02…06, 10, 12; R-CAM-18, 37, 38; domain.md 4.2, 4.6.
"""

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import get_language, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from campaigns.models.seasons import Season
from crm.access.models import User
from crm.org.models import Office
from customers.models import Customer


class Department(models.TextChoices):
    """The five member departments of a service group (R-ORG-03), and others."""

    MARKETING = "marketing", _("Marketing")
    KEY_ACCOUNT = "key_account", _("Key-account centre")
    OPERATIONS = "operations", _("Operations and maintenance")
    PROCESSING = "processing", _("Mail processing centre")
    LETTER = "letter", _("Letter-mail bureau")
    OTHER = "other", pgettext_lazy("department", "Other department")


REQUIRED = [name for name in Department.values if name != Department.OTHER]


class Milestone(models.Model):
    """A row of the timetable: date, work content, responsible unit (R-ORG-06).

    Days follow from an anchor in working days where it has one; changed by hand it has
    none.
    """

    class Anchor(models.TextChoices):
        POSTING = "posting", pgettext_lazy("anchor", "main posting day")
        FESTIVAL = "festival", pgettext_lazy("anchor", "Spring Festival")
        DRAW = "draw", pgettext_lazy("anchor", "draw")
        NONE = "", pgettext_lazy("anchor", "no anchor")

    season = models.ForeignKey(Season, models.CASCADE, related_name="milestones")
    content = models.CharField(_("work content"), max_length=120)
    content_zh = models.CharField(max_length=80, blank=True, editable=False)
    department = models.CharField(
        _("responsible unit"), max_length=11, choices=Department
    )
    owner = models.ForeignKey(
        User,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("owner"),
    )
    duty = models.ForeignKey(
        "campaigns.Duty",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="milestones",
        verbose_name=_("serves the duty"),
    )  # R-ORG-04
    anchor = models.CharField(max_length=8, choices=Anchor, blank=True, editable=False)
    opens = models.SmallIntegerField(null=True, editable=False)  # working days from it
    ends = models.SmallIntegerField(null=True, editable=False)
    first_day = models.DateField(_("from"))
    due_on = models.DateField(_("until"))
    done_on = models.DateField(null=True, editable=False)
    done_by = models.ForeignKey(
        User, models.PROTECT, null=True, editable=False, related_name="+"
    )
    told_on = models.DateField(null=True, editable=False)  # that it is late

    class Meta:
        ordering = ["first_day", "due_on", "pk"]
        constraints = [
            models.CheckConstraint(
                name="milestone_forward",
                condition=Q(due_on__gte=F("first_day")),
                violation_error_message=_("It ends before it begins."),
            )
        ]
        indexes = [
            models.Index(
                name="milestone_open", fields=["due_on"], condition=Q(done_on=None)
            )
        ]

    def __str__(self) -> str:
        is_chinese = (get_language() or "").startswith("zh")
        return (is_chinese and self.content_zh) or self.content


class ServiceGroup(models.Model):
    """The customer-service group of a bureau for a season, led by the bureau leader in
    charge (R-ORG-02)."""

    season = models.ForeignKey(Season, models.CASCADE, related_name="groups")
    office = models.ForeignKey(Office, models.PROTECT, related_name="+")
    leader = models.ForeignKey(
        User,
        models.PROTECT,
        related_name="+",
        verbose_name=_("bureau leader in charge"),
    )
    made_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="service_group_once", fields=["season", "office"]
            )
        ]

    def __str__(self) -> str:
        return f"{self.season_id} {self.office_id}"


class Duty(models.Model):
    """What a department of the group sees to, and who (R-ORG-04, annex 2)."""

    group = models.ForeignKey(ServiceGroup, models.CASCADE, related_name="duties")
    department = models.CharField(_("department"), max_length=11, choices=Department)
    words = models.CharField(_("duty"), max_length=200)
    owner = models.ForeignKey(
        User, models.PROTECT, related_name="+", verbose_name=_("owner")
    )

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.get_department_display()}: {self.words[:40]}"


class SeasonDocument(models.Model):
    """The plan and its annexes: a draft for discussion until issued; a revision is a new
    version, and the old one stays (R-ORG-10, R-ORG-12)."""

    class Kind(models.TextChoices):
        PLAN = "plan", pgettext_lazy("document", "Plan")
        TIMETABLE = "timetable", _("Annex 1: timetable")
        DUTIES = "duties", _("Annex 2: duties of the group")
        VISITS = "visits", _("Annex 3: visits")
        SUPPORT = "support", _("Annex 4: back-office support")
        QUALITY = "quality", _("Annex 5: assessment of delivery quality")
        PROPOSAL = "proposal", _("Database-marketing proposal")
        REPORT = "report", pgettext_lazy("document", "Season report")
        OTHER = "other", pgettext_lazy("document", "Other document")

    class State(models.TextChoices):
        DRAFT = "draft", pgettext_lazy("document", "Draft")
        ISSUED = "issued", pgettext_lazy("document", "Issued")
        REVISED = "revised", pgettext_lazy("document", "Replaced by a revision")

    season = models.ForeignKey(Season, models.CASCADE, related_name="documents")
    kind = models.CharField(_("kind"), max_length=9, choices=Kind)
    title = models.CharField(_("title"), max_length=80)
    customer = models.ForeignKey(
        Customer, models.CASCADE, null=True, editable=False, related_name="+"
    )  # whom a proposal is for (R-CAM-30); seen by who sees the customer
    expected = models.CharField(_("expected result"), max_length=300, blank=True)
    body = models.TextField(_("text"), max_length=20_000)
    version = models.PositiveSmallIntegerField(default=1, editable=False)
    replaces = models.OneToOneField(
        "self", models.PROTECT, null=True, editable=False, related_name="replaced_by"
    )
    state = models.CharField(
        max_length=7, choices=State, default=State.DRAFT, editable=False
    )
    made_by = models.ForeignKey(
        User, models.PROTECT, null=True, editable=False, related_name="+"
    )
    made_at = models.DateTimeField(auto_now_add=True)
    issued_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["kind", "title", "-version"]

    def __str__(self) -> str:
        return self.title


class Resource(models.Model):
    """People, material or money planned for a season, and used (R-CAM-37)."""

    class Kind(models.TextChoices):
        PEOPLE = "people", pgettext_lazy("resource", "People")
        MATERIAL = "material", pgettext_lazy("resource", "Material")
        MONEY = "money", pgettext_lazy("resource", "Money")

    season = models.ForeignKey(Season, models.CASCADE, related_name="resources")
    kind = models.CharField(_("kind"), max_length=8, choices=Kind)
    name = models.CharField(_("name"), max_length=80)
    unit = models.CharField(_("unit"), max_length=20, blank=True)
    planned = models.DecimalField(
        _("planned"), max_digits=12, decimal_places=2, validators=[MinValueValidator(0)]
    )
    used = models.DecimalField(
        _("used"),
        max_digits=12,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
    )
    price = models.DecimalField(
        _("yuan a unit"),
        max_digits=10,
        decimal_places=2,
        default=0,
        validators=[MinValueValidator(0)],
    )

    class Meta:
        ordering = ["kind", "pk"]
        constraints = [
            models.CheckConstraint(
                name="resource_numbers", condition=Q(planned__gte=0, price__gte=0)
            )
        ]

    def __str__(self) -> str:
        return self.name


class CompetitorNote(models.Model):
    """What a competitor does in this season, and what we answer (R-CAM-38)."""

    season = models.ForeignKey(Season, models.CASCADE, related_name="competitors")
    name = models.CharField(_("competitor"), max_length=60)
    strategy = models.CharField(_("its strategy and service"), max_length=300)
    answer = models.CharField(_("our answer"), max_length=300, blank=True)
    sales = models.DecimalField(
        _("its sales here, estimated, yuan"),
        max_digits=14,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text=_("The market share is counted from it."),
    )
    made_by = models.ForeignKey(
        User, models.PROTECT, null=True, editable=False, related_name="+"
    )
    made_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name", "pk"]
        constraints = [
            models.CheckConstraint(
                name="competitor_sales", condition=Q(sales=None) | Q(sales__gte=0)
            )
        ]

    def __str__(self) -> str:
        return self.name
