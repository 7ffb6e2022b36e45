"""Card products and what they cost (domain.md 4.1)."""

from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext as _

from campaigns.models import CardProduct, PriceBand, Season
from crm.access.capabilities import require_everywhere
from crm.access.models import User
from crm.audit import services as audit
from crm.errors import Refused

T, SALE = CardProduct.Type, CardProduct.Sale
# code, name, Chinese, type, sold as, first and last season, (from, step, yuan) …
HOUSE: tuple[tuple, ...] = (
    (
        "retail-ordinary",
        "Ordinary postcard",
        "普通卡",
        T.ORDINARY,
        SALE.RETAIL,
        2007,
        None,
    )
    + (((1, 1, "1.80"),),),
    ("retail-letter", "Letter card", "信卡", T.LETTER_CARD, SALE.RETAIL, 2007, 2020)
    + (((1, 1, "2.80"),),),
    ("retail-card", "Enveloped card", "贺卡", T.ENVELOPED, SALE.RETAIL, 2007, None)
    + (((1, 1, "5.50"),),),
    ("retail-shaped", "Shaped card", "异型卡", T.SHAPED, SALE.RETAIL, 2007, None)
    + (((1, 1, "4.50"),),),
    (
        "retail-lenticular",
        "Lenticular card",
        "动感卡",
        T.LENTICULAR,
        SALE.RETAIL,
        2007,
        None,
    )
    + (((1, 1, "6.00"),),),
    ("lucky-cover", "Lucky cover", "幸运封", T.LUCKY_COVER, SALE.RETAIL, 2007, None)
    + (((1, 1, "30.00"),),),
    (
        "custom-ordinary",
        "Custom postcard",
        "订制普通型",
        T.ORDINARY,
        SALE.CUSTOM,
        2007,
        None,
    )
    + (((100, 100, "3.00"), (1000, 1000, "2.00"), (2000, 1000, "1.80")),),
    (
        "custom-letter",
        "Custom letter card",
        "订制信卡型",
        T.LETTER_CARD,
        SALE.CUSTOM,
        2007,
    )
    + (2020, ((100, 100, "4.50"), (1000, 1000, "3.30"), (2000, 1000, "2.80"))),
    (
        "custom-card",
        "Custom enveloped card",
        "订制贺卡型",
        T.ENVELOPED,
        SALE.CUSTOM,
        2007,
    )
    + (None, ((100, 100, "7.50"), (1000, 1000, "6.00"), (2000, 1000, "5.50"))),
    ("maximum", "Maximum card", "极限型", T.MAXIMUM, SALE.RETAIL, 2021, None)
    + (((1, 1, "5.40"),),),
    ("blessing", "Blessing card", "祝福卡型", T.BLESSING, SALE.RETAIL, 2021, None)
    + (((1, 1, "2.40"),),),
)


def sow() -> None:
    """The products of the published price lists, where there are none."""
    if CardProduct.objects.exists():
        return
    names = ("code", "name", "name_zh", "type", "sale", "first_year", "last_year")
    for *facts, bands in HOUSE:
        product = CardProduct.objects.create(**dict(zip(names, facts, strict=True)))
        PriceBand.objects.bulk_create(
            PriceBand(product=product, least=least, step=step, price=Decimal(price))
            for least, step, price in bands
        )


def offered_in(season: Season) -> list[CardProduct]:
    """Products that can be ordered in a season, with their bands. Two queries."""
    year = season.last_day.year
    rows = CardProduct.objects.filter(first_year__lte=year).prefetch_related("bands")
    return [row for row in rows if row.last_year is None or row.last_year >= year]


def price_for(product: CardProduct, pieces: int) -> PriceBand:
    """The band that holds. Refused("order.pieces") for fewer than the least, or a number
    between two steps."""
    band = product.price_of(pieces)
    if band is None:
        least = min((one.least for one in product.bands.all()), default=0)
        message = _("At least %(n)s pieces of this product.") % {"n": least}
        raise Refused("order.pieces", message)
    if (pieces - band.least) % band.step:
        message = _("From %(least)s on this product is sold in steps of %(step)s.")
        values = {"least": band.least, "step": band.step}
        raise Refused("order.pieces", message % values)
    return band


@transaction.atomic
def keep(
    product: CardProduct, bands: list[tuple[int, int, Decimal]], *, by: User
) -> CardProduct:
    """Save a product with its bands; the whole house's, so a posting at the top is wanted.

    Refused("product.bands") without one, or with two from the same number on.
    """
    require_everywhere(by, "product.edit")
    if not bands or len({least for least, _step, _price in bands}) < len(bands):
        message = _("Give each band its own number of pieces; one at least.")
        raise Refused("product.bands", message)
    product.save()
    product.bands.all().delete()
    PriceBand.objects.bulk_create(
        PriceBand(product=product, least=least, step=step, price=price)
        for least, step, price in bands
    )
    details = {"bands": [[least, step, f"{price}"] for least, step, price in bands]}
    audit.record(by, "product.kept", product, details=details)
    return product
