"""Everybody lands on work of their own, never on what is open to all."""

import pytest

from crm.access.roles import Role
from tests import factories as make

HOME = {
    Role.AGENT: "/complaints/new/",
    Role.MANAGER: "/customers/today/",
    Role.SUPERVISOR: "/now/",
    Role.SECURITY_ADMIN: "/accounts/users/",
    Role.SYSTEM_ADMIN: "/accounts/offices/",
    Role.ANALYST: "/kpi/board/",
    Role.IMPORTER: "/imports/",
}


@pytest.mark.parametrize("role", Role.values)
def test_a_role_lands_on_its_own_work(cast, client, role):
    make.sign_in(client, cast.of_role(role))
    url = client.get("/").url
    assert url not in ("/library/", "/programmes/", "/programmes/staff/")
    assert url == HOME.get(role, url)
    assert client.get(url, follow=True).status_code == 200
