"""The KPIs of service, calls, care: what is counted, of what, and what is left out.

Targets are those of the sources (domain.md 6.1, 7.3; 8.8) where they name one.
"""

from decimal import Decimal

from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from complaints.kinds import Channel, Kind
from complaints.models import Call, Milestone
from crm.dashboards import rows
from crm.dashboards.registry import Kpi, Part
from crm.programmes.models import StaffEvent
from customers.models import Opportunity
from delivery.models import Visit

ANSWER_WITHIN = 20  # seconds; domain.md 6.1
QUALITY_PASS = 85  # of 100; domain.md 6.4
MERGED = _("Work orders that were merged into another.")
RUNNING = _("Clocks that run, or wait for the customer.")
CALL_CENTRE = _("Provincial call centre")
KEY_ACCOUNT = _("Key-account centre")
CENTRES = _("practice of call centres")  # domain.md 6.1
LIMITS = _("limits of work orders")  # domain.md 6.2
LETTERS = _("consultation letters, R-KPI-28")
WrapUp = Call.WrapUp
DEMANDS = Q(
    wrap_up__in=[WrapUp.SOLVED, WrapUp.LOGGED, WrapUp.PASSED_ON, WrapUp.CALL_BACK]
)
IN_TIME = Q(met_at__lte=F("until"))
BY_ITSELF = Q(channel__in=[Channel.WEB, Channel.WECHAT, Channel.CHAT, Channel.EMAIL])
COMPLAINTS = Q(kind=Kind.COMPLAINT)
CONTESTS = ~Q(event__kind=StaffEvent.Kind.TRAINING)


def _clock(
    name: str, label: object, clock: str, rule: object, *, working: bool, target: int
) -> Kpi:
    of = Q(kind=clock)
    return Kpi(
        name,
        label,
        "service",
        Part(
            _("Clocks met in time, extensions granted included"),
            rows.CLOCKS,
            of & IN_TIME,
        ),
        Part(_("Clocks whose time came in the period"), rows.CLOCKS, of),
        rule,
        CALL_CENTRE,
        target=Decimal(target),
        excludes=RUNNING,
        calendar=_("working time of the handling office")
        if working
        else _("calendar days"),
    )


