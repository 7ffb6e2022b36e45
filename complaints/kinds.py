"""What a work order can be about and how it came in: choices, pure.

Source: domain.md 6.2 and 9.4 (types), anchors.md 2.6 (the five classes of the carrier's
complaint event are the top level of categories), R-CMP-12, R-CMP-13, R-CMP-20, R-CMP-35.
"""

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class Kind(models.TextChoices):
    PICKUP_DISPATCH = "pickup_dispatch", _("Pickup dispatch")
    DELIVERY_CHASE = "delivery_chase", _("Delivery chase")
    ENQUIRY = "enquiry", _("Enquiry")
    COMPLAINT = "complaint", _("Complaint")
    APPEAL = "appeal", _("Appeal to the regulator")
    ADDRESS_CHANGE = "address_change", _("Change of address")
    RECALL = "recall", _("Recall")
    PROBLEM_ITEM = "problem_item", _("Problem item")
    CLAIM = "claim", _("Claim")
    CONSULTATION = "consultation", pgettext_lazy("work order", "Consultation")
    SUGGESTION = "suggestion", pgettext_lazy("work order", "Suggestion")
    COMMENDATION = "commendation", _("Commendation")


# Not about an item that went wrong: they ask for no category.
WITHOUT_CATEGORY = {
    Kind.PICKUP_DISPATCH,
    Kind.DELIVERY_CHASE,
    Kind.ENQUIRY,
    Kind.ADDRESS_CHANGE,
    Kind.RECALL,
    Kind.CONSULTATION,
    Kind.SUGGESTION,
    Kind.COMMENDATION,
}
# Nothing can be done without knowing which item.
NEEDS_ITEM = {Kind.DELIVERY_CHASE, Kind.ADDRESS_CHANGE, Kind.RECALL}
# Where to, instead: nothing can be redirected without it.
NEEDS_ADDRESS = {Kind.ADDRESS_CHANGE}
# Closed only with liability, cause and a corrective action (domain.md 6.3).
NEEDS_FINDING = {Kind.COMPLAINT, Kind.APPEAL, Kind.CLAIM, Kind.PROBLEM_ITEM}


class Group(models.TextChoices):
    """The five classes of the carrier's complaint event."""

    DELAY = "delay", _("Delay")
    LOSS = "loss", _("Loss")
    DAMAGE = "damage", _("Damage or missing contents")
    ATTITUDE = "attitude", _("Service attitude")
    OTHER = "other", _("Other")


class Channel(models.TextChoices):
    HOTLINE = "hotline", _("11183 hotline")
    HOTLINE_POST = "hotline_post", _("11185 hotline, key 1")
    COUNTER = "counter", _("Counter")
    WEB = "web", _("Website")
    WECHAT = "wechat", _("WeChat")
    CHAT = "chat", _("Online chat")
    EMAIL = "email", _("E-mail")
    SOCIAL = "social", _("Social media")
    REGULATOR = "regulator", _("Regulator")
    SYSTEM = "system", _("By the system")


class Scope(models.TextChoices):
    CITY = "city", _("Within the city")
    PROVINCE = "province", _("Within the province")
    COUNTRY = "country", _("Between provinces")
    ABROAD = "abroad", _("International")


class Severity(models.TextChoices):
    NORMAL = "normal", pgettext_lazy("severity", "Normal")
    URGENT = "urgent", _("Urgent")
    MAJOR = "major", _("Major")


class Mood(models.TextChoices):
    CALM = "calm", _("Calm")
    WORRIED = "worried", _("Worried")
    ANGRY = "angry", _("Angry")
    THREATENING = "threatening", _("Threatens with regulator or press")


class Party(models.TextChoices):
    """Who is complaining (complainant), as against who took it and who owns it."""

    SENDER = "sender", _("Sender")
    RECIPIENT = "recipient", _("Recipient")
    AGENT = "agent", _("On somebody's behalf")
