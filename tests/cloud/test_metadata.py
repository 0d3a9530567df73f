from __future__ import annotations

import threading

import pytest

from cloud.metadata import Account, MetadataServer, NoMetadata, NotThere, Place
from tests.cloud.fake_google import TOKEN, FakeGoogle, Fault
from tests.cloud.fake_metadata import ACCOUNT

EMAIL_ENTRY = "instance/service-accounts/default/email"
TOKEN_ENTRY = "instance/service-accounts/default/token"


@pytest.fixture
def server(google: FakeGoogle) -> MetadataServer:
    """A client of the fake."""
    return MetadataServer(google.url)


def test_the_machine_learns_where_it_is(server: MetadataServer) -> None:
    place = server.place()

    assert place == Place("quiet-project", "europe-west1-b", "bus")
    assert place.region == "europe-west1"


def test_the_machine_gets_a_token_that_is_never_shown(server: MetadataServer) -> None:
    account = server.account()

    assert account == Account(ACCOUNT, TOKEN)
    assert TOKEN not in repr(account)


def test_a_machine_without_an_account_is_told_so(google: FakeGoogle, server: MetadataServer) -> None:
    google.metadata.set(EMAIL_ENTRY, None)

    with pytest.raises(NotThere, match=f"has no {EMAIL_ENTRY}"):
        server.account()


@pytest.mark.parametrize(
    "token",
    [
        "",
        "{}",
        "[]",
        "null",
        '{"access_token": 7}',
        '{"access_token": ""}',
        "[" * 100_000,
        '{"access_token": "a\\r\\nX: b"}',
    ],
)
def test_what_is_no_token_is_refused_and_not_repeated(
    google: FakeGoogle, server: MetadataServer, token: str
) -> None:
    google.metadata.set(TOKEN_ENTRY, token)

    with pytest.raises(NoMetadata, match=r"^The metadata server gives no token for the machine's service"):
        server.account()


@pytest.mark.parametrize("name", ["", "a/../b", "b?c", "x" * 101, "näme", "a b"])
def test_an_odd_name_is_refused(google: FakeGoogle, server: MetadataServer, name: str) -> None:
    google.metadata.set("instance/name", name)

    with pytest.raises(NoMetadata, match="tells an odd name"):
        server.place()


@pytest.mark.parametrize("fault", [Fault.CUT, Fault.HALF, Fault.FLOOD])
def test_a_server_that_fails_counts_as_none(google: FakeGoogle, fault: Fault) -> None:
    google.fail("project-id", fault)
    google.fail("zone", fault)

    with pytest.raises(NoMetadata, match="There is no metadata server here"):
        MetadataServer(google.url).place()


def test_a_server_that_hangs_counts_as_none(google: FakeGoogle) -> None:
    google.fail("zone", Fault.HANG)

    with pytest.raises(NoMetadata, match=r"no metadata server here: it did not answer within 0\.2 s"):
        MetadataServer(google.url, limit=0.2).place()


@pytest.mark.parametrize("fault", [Fault.GARBAGE, Fault.REDIRECT])
def test_what_does_not_say_that_it_is_google_is_not_believed(google: FakeGoogle, fault: Fault) -> None:
    google.fail("zone", fault)

    with pytest.raises(NoMetadata, match="no metadata server of Google here: something else answers"):
        MetadataServer(google.url).place()


def test_a_change_is_waited_for(google: FakeGoogle, server: MetadataServer) -> None:
    first = server.preempted()
    heard = []
    waiting = threading.Thread(target=lambda: heard.append(server.preempted(since=first)))
    waiting.start()
    google.metadata.wait_until_waited_for()
    google.metadata.set("instance/preempted", "TRUE")
    waiting.join(20)

    assert not first.yes
    assert [preempted.yes for preempted in heard] == [True]


def test_without_a_change_the_wait_ends(server: MetadataServer) -> None:
    first = server.preempted()

    assert server.preempted(since=first, wait=0) == first
