"""Models of campaigns, by idea."""

from campaigns.models.audience import MarketingEvent, Prospect
from campaigns.models.cards import (
    CheckedAddress,
    PrintFile,
    PrintRun,
    PrizeCard,
    VirtualCheck,
)
from campaigns.models.draws import PrizeDraw, PrizeLevel, Win, WinningNumber
from campaigns.models.gatherings import Gathering, Invitation, Offer
from campaigns.models.orders import (
    CardOrder,
    CardProduct,
    OrderStage,
    PriceBand,
    ProductionError,
    Requirement,
    Stage,
)
from campaigns.models.outreach import (
    Campaign,
    Contact,
    OutreachStep,
    StepVariant,
    Touch,
)
from campaigns.models.plan import (
    CompetitorNote,
    Department,
    Duty,
    Milestone,
    Resource,
    SeasonDocument,
    ServiceGroup,
)
from campaigns.models.review import (
    OrientationReview,
    PilotFinding,
    PilotUser,
    ReviewRisk,
)
from campaigns.models.seasons import Season, SeasonMember

__all__ = [
    "Offer",
    "Invitation",
    "Gathering",
    "Touch",
    "StepVariant",
    "OutreachStep",
    "Contact",
    "Campaign",
    "CheckedAddress",
    "PrintFile",
    "PrintRun",
    "PrizeCard",
    "PrizeDraw",
    "PrizeLevel",
    "VirtualCheck",
    "Win",
    "WinningNumber",
    "CardOrder",
    "CardProduct",
    "CompetitorNote",
    "Department",
    "Duty",
    "MarketingEvent",
    "Milestone",
    "OrderStage",
    "OrientationReview",
    "PilotFinding",
    "PilotUser",
    "PriceBand",
    "ProductionError",
    "Prospect",
    "Requirement",
    "Resource",
    "ReviewRisk",
    "Season",
    "SeasonDocument",
    "SeasonMember",
    "ServiceGroup",
    "Stage",
]
