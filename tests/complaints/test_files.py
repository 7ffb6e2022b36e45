"""Attachments: what they really are, who may fetch them, how they are served (B31)."""

import io

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from PIL import Image

from complaints.models import Attachment
from tests import factories as make


def picture(**save) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (40, 30), "red").save(out, "JPEG", **save)
    return out.getvalue()


@pytest.fixture
def complaint(cast, client):
    make.sign_in(client, cast.lin)
    return make.complaint(cast.lin, cast.wuhan)


def attach(client, complaint, name, content):
    url = reverse("complaints:attach", args=[complaint.ref])
    return client.post(url, {"file": SimpleUploadedFile(name, content)})


def test_a_picture_is_drawn_anew_without_its_position(client, complaint):
    exif = Image.Exif()
    exif[0x010E] = "GPS 30.5,114.3"
    assert attach(client, complaint, "a.jpg", picture(exif=exif)).status_code == 302
    kept = Attachment.objects.get().path.read_bytes()
    assert b"GPS" not in kept
    assert Image.open(io.BytesIO(kept)).size == (40, 30)


@pytest.mark.parametrize(
    "content",
    [
        b"<html><script>1</script>",
        b"<svg xmlns='x'/>",
        b"GIF89a;",
        b"\xff\xd8\xffbroken",
        b"MZ",
    ],
)
def test_what_is_neither_pdf_nor_picture_is_refused(client, complaint, content):
    answer = attach(client, complaint, "a.pdf", content)
    assert answer.status_code == 422
    assert "Only PDF files and pictures" in answer.content.decode()
    assert Attachment.objects.count() == 0


def test_it_is_served_as_a_download_that_can_do_nothing(client, complaint):
    attach(client, complaint, "报告.pdf", b"%PDF-1.7 x")
    answer = client.get(
        reverse("complaints:download", args=[Attachment.objects.get().pk])
    )
    assert answer.getvalue() == b"%PDF-1.7 x"
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_sister_office_does_not_find_it(cast, client, complaint):
    attach(client, complaint, "a.pdf", b"%PDF-1.7 x")
    make.sign_in(client, cast.mei)
    url = reverse("complaints:download", args=[Attachment.objects.get().pk])
    assert client.get(url).status_code == 404
