"""What imports changed, so that a whole import can be taken back."""

from django.db import models

from crm.fields import EncryptedText


class ImportedChange(models.Model):
    """A row as it was before an import changed it. Rows that an import made carry its id
    in their own `imported_by`."""

    batch = models.UUIDField()
    table = models.CharField(max_length=20)  # the model's name in this app
    row = models.BigIntegerField()
    before = EncryptedText()  # JSON: field → value
    made_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="imported_change_once", fields=["batch", "table", "row"]
            )
        ]

    def __str__(self) -> str:
        return f"{self.batch} {self.table} {self.row}"
