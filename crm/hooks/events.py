"""The events that other systems can be told of."""

from django.utils.translation import gettext_lazy as _

EVENTS = {
    "order.created": _("A work order is logged"),
    "order.moved": _("A work order changes its state or its office"),
    "order.changed": _("Facts of a work order change, or a note is made"),
    "order.reminded": _("A customer asks again"),
    "claim.moved": _("A compensation is proposed, decided, paid, recovered"),
    "finding.moved": _("A finding is made, objected to, ruled on"),
    "visit.appointed": _("A customer gets an appointment for a visit"),
    "visit.done": _("A visit is logged"),
    "survey.answered": _("A customer answers a survey"),
    "feedback.moved": _("Front-line feedback is submitted or decided"),
}
TEST = "test"
