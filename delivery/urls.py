"""Addresses of visits, plans, hand-overs."""

from django.urls import path

from delivery import (
    care_views,
    handover_views,
    improvement_views,
    plan_views,
    round_views,
    visit_new,
    visit_page,
    visit_steps,
    visit_views,
)

app_name = "delivery"
urlpatterns = [
    path("", visit_views.calendar, name="visits"),
    path("order/", visit_views.order, name="order"),
    path("replan/", visit_views.replan, name="replan"),
    path("today/", visit_views.today, name="today"),
    path("list/", visit_views.visit_list, name="list"),
    path("new/", visit_new.new, name="new"),
    path("customer/<int:pk>/", visit_new.for_customer, name="for_customer"),
    path("<int:pk>/", visit_page.visit, name="visit"),
    path("<int:pk>/keep/", visit_page.keep, name="keep"),
    path("<int:pk>/photo/", visit_steps.photo, name="photo_add"),
    path("<int:pk>/become/<slug:what>/", visit_steps.become, name="become"),
    path("<int:pk>/<slug:what>/", visit_steps.step, name="step"),
    path("photo/<uuid:pk>/", visit_steps.show_photo, name="photo"),
    path("calendar/", visit_steps.feed, name="feed"),
    path("calendar/<str:token>.ics", visit_steps.ics, name="ics"),
    path("board/", plan_views.board, name="board"),
    path("people/", plan_views.people, name="people"),
    path("people/<int:pk>/", plan_views.capacity, name="capacity"),
    path("rules/", plan_views.rules, name="rules"),
    path("rules/<int:pk>/", plan_views.rule, name="rule"),
    path("care/", care_views.care, name="care"),
    path("care/<int:pk>/", care_views.rule, name="care_rule"),
    path("plans/", plan_views.plans, name="plans"),
    path("plans/<int:pk>/", plan_views.plan, name="plan"),
    path("surveys/", round_views.round_list, name="rounds"),
    path("surveys/<int:pk>/", round_views.survey_round, name="round"),
    path("surveys/<int:pk>/letters/", round_views.letters, name="letters"),
    path("surveys/questions/", round_views.questionnaire_list, name="questionnaires"),
    path(
        "surveys/questions/<int:pk>/", round_views.questionnaire, name="questionnaire"
    ),
    path("surveys/call/", round_views.next_call, name="next_call"),
    path("surveys/call/<int:pk>/", round_views.call_done, name="call_done"),
    path("surveys/improvements/", improvement_views.improvements, name="improvements"),
    path(
        "surveys/improvements/<int:pk>/<slug:what>/",
        improvement_views.improvement_step,
        name="improvement_step",
    ),
    path("handovers/", handover_views.handovers, name="handovers"),
    path("handovers/<int:pk>/", handover_views.handover, name="handover"),
]
