"""The upload form."""

from pathlib import Path

from django import forms
from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm.access.models import User
from crm.access.scoping import offices_of
from crm.transfer.targets import target_named

EXAMPLE = Path(__file__).parent / "examples" / "cdnow.csv"
MAX_BYTES = 200 * 2**20


def small_enough(file) -> None:
    if file.size > MAX_BYTES:
        message = _("The file is over 200 MB. Import it from the shell.")
        raise forms.ValidationError(message)


class UploadForm(forms.Form):
    """A file, or the example that comes with the product."""

    target = forms.ChoiceField(label=gettext_lazy("What is in the file"))
    office = forms.ModelChoiceField(
        queryset=None,
        label=gettext_lazy("Office"),
        help_text=gettext_lazy("New customers of the file will belong to this office."),
    )
    file = forms.FileField(
        label=gettext_lazy("File"),
        required=False,
        help_text=gettext_lazy(
            "CSV (UTF-8 or GB18030) up to 200 MB, or XLSX up to 20 MB."
        ),
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,.txt,.xlsx"}),
        validators=[small_enough],
    )
    example = forms.BooleanField(
        required=False,
        label=gettext_lazy("Use the example: a real ledger of 6,919 purchases"),
    )

    def __init__(self, *args, by: User, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.fields["office"].queryset = offices_of(by, "supervisor", "importer")
        self.fields["target"].choices = [
            (name, target_named(name).label)
            for name in settings.IMPORT_TARGETS
            if not target_named(name).home
        ]

    def clean(self) -> dict:
        cleaned = super().clean() or {}
        if not cleaned.get("file") and not cleaned.get("example"):
            self.add_error("file", _("Choose a file."))
        if cleaned.get("example") and cleaned.get("target") != "usage":
            self.add_error("example", _("The example is a usage ledger."))
        return cleaned
