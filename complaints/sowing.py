"""What every place begins with: limits and categories, sown after each migration."""

from complaints import catalogue, limits, quality, texts
from complaints.models import BannedPhrase, Category, Limit


def sow() -> None:
    """Add the seeds that are missing; what is there stays as it is. A handful of statements."""
    Limit.objects.bulk_create(limits.seeds(), ignore_conflicts=True)
    Category.objects.bulk_create(catalogue.seeds(), ignore_conflicts=True)
    BannedPhrase.objects.bulk_create(texts.phrases(), ignore_conflicts=True)
    quality.sow()
