"""Addresses of the API."""

from rest_framework.routers import SimpleRouter

from complaints.api import ComplaintViewSet
from customers.api import CustomerViewSet

router = SimpleRouter()
router.register("customers", CustomerViewSet, basename="api-customer")
router.register("complaints", ComplaintViewSet, basename="api-complaint")
urlpatterns = router.urls
