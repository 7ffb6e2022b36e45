"""The panels of the customer page: a literal table of what each shows and does.

A panel lists lines, may have a form that adds one, a form that changes one, and buttons.
Whoever sees the customer sees its panels; the services ask who may change what.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from crm.access.capabilities import may
from crm.access.models import User
from crm.files import MAX_BYTES
from crm.text import star_digits
from customers import addresses, consents, ledger, notes, recipients, records
from customers import panel_forms as forms
from customers.models import Customer


@dataclass
class Line:
    """One row of a panel: strong text, what stands beside it, badges, links."""

    pk: int
    main: Any
    meta: list[Any] = field(default_factory=list)
    badges: list[tuple[Any, str]] = field(default_factory=list)  # text, tone
    actions: list[tuple[str, Any]] = field(default_factory=list)  # name, label
    reveal: str = ""  # the field that can be revealed
    links: list[tuple[str, str]] = field(default_factory=list)  # address, text
    change: Any = None  # the bound or fresh form that changes this line

    def __post_init__(self) -> None:
        self.meta = [part for part in self.meta if part]


@dataclass(frozen=True)
class Panel:
    title: Any
    icon: str
    capability: str  # to add or change
    rows: Callable[[Customer], QuerySet]
    line: Callable[[Any, User], Line]
    form: Any = None
    add: Callable[..., Any] | None = None  # (customer, by, cleaned)
    change_form: Any = None
    change: Callable[..., Any] | None = None  # (row, by, cleaned)
    act: Callable[..., Any] | None = None  # (row, action, by)
    most: int = 30


# --- phones ---------------------------------------------------------------------------


def _phone_line(phone: Any, user: User) -> Line:
    shown = phone.number_for(user)
    badges = []
    if phone.is_primary:
        badges.append((_("primary"), "brand"))
    if phone.level == phone.Level.MAYBE:
        badges.append((_("seen in a complaint"), "info"))
    if phone.is_invalid:
        badges.append((_("invalid"), "bad"))
    if phone.opted_out:
        badges.append((_("no messages"), "warn"))
    actions = [
        ("invalid", _("Valid again") if phone.is_invalid else _("Invalid")),
        ("opted_out", _("Messages again") if phone.opted_out else _("No messages")),
    ]
    if not phone.is_primary:
        actions.insert(0, ("primary", _("Make primary")))
    actions.append(("remove", _("Remove")))
    meta = [phone.get_type_display()]
    if phone.contact:
        meta.append(phone.contact.name_for(user))
    reveal = "phone" if "*" in shown else ""
    return Line(phone.pk, shown, meta, badges, actions, reveal)


def _act(other: Callable, what: str, row: Any, action: str, by: User) -> None:
    """Remove a row, or do what else its button says."""
    if action == "remove":
        records.remove_row(row, what, by=by)
    else:
        other(row, action, by=by)


def _add_phone(customer: Customer, by: User, typed: dict) -> None:
    records.add_row(
        customer,
        "phone",
        by=by,
        make=lambda row: records.add_phone(
            row, typed["number"], type=typed["type"], contact=typed["contact"]
        ),
    )


# --- addresses ------------------------------------------------------------------------

QUALITY_TONES = {"A": "ok", "B": "info", "C": "warn", "D": "bad"}


def _address_line(row: Any, user: User) -> Line:
    shown = row.text_for(user)
    meta = [row.get_type_display(), addresses.name_of(row.region), row.postcode]
    meta += [row.get_source_display(), _("score %(n)s") % {"n": row.score}]
    if not row.region:
        choices = addresses.parse(row.text).choices
        if choices:
            meta.append(
                _("could lie in %(places)s") % {"places": ", ".join(choices[:3])}
            )
    badges = [(row.get_quality_display(), QUALITY_TONES[row.quality])]
    actions = [("confirmed", _("Delivered here")), ("returned", _("Mail came back"))]
    actions.append(("remove", _("Remove")))
    reveal = "address" if shown.endswith("***") else ""
    return Line(row.pk, shown, meta, badges, actions, reveal)


def _add_address(customer: Customer, by: User, typed: dict) -> None:
    records.add_row(
        customer, "address", by=by, make=lambda row: records.add_address(row, **typed)
    )


# --- persons, numbers elsewhere, consents ----------------------------------------------


def _contact_line(row: Any, user: User) -> Line:
    shown = row.name_for(user)
    meta = [row.post] if row.post else []
    is_clear = "*" not in shown
    if row.next_birthday:
        day = f"{row.birthday_month}-{row.birthday_day}"
        kind = row.get_birthday_calendar_display()
        values = {"calendar": kind, "day": day, "next": row.next_birthday}
        meta.append(_("birthday %(calendar)s %(day)s, next on %(next)s") % values)
    meta += [fact for fact in (row.email, row.remarks) if fact and is_clear]
    actions, reveal = [("remove", _("Remove"))], "" if is_clear else "contact"
    return Line(row.pk, shown, meta, actions=actions, reveal=reveal)


def _external_line(row: Any, user: User) -> Line:
    actions = [("remove", _("Remove"))]
    return Line(row.pk, row.value, [row.get_system_display()], actions=actions)


def _add_external(customer: Customer, by: User, typed: dict) -> None:
    records.add_row(
        customer,
        "external_id",
        by=by,
        make=lambda row: records.add_external_id(row, typed["system"], typed["value"]),
    )


def _consent_line(row: Any, user: User) -> Line:
    meta = [row.how, f"{row.given_at:%Y-%m-%d}"]
    if row.withdrawn_at:
        badges = [(pgettext("consent", "Withdrawn"), "muted")]
        meta.append(_("withdrawn %(day)s") % {"day": f"{row.withdrawn_at:%Y-%m-%d}"})
        return Line(row.pk, row.get_purpose_display(), meta, badges)
    badges = [(pgettext("consent", "In force"), "ok")]
    actions = [("withdraw", _("Withdraw"))]
    return Line(row.pk, row.get_purpose_display(), meta, badges, actions)


# --- points, corrections, opportunities, tasks ------------------------------------------


def _pin_line(row: Any, user: User) -> Line:
    meta = [row.by or ""]
    if row.valid_until:
        meta.append(_("until %(day)s") % {"day": row.valid_until})
    tone = {"bad": "bad", "warn": "warn", "info": "info"}[row.tone]
    badges = [(row.get_tone_display(), tone)]
    actions = [("unpin", _("Take off"))] if row.source.startswith("pin:") else []
    return Line(row.pk, row.text, meta, badges, actions)


CORRECTION_TONES = {"open": "warn", "applied": "ok", "declined": "muted"}


def _correction_line(row: Any, user: User) -> Line:
    wanted = row.wanted
    if row.raised_by_id != user.pk and not row.customer.is_of(user):
        wanted = star_digits(wanted)
    meta = [row.get_field_display(), row.raised_by, row.office]
    meta += [f"{row.raised_at:%Y-%m-%d}", row.reply]
    badges = [(row.get_state_display(), CORRECTION_TONES[row.state])]
    change = forms.DecisionForm() if row.state == "open" else None
    return Line(row.pk, wanted, meta, badges, change=change)


def _ask_correction(customer: Customer, by: User, typed: dict) -> None:
    office = next(iter(by.postings_now)).office
    notes.request_correction(customer, by=by, office=office, **typed)


def _opportunity_line(row: Any, user: User) -> Line:
    meta = [row.get_kind_display(), row.owner]
    if row.revenue is not None:
        meta.append(_("%(amount)s yuan a year") % {"amount": f"{row.revenue:,.0f}"})
    if row.due_on:
        meta.append(_("next step by %(day)s") % {"day": row.due_on})
    meta += [part for part in (row.problems, row.evaluation) if part]
    tones = {"won": "ok", "lost": "muted"}
    badges = [(row.get_stage_display(), tones.get(row.stage, "brand"))]
    change = forms.StageForm(instance=row) if row.is_open else None
    return Line(row.pk, row.title, meta, badges, change=change)


def _task_line(row: Any, user: User) -> Line:
    meta = [row.ref, _("by %(day)s") % {"day": row.due_on}, row.assignee or ""]
    if row.done_at:
        return Line(row.pk, _(row.title), meta, [(_("done"), "ok")])
    badges = [(_("overdue"), "bad")] if row.due_on < localdate() else []
    answer = (reverse("customers:alert", args=[row.alert or 0]), _("Answer"))
    acts, links = ([], [answer]) if row.alert else ([("done", _("Done"))], [])
    return Line(row.pk, _(row.title), meta, badges, acts, links=links)


# --- contracts --------------------------------------------------------------------------


def _contract_line(row: Any, user: User) -> Line:
    today = localdate()
    meta = [f"{row.starts_on} – {row.ends_on}", row.get_billing_display()]
    if row.ended_on:
        meta.append(_("ended early on %(day)s") % {"day": row.ended_on})
    meta.append(_("pays in %(n)s days") % {"n": row.credit_days})
    if row.credit_limit is not None:
        limit = f"{row.credit_limit:,.0f}"
        meta.append(_("credit limit %(amount)s yuan") % {"amount": limit})
    meta += [row.price_terms] if row.price_terms else []
    in_force = row.is_in_force(today)
    badges = [(row.state(today), "ok" if in_force else "muted")]
    if in_force and not row.has_safety_agreement:
        badges.append((_("no safety agreement"), "warn"))
    links = [
        (reverse("customers:contract_file", args=[file.pk]), file.name)
        for file in row.files.all()
    ]
    change = forms.ContractChangeForm(instance=row)
    return Line(row.pk, row.number, meta, badges, links=links, change=change)


def _change_contract(row: Any, by: User, typed: dict) -> None:
    if typed["file"]:
        data = typed["file"].read(MAX_BYTES + 1)
        ledger.attach_file(row, by=by, name=typed["file"].name, data=data)
    terms = {name: typed[name] for name in forms.TERMS}
    if terms != {name: getattr(row, name) for name in forms.TERMS}:
        ledger.change_terms(row, by=by, **terms)
    if typed["ended_on"] and typed["ended_on"] != row.ended_on:
        ledger.end_contract(row, by=by, on=typed["ended_on"])


def _list_line(row: Any, user: User) -> Line:
    meta = [row.purpose, _("until %(day)s") % {"day": row.ends_on}]
    meta.append(_("version %(n)s") % {"n": row.version} if row.version else "")
    badges = []
    if not row.is_open:
        badges.append((pgettext("list", "Destroyed"), "muted"))
    elif row.is_past_end:
        badges.append((_("agreement has ended"), "bad"))
    links = (
        [(row.get_absolute_url(), _("Open"))] if may(user, "recipients.keep") else []
    )
    return Line(row.pk, row.name, meta, badges, links=links)


PANELS: dict[str, Panel] = {
    "phones": Panel(
        gettext_lazy("Phones"),
        "phone",
        "customer.edit",
        lambda c: c.phones.select_related("contact", "customer__office").order_by(
            "-is_primary", "pk"
        ),
        _phone_line,
        forms.PhoneForm,
        _add_phone,
        act=lambda row, action, by: _act(records.mark_phone, "phone", row, action, by),
    ),
    "addresses": Panel(
        gettext_lazy("Addresses"),
        "map-pin",
        "customer.edit",
        lambda c: c.addresses.select_related("customer__office"),
        _address_line,
        forms.AddressForm,
        _add_address,
        act=lambda row, action, by: _act(
            records.judge_address, "address", row, action, by
        ),
    ),
    "contacts": Panel(
        gettext_lazy("Persons"),
        "contact",
        "customer.edit",
        lambda c: c.contacts.select_related("customer__office"),
        _contact_line,
        forms.ContactForm,
        lambda customer, by, typed: records.add_contact(customer, by=by, **typed),
        act=lambda row, action, by: records.remove_row(row, "contact", by=by),
    ),
    "external": Panel(
        gettext_lazy("Numbers in other systems"),
        "link",
        "customer.edit",
        lambda c: c.external_ids.all(),
        _external_line,
        forms.ExternalIdForm,
        _add_external,
        act=lambda row, action, by: records.remove_row(row, "external_id", by=by),
    ),
    "consents": Panel(
        gettext_lazy("Consents"),
        "shield-check",
        "customer.edit",
        lambda c: c.consents.all(),
        _consent_line,
        forms.ConsentForm,
        lambda customer, by, typed: consents.give_consent(
            customer, typed["purpose"], by=by, how=typed["how"]
        ),
        act=lambda row, action, by: consents.withdraw_consent(row, by=by),
    ),
    "points": Panel(
        gettext_lazy("Pinned service points"),
        "pin",
        "customer.edit",
        lambda c: c.service_points.select_related("by"),
        _pin_line,
        forms.PinForm,
        lambda customer, by, typed: notes.pin_point(customer, by=by, **typed),
        act=lambda row, action, by: notes.unpin_point(row, by=by),
    ),
    "contracts": Panel(
        gettext_lazy("Contracts"),
        "file-text",
        "contract.edit",
        lambda c: c.contracts.prefetch_related("files"),
        _contract_line,
        forms.ContractForm,
        lambda customer, by, typed: ledger.save_contract(customer, by=by, **typed),
        forms.ContractChangeForm,
        _change_contract,
    ),
    "opportunities": Panel(
        gettext_lazy("Opportunities and projects"),
        "handshake",
        "customer.edit",
        lambda c: c.opportunities.select_related("owner"),
        _opportunity_line,
        forms.OpportunityForm,
        lambda customer, by, typed: notes.save_opportunity(customer, by=by, **typed),
        forms.StageForm,
        lambda row, by, typed: notes.move_opportunity(row, by=by, **typed),
    ),
    "corrections": Panel(
        gettext_lazy("Correction requests"),
        "pencil-ruler",
        "customer.correct",
        lambda c: c.corrections.select_related(
            "raised_by", "office", "customer__office"
        ).order_by("-raised_at"),
        _correction_line,
        forms.CorrectionForm,
        _ask_correction,
        forms.DecisionForm,
        lambda row, by, typed: notes.decide_correction(row, by=by, **typed),
    ),
    "lists": Panel(
        gettext_lazy("Recipient lists kept for this customer"),
        "book-user",
        "recipients.keep",
        lambda c: c.recipient_lists.all(),
        _list_line,
        forms.RecipientListForm,
        lambda customer, by, typed: recipients.open_list(customer, by=by, **typed),
    ),
    "tasks": Panel(
        gettext_lazy("Tasks"),
        "list-checks",
        "task.view",
        lambda c: c.tasks.select_related("assignee").order_by("-done_at", "due_on"),
        _task_line,
        act=lambda row, action, by: notes.finish_task(row, by=by),
    ),
}
