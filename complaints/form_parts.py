"""What forms of work orders are made of: the base of actions, words, moments, names."""

from typing import Any

from django import forms
from django.utils.timezone import localtime, now
from django.utils.translation import gettext as _

from complaints.models import Complaint
from crm.access.models import User
from crm.org.models import Office


def words(label: Any, *, least: int = 2, rows: int = 3) -> forms.CharField:
    widget = forms.Textarea(attrs={"rows": rows})
    return forms.CharField(
        label=label, min_length=least, max_length=2000, widget=widget
    )


def moment(label: Any) -> forms.DateTimeField:
    return forms.DateTimeField(
        label=label,
        initial=lambda: localtime(now()).strftime("%Y-%m-%dT%H:%M"),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
    )


class ActionForm(forms.Form):
    """The base: knows the work order and the reader."""

    def __init__(
        self, *args: Any, complaint: Complaint, user: User, **kwargs: Any
    ) -> None:
        self.complaint, self.user = complaint, user
        super().__init__(*args, **kwargs)

    def given(self) -> dict[str, Any]:
        """What the service takes."""
        return self.cleaned_data


def office_named(typed: str) -> Office | None:
    """An active office by its code, its name, or a part of it that only one has; nothing
    typed is none."""
    if not typed.strip():
        return None
    rows = Office.objects.active()
    found = rows.filter(code=typed.split()[0]).first()
    found = found or rows.filter(name=typed.strip()).first()
    if found is None:
        alike = list(rows.filter(name__contains=typed.strip())[:4])
        if len(alike) > 1:
            names = "、".join(f"{row.code} {row.name}" for row in alike)
            message = _("Several are called so: %(names)s")
            raise forms.ValidationError(message % {"names": names})
        found = alike[0] if alike else None
    if found is None:
        raise forms.ValidationError(_("No office has this code or name."))
    return found


def user_named(typed: str) -> User | None:
    """An active user by their user name, as `name (user.name)`, or by a name that only
    one has."""
    name = typed.strip().rsplit("(", 1)[-1].rstrip(")")
    if not name:
        return None
    people = User.objects.filter(is_active=True)
    found = people.filter(username=name).first()
    if found is None and people.filter(full_name=name).count() == 1:
        found = people.get(full_name=name)
    if found is None:
        raise forms.ValidationError(_("Nobody of this name works there."))
    return found
