"""Addresses of the API."""

from django.urls import path
from drf_spectacular.views import SpectacularJSONAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.routers import SimpleRouter

from campaigns.api import CampaignViewSet, OrderViewSet, SeasonViewSet
from complaints.aftercare_api import (
    CheckViewSet,
    ClaimViewSet,
    FeedbackViewSet,
    FindingViewSet,
    MeasureViewSet,
    TopicViewSet,
)
from complaints.api import ComplaintViewSet
from crm.dashboards.api import KpiViewSet
from crm.front.api import (
    AssessmentViewSet,
    BulletinViewSet,
    DocumentViewSet,
    DutyReportViewSet,
    ImprovementViewSet,
    IncidentViewSet,
    ProgrammeViewSet,
    RiskViewSet,
    ServiceCostViewSet,
    StaffEventViewSet,
    TeamViewSet,
    UnitRequestViewSet,
    WalkViewSet,
)
from customers.api import CustomerViewSet
from customers.watch_api import (
    AlertViewSet,
    ForecastViewSet,
    GradeRunViewSet,
    MovementViewSet,
)
from delivery.api import PlanViewSet, VisitViewSet
from delivery.quality.api import ItemViewSet, QualityViewSet


class Schema(SpectacularJSONAPIView):
    """The OpenAPI document, for everybody who is signed in."""

    permission_classes = [IsAuthenticated]


router = SimpleRouter()
router.register("customers", CustomerViewSet, basename="api-customer")
router.register("alerts", AlertViewSet, basename="api-alert")
router.register("grade-runs", GradeRunViewSet, basename="api-grade-run")
router.register("forecast", ForecastViewSet, basename="api-forecast")
router.register("key-customers", MovementViewSet, basename="api-movement")
router.register("complaints", ComplaintViewSet, basename="api-complaint")
router.register("claims", ClaimViewSet, basename="api-claim")
router.register("findings", FindingViewSet, basename="api-finding")
router.register("measures", MeasureViewSet, basename="api-measure")
router.register("quality-checks", CheckViewSet, basename="api-check")
router.register("topics", TopicViewSet, basename="api-topic")
router.register("visits", VisitViewSet, basename="api-visit")
router.register("visit-plans", PlanViewSet, basename="api-plan")
router.register("items", ItemViewSet, basename="api-item")
router.register("delivery-quality", QualityViewSet, basename="api-quality")
router.register("seasons", SeasonViewSet, basename="api-season")
router.register("card-orders", OrderViewSet, basename="api-card-order")
router.register("outreach", CampaignViewSet, basename="api-campaign")
router.register("kpis", KpiViewSet, basename="api-kpi")
router.register("feedback", FeedbackViewSet, basename="api-feedback")
router.register("documents", DocumentViewSet, basename="api-document")
router.register("programmes", ProgrammeViewSet, basename="api-programme")
router.register("teams", TeamViewSet, basename="api-team")
router.register("walks", WalkViewSet, basename="api-walk")
router.register("staff-events", StaffEventViewSet, basename="api-staff-event")
router.register("unit-requests", UnitRequestViewSet, basename="api-unit-request")
router.register("unit-reports", DutyReportViewSet, basename="api-unit-report")
router.register("risks", RiskViewSet, basename="api-risk")
router.register("incidents", IncidentViewSet, basename="api-incident")
router.register("improvements", ImprovementViewSet, basename="api-improvement")
router.register("bulletins", BulletinViewSet, basename="api-bulletin")
router.register("service-costs", ServiceCostViewSet, basename="api-service-cost")
router.register("assessments", AssessmentViewSet, basename="api-assessment")
urlpatterns = [
    *router.urls,
    path("schema/", Schema.as_view(), name="api-schema"),
]
