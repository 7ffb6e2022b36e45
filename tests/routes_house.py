"""The routes of the house's own affairs (documents and what follows from them), and one
object of each kind, for tests/routes.py."""

from django.utils.timezone import localdate, now

from crm.library.models import Document, Edition, Reading


def routes(Route) -> dict:  # noqa: N803 - the class of tests/routes.py
    return {
        "library:documents": Route("library.read"),
        "library:document_new": Route("library.write"),
        "library:document": Route("library.read", of="paper"),
        "library:document_edit": Route("library.write", of="paper"),
        "library:document_act": Route("library.write", "post", "paper"),
        "library:confirm": Route("library.read", "post", "paper"),
    }


def paper(office, by, issuer, **facts) -> Document:
    """A document in force, with a second edition in draft."""
    facts = {"kind": "promise", "title": "对外服务承诺", "is_signed": True} | facts
    row = Document.objects.create(office=office, made_by=by, **facts)
    about = {"document": row, "text": "限时送达。", "effective_on": localdate()}
    row.current = Edition.objects.create(
        number=1,
        state="issued",
        written_by=by,
        issued_by=issuer,
        issued_at=now(),
        **about,
    )
    row.current.promises.create(content="省内特快", price="12 元", limit="次日")
    row.save()
    Edition.objects.create(number=2, written_by=by, **about)
    return row


def things(cast, where, boss, other) -> dict:
    made = paper(where, boss, other)
    Reading.objects.create(
        edition=made.current,
        user=boss,
        office=where,
        asked_at=now(),
        due_on=localdate(),
    )
    return {"paper": {"pk": made.pk}}


MISSING = {"paper": {"pk": 99999999}}
