"""A new SECRET_KEY signs nobody out (reliability.md B42)."""

from crm.access.models import SignedInSession
from tests import factories as make


def test_a_session_of_the_key_before_goes_on(cast, client, settings):
    make.sign_in(client, cast.chen)
    before = SignedInSession.objects.get(user=cast.chen).session_key
    old = settings.SECRET_KEY
    settings.SECRET_KEY = "another-" + old
    settings.SECRET_KEY_FALLBACKS = [old]
    for _time in range(3):
        assert client.get("/now/").status_code == 200
    after = SignedInSession.objects.get(user=cast.chen).session_key
    assert after != before
    settings.SECRET_KEY_FALLBACKS = []
    assert client.get("/now/").status_code == 200  # it is under the new one by now


def test_a_session_of_a_key_that_nobody_knows_ends(cast, client, settings):
    make.sign_in(client, cast.chen)
    settings.SECRET_KEY = "quite-another-one"
    settings.SECRET_KEY_FALLBACKS = []
    assert client.get("/now/").status_code == 302
