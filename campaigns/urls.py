"""Addresses of the card season."""

from django.urls import path

from campaigns import order_views, plan_views, review_views, season_views

app_name = "campaigns"
urlpatterns = [
    path("", season_views.season_list, name="seasons"),
    path("products/", order_views.product_list, name="products"),
    path("products/new/", order_views.product, name="product_new"),
    path("products/<int:pk>/", order_views.product, name="product"),
    path("production/", order_views.stage_list, name="stages"),
    path("production/<int:pk>/", order_views.stage, name="stage"),
    path("production/<int:pk>/do/", order_views.stage_act, name="stage_act"),
    path("production/<int:pk>/error/", order_views.stage_error, name="stage_error"),
    path("errors/<int:pk>/settle/", order_views.error_settle, name="error_settle"),
    path("orders/<int:pk>/", order_views.order, name="order"),
    path("orders/<int:pk>/edit/", order_views.order_edit, name="order_edit"),
    path("orders/<int:pk>/<slug:act>/", order_views.order_act, name="order_act"),
    path(
        "orders/<int:pk>/demands/<int:requirement>/",
        order_views.requirement_judge,
        name="requirement",
    ),
    path("<slug:code>/", season_views.season, name="season"),
    path("<slug:code>/edit/", season_views.season_edit, name="season_edit"),
    path("<slug:code>/act/", season_views.season_act, name="season_act"),
    path("<slug:code>/customers/", season_views.names, name="names"),
    path("<slug:code>/customers/<int:pk>/", season_views.member, name="member"),
    path("<slug:code>/plan/", plan_views.plan, name="plan"),
    path("<slug:code>/plan/lay/", plan_views.lay, name="lay"),
    path("<slug:code>/plan/add/<slug:kind>/", plan_views.add, name="plan_add"),
    path(
        "<slug:code>/plan/drop/<slug:kind>/<int:pk>/", plan_views.drop, name="plan_drop"
    ),
    path("<slug:code>/milestones/<int:pk>/", plan_views.milestone, name="milestone"),
    path(
        "<slug:code>/milestones/<int:pk>/done/",
        plan_views.milestone_act,
        name="milestone_done",
    ),
    path("<slug:code>/resources/<int:pk>/", plan_views.resource, name="resource"),
    path("<slug:code>/groups/", plan_views.group, name="group"),
    path("<slug:code>/groups/<int:pk>/", plan_views.duties, name="duties"),
    path("<slug:code>/documents/new/", plan_views.document, name="document_new"),
    path("<slug:code>/documents/<int:pk>/", plan_views.document, name="document"),
    path("<slug:code>/review/", review_views.review, name="review"),
    path("<slug:code>/review/decide/", review_views.decide, name="review_decide"),
    path("<slug:code>/pilot/", review_views.pilot_apply, name="pilot_apply"),
    path("<slug:code>/pilot/<int:pk>/", review_views.pilot_decide, name="pilot_decide"),
    path(
        "<slug:code>/pilot/<int:pk>/found/",
        review_views.pilot_found,
        name="pilot_found",
    ),
    path("<slug:code>/orders/", order_views.order_list, name="orders"),
    path("<slug:code>/orders/new/", order_views.order_new, name="order_new"),
]
