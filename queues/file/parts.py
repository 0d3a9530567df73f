"""The parts of a file engine, made in the order in which they need each other."""

from __future__ import annotations

from queues.file.adopt import Adoption, accept_by_shape
from queues.file.changes import Changes
from queues.file.claims import Claims
from queues.file.deferred import Deferred
from queues.file.disk import Disk
from queues.file.folders import Folders
from queues.file.ground import Ground
from queues.file.journal import Journal
from queues.file.keys import Keys
from queues.file.layout import Layout
from queues.file.listing import Listing
from queues.file.logs import Logs
from queues.file.options import FileOptions
from queues.file.picking import Picking
from queues.file.publishing import Publishing
from queues.file.purging import Purging
from queues.file.quarantine import Quarantine
from queues.file.records import Records
from queues.file.replay import Replay
from queues.file.rescue import Rescue
from queues.file.room import Room
from queues.file.scratch import Scratch
from queues.file.site import Site
from queues.file.submits import Submits
from queues.file.tally import Tally
from queues.file.tombstones import Tombstones
from queues.file.waiting import Waiting
from queues.file.whereabouts import Whereabouts


class Parts:
    """Everything that one engine object consists of."""

    def __init__(self, base: str, options: FileOptions, disk: Disk) -> None:
        layout = Layout(base, options.live_dir or f"{base}/live")
        self.ground = Ground(disk, layout, allow_any_filesystem=options.allow_any_filesystem)
        self.quarantine = Quarantine(disk, layout, options.put_aside)
        self.site = site = Site(disk, layout, Folders(disk, base, self.quarantine), tmp="")
        self._make_room(site, options)
        self._make_readers(site)
        self._make_queue(site, options)
        self._make_changes(site)
        self._make_caretakers(site)
        self._make_doors(site, options)

    def _make_room(self, site: Site, options: FileOptions) -> None:
        """Make room first: what it takes to open the queue on a full disk comes out of the reserve."""
        self.room = Room(
            site,
            min_free_bytes=options.min_free_bytes,
            min_free_share=options.min_free_share,
            reserve_bytes=options.reserve_bytes,
        )
        self.scratch = self.room.lending(lambda: Scratch(site.disk, site.layout))
        site.tmp = self.scratch.path
        self.journal = self.room.lending(lambda: Journal(site, step=options.journal_step))

    def _make_readers(self, site: Site) -> None:
        self.records = Records(site)
        self.tombstones = Tombstones(site)
        self.whereabouts = Whereabouts(site, self.records, self.quarantine, self.tombstones)
        self.listing = Listing(site, self.whereabouts)
        self.tally = Tally(site, self.records, self.whereabouts)
        self.logs = Logs(site, self.whereabouts)

    def _make_queue(self, site: Site, options: FileOptions) -> None:
        self.waiting = Waiting(site, aging=options.aging)
        self.deferred = Deferred(
            site, records=self.records, room=self.room, quarantine=self.quarantine, waiting=self.waiting
        )
        self.claims = Claims(
            site,
            journal=self.journal,
            records=self.records,
            room=self.room,
            quarantine=self.quarantine,
            whereabouts=self.whereabouts,
            deferred=self.deferred,
        )

    def _make_changes(self, site: Site) -> None:
        self.publishing = Publishing(
            site,
            journal=self.journal,
            records=self.records,
            room=self.room,
            waiting=self.waiting,
            deferred=self.deferred,
        )
        self.changes = Changes(
            site,
            records=self.records,
            claims=self.claims,
            publishing=self.publishing,
            whereabouts=self.whereabouts,
            deferred=self.deferred,
        )
        self.picking = Picking(
            site,
            claims=self.claims,
            waiting=self.waiting,
            deferred=self.deferred,
            whereabouts=self.whereabouts,
        )

    def _make_caretakers(self, site: Site) -> None:
        self.rescue = Rescue(
            site,
            records=self.records,
            claims=self.claims,
            quarantine=self.quarantine,
            publishing=self.publishing,
            whereabouts=self.whereabouts,
        )
        self.purging = Purging(
            site,
            records=self.records,
            quarantine=self.quarantine,
            tombstones=self.tombstones,
            whereabouts=self.whereabouts,
        )
        self.keys = Keys(site)
        self.replay = Replay(
            site,
            journal=self.journal,
            records=self.records,
            room=self.room,
            quarantine=self.quarantine,
            claims=self.claims,
            publishing=self.publishing,
            whereabouts=self.whereabouts,
            keys=self.keys,
        )

    def _make_doors(self, site: Site, options: FileOptions) -> None:
        self.submits = Submits(
            site,
            records=self.records,
            publishing=self.publishing,
            whereabouts=self.whereabouts,
            tombstones=self.tombstones,
            keys=self.keys,
            room=self.room,
            tally=self.tally,
            max_pending=options.max_pending,
        )
        self.adoption = Adoption(
            site,
            quarantine=self.quarantine,
            whereabouts=self.whereabouts,
            accept=options.accept or accept_by_shape(),
            entered=options.entered,
            add=self.submits.add,
            adopted=options.adopted,
        )
