"""Journals as bytes: what was written is read, and what was not acknowledged is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queues.file.entries import Entry, Kind, encoded_entry, entries_in

ENTRIES = st.builds(
    Entry,
    kind=st.sampled_from(Kind),
    records=st.lists(st.binary(max_size=50), min_size=1, max_size=4).map(tuple),
)


def journal(entries: list[Entry], *, first: int = 1) -> bytes:
    return b"".join(encoded_entry(entry, number) for number, entry in enumerate(entries, first))


@given(entries=st.lists(ENTRIES, max_size=5), rest=st.integers(min_value=0, max_value=100))
def test_what_was_written_is_read_and_the_zeros_after_it_are_not(entries: list[Entry], rest: int) -> None:
    assert list(entries_in(journal(entries) + bytes(rest))) == entries


@given(entries=st.lists(ENTRIES, min_size=1, max_size=4), data=st.data())
def test_of_a_torn_journal_the_whole_entries_before_the_tear_are_read(
    entries: list[Entry], data: st.DataObject
) -> None:
    whole = journal(entries)
    tear = data.draw(st.integers(min_value=0, max_value=len(whole) - 1))
    kept = [number for number in range(len(entries)) if len(journal(entries[: number + 1])) <= tear]

    assert list(entries_in(whole[:tear] + bytes(len(whole) - tear))) == entries[: len(kept)]


@given(entries=st.lists(ENTRIES, min_size=1, max_size=3), data=st.data())
def test_a_changed_byte_ends_the_reading_at_its_entry(entries: list[Entry], data: st.DataObject) -> None:
    whole = bytearray(journal(entries))
    place = data.draw(st.integers(min_value=0, max_value=len(whole) - 1))
    whole[place] ^= data.draw(st.integers(min_value=1, max_value=255))

    read = list(entries_in(bytes(whole)))

    assert len(read) < len(entries)
    assert read == entries[: len(read)]


@pytest.mark.parametrize("number", [1, 3, 5, 1_000])
def test_what_an_earlier_round_left_behind_new_entries_is_not_read(number: int) -> None:
    old = [Entry(Kind.STORED, (b"old",))] * 6
    new = [Entry(Kind.STORED, (b"new",))] * 2
    left = journal(old, first=number)

    written = journal(new, first=number + 6)

    assert list(entries_in(written + left[len(written) :])) == new
