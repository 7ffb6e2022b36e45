"""What a card's QR code opens."""

from django.urls import path

from campaigns import draw_views

urlpatterns = [path("", draw_views.public, name="prizes")]
