"""Which app answers where: wiring only."""

from django.urls import include, path

urlpatterns = [
    path("", include("crm.dashboards.home_urls")),
    path("", include("crm.front.urls")),
    path("", include("crm.access.language_urls")),
    path("accounts/", include("crm.access.urls")),
    path("inbox/", include("crm.notify.urls")),
    path("webhooks/", include("crm.hooks.urls")),
    path("imports/", include("crm.transfer.urls")),
    path("kpi/", include("crm.dashboards.urls")),
    path("library/", include("crm.library.urls")),
    path("programmes/", include("crm.programmes.urls")),
    path("risks/", include("crm.risk.urls")),
    path("feedback/", include("crm.improvement.urls")),
    path("customers/", include("customers.urls")),
    path("complaints/", include("complaints.urls")),
    path("", include("complaints.call_urls")),
    path("visits/", include("delivery.urls")),
    path("quality/", include("delivery.quality.urls")),
    path("season/", include("campaigns.urls")),
    path("prizes/", include("campaigns.public_urls")),
    path("", include("delivery.survey_urls")),
    path("api/v1/", include("crm.api_urls")),
]
handler403 = "crm.web.forbidden"
handler404 = "crm.web.not_found"
handler500 = "crm.web.server_error"
