"""The words a customer is described with. Source: domain.md 8.2, 9.2."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class Kind(models.TextChoices):
    CORPORATE = "corporate", _("Corporate")
    INDIVIDUAL = "individual", _("Individual")


class Segment(models.TextChoices):
    CONTRACT = "contract", _("Contract")
    STANDARD = "standard", _("Standard EMS")
    CASUAL = "casual", _("Casual")
    PROSPECT = "prospect", _("Prospect")


class Nature(models.TextChoices):
    """R-CUS-37: enterprise nature."""

    STATE = "state", _("State-owned")
    PRIVATE = "private", _("Private")
    FOREIGN = "foreign", _("Foreign or joint venture")
    AUTHORITY = "authority", _("Authority or public institution")
    ASSOCIATION = "association", _("Association")
    OTHER = "other", pgettext_lazy("nature", "Other")


class Industry(models.TextChoices):
    """R-CUS-27, R-CUS-37."""

    ECOMMERCE = "ecommerce", _("E-commerce")
    FINANCE = "finance", _("Banking and insurance")
    GOVERNMENT = "government", _("Government affairs")
    COURTS = "courts", _("Courts and police")
    TELECOM = "telecom", _("Telecommunications")
    PRESS = "press", _("Press and publishing")
    EDUCATION = "education", _("Education")
    HEALTH = "health", _("Medicine and health")
    ELECTRONICS = "electronics", _("Electronics")
    CLOTHING = "clothing", _("Clothing")
    FOOD = "food", _("Food and farming")
    MACHINERY = "machinery", _("Machinery and cars")
    TRADE = "trade", _("Trade and logistics")
    OTHER = "other", pgettext_lazy("industry", "Other")


class Size(models.TextChoices):
    LARGE = "large", pgettext_lazy("size", "Large")
    MEDIUM = "medium", pgettext_lazy("size", "Medium")
    SMALL = "small", pgettext_lazy("size", "Small")
    MICRO = "micro", pgettext_lazy("size", "Micro")


class StrategicClass(models.TextChoices):
    """R-CUS-14, R-CUS-26: who matters whatever the turnover."""

    GOVERNMENT = "government", _("Party and government")
    MEDIA = "media", _("Media")
    MULTINATIONAL = "multinational", _("Multinational")
    LEADER = "leader", _("Industry leader")
    OTHER = "other", pgettext_lazy("strategic class", "Other")


class Source(models.TextChoices):
    """R-CUS-32, R-CUS-33, R-CUS-35, R-CUS-53: where the record came from."""

    OUTLET = "outlet", _("Postal outlet")
    AGENT_POINT = "agent_point", _("Agent pick-up point")
    COURIER = "courier", _("Courier")
    HOTLINE = "hotline", _("11183 hotline")
    WEBSITE = "website", _("Website")
    APP = "app", _("App")
    WECHAT = "wechat", _("WeChat")
    MARKETING = "marketing", _("Marketing")
    PLATFORM = "platform", _("Trading platform")
    DIRECTORY = "directory", _("Organisation directory")
    IMPORT = "import", _("Import")


class LegalBasis(models.TextChoices):
    """PIPL art. 13."""

    CONTRACT = "contract", _("Needed for a contract")
    CONSENT = "consent", _("Consent")
    DUTY = "duty", _("Legal duty")
    PUBLIC = "public", _("Made public by the person")


class ListState(models.TextChoices):
    """R-CUS-03: the customer's own list of recipients."""

    NONE = "none", _("Has no list")
    INACCURATE = "inaccurate", _("List with faults")
    GOOD = "good", _("Good list")


class Purpose(models.TextChoices):
    """What a consent is for (domain.md 2.5)."""

    SERVICE = "service", _("Service news")
    CARE = "care", _("Care and greetings")
    MARKETING = "marketing", _("Marketing")
    THIRD_PARTY = "third_party", _("Passing on to third parties")
