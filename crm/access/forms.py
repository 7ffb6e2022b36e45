"""Forms of the pages that run the place."""

from datetime import datetime, time, timedelta
from typing import Any

from django import forms
from django.contrib.auth import authenticate, password_validation
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm import text
from crm.access.models import Posting, User
from crm.access.roles import Role
from crm.access.scoping import offices_of
from crm.org.calendar import MIDNIGHT
from crm.org.models import CalendarDay, Office

DATE = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


class SignInForm(forms.Form):
    username = forms.CharField(
        label=gettext_lazy("User name"),
        max_length=60,
        widget=forms.TextInput(attrs={"autofocus": True, "autocomplete": "username"}),
    )
    password = forms.CharField(
        label=gettext_lazy("Password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


class UnlockForm(forms.Form):
    password = SignInForm.base_fields["password"]


class CodeForm(forms.Form):
    code = forms.CharField(
        label=gettext_lazy("Six-digit code, or a recovery code"),
        max_length=12,
        widget=forms.TextInput(
            attrs={
                "autofocus": True,
                "autocomplete": "one-time-code",
                "inputmode": "text",
            }
        ),
    )


class PasswordForm(forms.Form):
    """One's own password; the old one is asked for again."""

    old = forms.CharField(
        label=gettext_lazy("Present password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    new = forms.CharField(
        label=gettext_lazy("New password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=gettext_lazy(
            "At least 10 characters, not only digits, not a common one."
        ),
    )
    again = forms.CharField(
        label=gettext_lazy("New password again"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, *args, request: HttpRequest, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.request, self.user = request, request.user

    def clean_old(self) -> str:
        """SECURITY: through authenticate(), so that guesses are counted and audited."""
        old, name = self.cleaned_data["old"], self.user.get_username()
        if authenticate(self.request, username=name, password=old) is None:
            raise forms.ValidationError(_("This is not your present password."))
        return self.cleaned_data["old"]

    def clean_new(self) -> str:
        new = self.cleaned_data["new"]
        password_validation.validate_password(new, self.user)
        if self.user.check_password(new):
            raise forms.ValidationError(
                _("Choose a password other than the present one.")
            )
        return new

    def clean(self) -> dict:
        cleaned = super().clean() or {}
        if cleaned.get("new") and cleaned["new"] != cleaned.get("again"):
            self.add_error("again", _("The two new passwords differ."))
        return cleaned


class ProfileForm(forms.ModelForm):
    class Meta:
        model = User
        fields = ["full_name", "email"]

    mobile = forms.CharField(
        label=gettext_lazy("Mobile number, for news by SMS"),
        max_length=20,
        required=False,
        widget=forms.TextInput(attrs={"type": "tel", "autocomplete": "tel"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["mobile"] = text.written_phone(self.instance.mobile)

    def clean_mobile(self) -> str:
        typed = self.cleaned_data["mobile"]
        number = text.normalise_phone(typed) if typed else ""
        if typed and not text.is_mobile(number):
            raise forms.ValidationError(_("This is not a mobile number."))
        return number


class TokenForm(forms.Form):
    name = forms.CharField(label=gettext_lazy("Used by"), max_length=60)
    expires_on = forms.DateField(
        label=gettext_lazy("Last day"),
        initial=lambda: localdate() + timedelta(days=365),
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
    )


class UserForm(forms.ModelForm):
    class Meta:
        model = User
        fields = ["username", "full_name", "email"]


class UserChangeForm(forms.ModelForm):
    class Meta:
        model = User
        fields = ["full_name", "email", "is_active"]


class PostingForm(forms.ModelForm):
    """`office` offers what the administrator stands over: a foreign id is unknown."""

    role = forms.ChoiceField(label=gettext_lazy("Role"), choices=Role.choices)

    class Meta:
        model = Posting
        fields = ["office", "role", "valid_from", "valid_to"]
        widgets = {"valid_from": DATE, "valid_to": DATE}

    def __init__(self, *args, by: User, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.fields["office"].queryset = offices_of(by, Role.SECURITY_ADMIN)

    def clean(self) -> dict:
        cleaned = super().clean() or {}
        first, last = cleaned.get("valid_from"), cleaned.get("valid_to")
        if first and last and last < first:
            self.add_error("valid_to", _("The last day lies before the first."))
        return cleaned


class OfficeForm(forms.ModelForm):
    class Meta:
        model = Office
        fields = [
            "code",
            "name",
            "level",
            "kind",
            "is_active",
            "requires_second_factor",
            "has_biu_team",
            "has_service_area",
        ]


class ParentForm(forms.Form):
    """The office above; only what the administrator stands over."""

    parent = forms.ModelChoiceField(
        Office.objects.none(), label=gettext_lazy("Office above")
    )

    def __init__(self, *args, by: User, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.fields["parent"].queryset = offices_of(by, Role.SYSTEM_ADMIN)


class DayForm(forms.ModelForm):
    class Meta:
        model = CalendarDay
        fields = ["date", "is_working", "name"]
        widgets = {"date": DATE}


class WindowsForm(forms.Form):
    """Working hours, a line of text for each weekday: 08:30-12:00, 14:00-18:00."""

    inherit = forms.BooleanField(
        label=gettext_lazy("Use the hours of the office above"), required=False
    )

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        for day, label in enumerate(WEEKDAYS):
            self.fields[f"day{day}"] = forms.CharField(
                label=label,
                required=False,
                help_text=gettext_lazy("For example 08:30-12:00, 14:00-18:00")
                if day == 0
                else "",
            )

    def clean(self) -> dict:
        cleaned = super().clean() or {}
        cleaned["windows"] = []
        for day in range(7):
            try:
                spans = parse_spans(cleaned.get(f"day{day}", ""))
            except ValueError:
                self.add_error(
                    f"day{day}", _("Write times like 08:30-12:00, in order.")
                )
            else:
                cleaned["windows"] += [(day, starts, ends) for starts, ends in spans]
        if not cleaned["windows"] and not cleaned.get("inherit"):
            self.add_error(
                None, _("An office that never works could not promise anything.")
            )
        return cleaned


WEEKDAYS = [
    gettext_lazy("Monday"),
    gettext_lazy("Tuesday"),
    gettext_lazy("Wednesday"),
    gettext_lazy("Thursday"),
    gettext_lazy("Friday"),
    gettext_lazy("Saturday"),
    gettext_lazy("Sunday"),
]


def parse_spans(written: str) -> list[tuple[time, time]]:
    """`08:30-12:00, 14:00-18:00` → pairs of times; 24:00 is an end, and is kept as 00:00.
    ValueError if unordered or unreadable."""
    spans: list[tuple[time, time]] = []
    for part in written.replace("，", ",").replace("–", "-").split(","):
        if not part.strip():
            continue
        starts, ends = (
            datetime.strptime(edge, "%H:%M").time()  # noqa: DTZ007 - a time of day
            for edge in part.replace(" ", "").replace("-24:00", "-00:00").split("-")
        )
        is_whole = ends == MIDNIGHT and "24:00" in part
        if not is_whole and ends <= starts:
            raise ValueError(written)
        if spans and (spans[-1][1] == MIDNIGHT or starts < spans[-1][1]):
            raise ValueError(written)
        spans.append((starts, ends))
    return spans


def write_spans(spans) -> str:
    return ", ".join(
        f"{starts:%H:%M}-" + (f"{ends:%H:%M}" if ends > MIDNIGHT else "24:00")
        for starts, ends in spans
    )


class PersonName(forms.CharField):
    """Somebody by user name, or by full name where only one has it; of `people`."""

    people: QuerySet[User] | None = None

    def clean(self, value: Any) -> Any:
        name = super().clean(value)
        if not name:
            return None
        people = self.people
        if people is None:
            people = User.objects.filter(is_active=True)
        named = people.filter(username=name).first()
        found = [named] if named else list(people.filter(full_name=name)[:2])
        if len(found) == 1:
            return found[0]
        if found:
            raise forms.ValidationError(
                _("Several have this name: write the user name.")
            )
        raise forms.ValidationError(_("Nobody here has this user name."))