SERVICE = (
    Kpi(
        "complaint_rate",
        _("Complaints per 100 customers"),
        "service",
        Part(_("Complaints opened in the period"), rows.ORDERS, COMPLAINTS),
        Part(_("Customers at its end"), rows.CUSTOMERS),
        "R-KPI-37",
        CALL_CENTRE,
        unit="ratio",
        per=100,
        is_low_good=True,
        excludes=MERGED,
    ),
    Kpi(
        "upheld_rate",
        _("Complaints found true"),
        "service",
        Part(
            _("Closed complaints that were upheld"),
            rows.CLOSED,
            COMPLAINTS & Q(is_upheld=True),
        ),
        Part(_("Complaints closed in the period"), rows.CLOSED, COMPLAINTS),
        CENTRES,
        CALL_CENTRE,
        is_low_good=True,
        excludes=MERGED,
    ),
    _clock(
        "first_answer_in_time",
        _("First answer in time"),
        Milestone.Kind.FIRST,
        LIMITS,
        working=True,
        target=98,
    ),
    _clock(
        "resolution_in_time",
        _("Resolved within the promise"),
        Milestone.Kind.RESOLUTION,
        LIMITS,
        working=True,
        target=98,
    ),
    _clock(
        "legal_in_time",
        _("Answered within the legal limit"),
        Milestone.Kind.LEGAL,
        "R-CMP-10",
        working=False,
        target=100,
    ),
    Kpi(
        "reopen_rate",
        _("Reopened"),
        "service",
        Part(
            _("Closed work orders that had been reopened"), rows.CLOSED, Q(rounds__gt=1)
        ),
        Part(_("Work orders closed in the period"), rows.CLOSED),
        CENTRES,
        CALL_CENTRE,
        is_low_good=True,
        excludes=MERGED,
    ),
    Kpi(
        "appeal_rate",
        _("Appeals to the regulator per 100 complaints"),
        "service",
        Part(_("Appeals opened in the period"), rows.ORDERS, Q(kind=Kind.APPEAL)),
        Part(_("Complaints opened in the period"), rows.ORDERS, COMPLAINTS),
        "R-KPI-04",
        CALL_CENTRE,
        unit="ratio",
        per=100,
        is_low_good=True,
        excludes=MERGED,
    ),
    Kpi(
        "online_share",
        _("Came in without a call or a counter"),
        "service",
        Part(_("By website, WeChat, chat or e-mail"), rows.TAKEN, BY_ITSELF),
        Part(_("Work orders taken in the period"), rows.TAKEN),
        "R-KPI-62",
        CALL_CENTRE,
        excludes=MERGED,
    ),
    Kpi(
        "help_rating",
        _("Cooperation of units that were asked to help"),
        "service",
        Part(_("Sum of the ratings"), rows.HELP, total="rating"),
        Part(_("Requests that were answered and rated"), rows.HELP),
        "R-KPI-13",
        CALL_CENTRE,
        unit="score",
    ),
    Kpi(
        "quality_score",
        _("Quality checks, mean score"),
        "service",
        Part(_("Sum of the scores"), rows.CHECKS, total="score"),
        Part(_("Checks scored in the period"), rows.CHECKS),
        "R-KPI-35",
        CALL_CENTRE,
        unit="score",
        target=Decimal(QUALITY_PASS),
    ),
)
NOTED = Part(
    _("Yuan noted for the whole months of the period"), rows.COSTS, total="amount"
)
PER_OFFICE = _(
    "Compensation, which stands with claims; offices that noted no cost yet."
)
COSTS = (
    Kpi(
        "cost_per_order",
        _("Cost of service per work order"),
        "service",
        NOTED,
        Part(_("Work orders closed in the period"), rows.CLOSED),
        "R-KPI-33",
        CALL_CENTRE,
        unit="yuan",
        is_low_good=True,
        is_noted=True,
        excludes=PER_OFFICE,
    ),
    Kpi(
        "cost_per_customer",
        _("Cost of service per customer"),
        "service",
        NOTED,
        Part(_("Customers at its end"), rows.CUSTOMERS),
        "R-KPI-33",
        CALL_CENTRE,
        unit="yuan",
        is_low_good=True,
        is_noted=True,
        excludes=PER_OFFICE,
    ),
)
CALLS = (
    Kpi(
        "first_contact_resolution",
        _("Solved in the first call"),
        "calls",
        Part(_("Calls that were solved at once"), rows.CALLS, Q(wrap_up=WrapUp.SOLVED)),
        Part(_("Calls with a demand"), rows.CALLS, DEMANDS),
        CENTRES,
        CALL_CENTRE,
        target=Decimal(70),
        excludes=_("Wrong numbers, silence, nuisance, questions about progress."),
    ),
    Kpi(
        "service_level",
        _("Answered within 20 seconds"),
        "calls",
        Part(
            _("Calls answered within 20 seconds"),
            rows.CALLS,
            Q(answered_at__lte=F("rang_at") + rows.seconds(ANSWER_WITHIN)),
        ),
        Part(_("Calls that rang for an agent"), rows.CALLS),
        CENTRES,
        CALL_CENTRE,
        target=Decimal(80),
    ),
    Kpi(
        "abandon_rate",
        _("Hung up before an answer"),
        "calls",
        Part(
            _("Calls that ended without an answer"),
            rows.CALLS,
            Q(answered_at=None, ended_at__isnull=False),
        ),
        Part(_("Calls that rang for an agent"), rows.CALLS),
        CENTRES,
        CALL_CENTRE,
        is_low_good=True,
        target=Decimal(5),
    ),
)
CARE = (
    Kpi(
        "satisfaction",
        _("Satisfaction, mean of 1 to 5"),
        "care",
        Part(_("Sum of the ratings"), rows.ANSWERED, total="rating"),
        Part(_("Surveys with a rating"), rows.ANSWERED),
        "R-KPI-37",
        CALL_CENTRE,
        is_personal=True,
        unit="score",
    ),
    Kpi(
        "satisfied_share",
        _("Satisfied: 4 or 5"),
        "care",
        Part(_("Ratings of 4 and 5"), rows.ANSWERED, Q(rating__gte=4)),
        Part(_("Surveys with a rating"), rows.ANSWERED),
        "R-KPI-37",
        CALL_CENTRE,
        is_personal=True,
    ),
    Kpi(
        "response_rate",
        _("Surveys answered"),
        "care",
        Part(_("Answered by today"), rows.ASKED, Q(answered_at__isnull=False)),
        Part(_("Surveys sent in the period"), rows.ASKED),
        LETTERS,
        CALL_CENTRE,
        is_personal=True,
    ),
    Kpi(
        "visit_coverage",
        _("Visits made"),
        "care",
        Part(_("Visits done"), rows.VISITS, Q(state=Visit.State.DONE)),
        Part(_("Visits whose last day lies in the period"), rows.VISITS),
        "R-VIS-01",
        KEY_ACCOUNT,
        is_personal=True,
        target=Decimal(100),
        excludes=_("Visits that were dropped with a reason."),
    ),
)
MONEY = (
    Kpi(
        "arrears_rate",
        _("Bills in arrears"),
        "customers",
        Part(_("Yuan not paid by today"), rows.BILLS, total="unpaid"),
        Part(_("Yuan due in the period"), rows.BILLS, total="amount"),
        "R-RSK-01",
        KEY_ACCOUNT,
        is_personal=True,
        is_low_good=True,
        excludes=_("Bills that are not due yet."),
    ),
    Kpi(
        "cooperation_won",
        _("Cooperation projects won"),
        "customers",
        Part(_("Won by today"), rows.PROJECTS, Q(stage=Opportunity.Stage.WON)),
        Part(_("Opportunities and projects begun in the period"), rows.PROJECTS),
        "R-KPI-37",
        KEY_ACCOUNT,
        is_personal=True,
    ),
)
STAFF = (
    Kpi(
        "promise_awareness",
        _("Staff who know the promises"),
        "staff",
        Part(_("Of these, confirmed by its end"), rows.READINGS, Q(was_read=True)),
        Part(
            _("Staff asked to read promises that held at the end of the period"),
            rows.READINGS,
        ),
        "R-ORG-31",
        CALL_CENTRE,
        target=Decimal(100),
        excludes=_("Staff who left before they had read them."),
    ),
    Kpi(
        "contest_participation",
        _("Took part in contests"),
        "staff",
        Part(_("Of these, took part"), rows.PARTS, CONTESTS & Q(took_part=True)),
        Part(
            _("Staff who were to take part in contests of the period"),
            rows.PARTS,
            CONTESTS,
        ),
        "R-ORG-32",
        CALL_CENTRE,
        target=Decimal(100),
    ),
    Kpi(
        "training_participation",
        _("Took part in training"),
        "staff",
        Part(_("Of these, took part"), rows.PARTS, ~CONTESTS & Q(took_part=True)),
        Part(
            _("Staff who were to take part in training of the period"),
            rows.PARTS,
            ~CONTESTS,
        ),
        "R-ORG-40",
        CALL_CENTRE,
    ),
    Kpi(
        "unit_requests_in_time",
        _("Requests of other units answered in time"),
        "staff",
        Part(
            _("Of these, answered by then"),
            rows.UNIT_REQUESTS,
            Q(replied_at__lte=F("due_at")),
        ),
        Part(
            _("Requests of other units whose time came in the period"),
            rows.UNIT_REQUESTS,
        ),
        "R-ORG-35",
        CALL_CENTRE,
        calendar=_("working time of the asked office"),
    ),
)
