"""What a disk may hold after the power failed: a directory made again from the log of record.c, cut at some record.

The model, which is harsher than one file system and so covers several:

Data    fsync or fdatasync of a file makes everything written to it before durable, a write through O_DSYNC itself only.
        Any other write may be kept, dropped, or torn: each 4 KiB page of it independently whole, missing, or cut short
        at a 512-byte sector. A sector is atomic (LMDB builds on that for its meta page). Nothing orders two unsynced
        writes, in one file or in two. A changed size is kept or dropped like a write. What was never written reads as
        zeros (no stale blocks: what journalling file systems promise by default).
Names   Creations, renames and unlinks reach the disk in order, up to some point. Two kinds of disk, one a round:
        STRICT   each directory has an order of its own, and only fsync of that directory makes its entries durable.
                 A file whose entry is lost is lost, however well it was synced. This is all that POSIX promises.
        JOURNAL  one order for the whole disk; fsync of a directory, or of a file for its own name, makes durable
                 everything up to the last change of that directory or name. So do ext4 and XFS.
        A rename is atomic and belongs to the directory of the new name.
Cut     Between two records; then the first record behind the cut may be under way: done, but not durable.

Left out: writes that reach another place than they were meant for, bits that rot, syncs that lie (the test has those as
controls: `ignore`), errors of the disk, permissions and times.
"""
import bisect
import os
import struct

HEAD = struct.Struct("=IIQQQQQII")  # struct record of record.c
MAGIC = 0x504C5231
ROOT, CREATE, MKDIR, WRITE, TRUNCATE, SYNC, RENAME, UNLINK = range(1, 9)
STRICT, JOURNAL = "strict", "journal"
DATA, NAMES = "data", "names"  # kinds of syncs that a control ignores
PAGE, SECTOR = 4096, 512
HEADERS = 2 * 4096  # of the journal: the records come behind


class Record:
    __slots__ = ("op", "inode", "dir", "other_dir", "offset", "durable", "name", "data", "end", "path")


def read_log(path):
    """All whole records; end is the size of the log behind the record, path what a sync or write was about."""
    log = memoryview(open(path, "rb").read())
    records, at, paths = [], 0, {}
    while at + HEAD.size <= len(log):
        record = Record()
        magic, record.op, record.inode, record.dir, record.other_dir, record.offset, n_data, n_name, durable = \
            HEAD.unpack_from(log, at)
        assert magic == MAGIC, f"no record at {at}"
        at += HEAD.size
        record.end = at + n_name + n_data
        if record.end > len(log):
            break  # killed while it wrote this one
        record.name = str(log[at:at + n_name], "utf-8")
        record.data, record.durable = log[at + n_name:record.end], bool(durable)
        note_path(paths, record)
        records.append(record)
        at = record.end
    return records


def note_path(paths, record):
    if record.op == ROOT:
        paths[record.inode] = ""
    elif record.op in (CREATE, MKDIR):
        paths[record.inode] = f"{paths[record.dir]}/{record.name}"
    elif record.op == RENAME:
        paths[record.inode] = f"{paths[record.other_dir]}/{str(record.data, 'utf-8')}"
    record.path = paths.get(record.inode) if record.op != UNLINK else f"{paths[record.dir]}/{record.name}"


class File:
    """base: what is durable for sure. pending: changes since, each (is durable, offset, data) or (…, size, None)."""

    def __init__(self):
        self.base, self.pending = bytearray(), []

    def change(self, durable, offset, data):
        if durable and not self.pending:
            apply(self.base, offset, data)
        else:
            self.pending.append((durable, offset, data))

    def sync(self):
        for _, offset, data in self.pending:
            apply(self.base, offset, data)
        self.pending.clear()

    def content(self, chance):
        content = bytearray(self.base)
        for durable, offset, data in self.pending:
            if durable or data is None:
                if durable or chance.keeps():
                    apply(content, offset, data)
            else:
                for piece_offset, piece in chance.pieces(offset, data):
                    apply(content, piece_offset, piece)
        return content


def apply(content, offset, data):
    if data is None:  # a new size
        del content[offset:]
        content.extend(bytes(offset - len(content)))
    elif len(data) > 0:
        content.extend(bytes(max(0, offset - len(content))))
        content[offset:offset + len(data)] = data


class Dir:
    pass


class Change:
    """One atomic change of names in a directory: [(directory, name, object or None)]."""

    def __init__(self, owner, *entries):
        self.owner, self.entries, self.durable = owner, entries, False


class Chance:
    """How this power loss treats what was not synced. Whole rounds lean one way, for each way has its own victims."""

    def __init__(self, rng):
        self.rng, self.mood = rng, rng.choice(["mixed", "mixed", "drop", "keep"])

    def keeps(self):
        return self.mood == "keep" or (self.mood == "mixed" and self.rng.random() < 0.5)

    def pieces(self, offset, data):
        how = self.rng.random() if self.mood == "mixed" else {"drop": 0.5, "keep": 0.1}[self.mood]
        if how < 0.35:
            yield offset, data
        elif how >= 0.7:
            yield from self.torn(offset, data)

    def torn(self, offset, data):
        at = offset
        while at < offset + len(data):
            end = min(offset + len(data), (at // PAGE + 1) * PAGE)
            stops = list(range((at // SECTOR + 1) * SECTOR, end, SECTOR))
            stop = self.rng.choice([at, end, self.rng.choice(stops + [end])])
            yield at, data[at - offset:stop - offset]
            at = end

    def prefix(self, n):
        """How many of n ordered changes are kept."""
        return {"drop": 0, "keep": n, "mixed": self.rng.randrange(n + 1)}[self.mood]


class Disk:
    """Takes records in order; then build() writes what may be left of them."""

    def __init__(self, model, ignore=()):
        self.model, self.ignore = model, ignore
        self.root, self.objects, self.changes, self.n_durable = None, {}, [], 0

    def take(self, record, under_way=False):
        TAKERS[record.op](self, record, under_way)

    def take_root(self, record, under_way):
        if self.root is None:  # else the next process
            self.root = self.objects[record.inode] = Dir()

    def take_create(self, record, under_way):
        made = self.objects[record.inode] = Dir() if record.op == MKDIR else File()
        self.rename_in(self.objects[record.dir], (self.objects[record.dir], record.name, made))

    def rename_in(self, owner, *entries):
        self.changes.append(Change(owner, *entries))

    def take_write(self, record, under_way):
        durable = record.durable and not under_way and DATA not in self.ignore
        self.objects[record.inode].change(durable, record.offset, record.data)

    def take_truncate(self, record, under_way):
        self.objects[record.inode].change(False, record.offset, None)

    def take_rename(self, record, under_way):
        old, new = self.objects[record.dir], self.objects[record.other_dir]
        self.rename_in(new, (old, record.name, None),
                       (new, str(record.data, "utf-8"), self.objects[record.inode]))

    def take_unlink(self, record, under_way):
        self.rename_in(self.objects[record.dir], (self.objects[record.dir], record.name, None))

    def take_sync(self, record, under_way):
        if under_way:
            return
        synced = self.objects[record.inode]
        if isinstance(synced, File) and DATA not in self.ignore:
            synced.sync()
        if NAMES not in self.ignore:
            self.sync_names(synced)

    def sync_names(self, synced):
        if self.model == STRICT:
            for change in self.changes:
                change.durable |= change.owner is synced
        else:
            for at in range(len(self.changes) - 1, self.n_durable - 1, -1):
                if self.changes[at].owner is synced or any(e[2] is synced for e in self.changes[at].entries):
                    self.n_durable = at + 1
                    break

    def kept_changes(self, chance):
        """In order: what is durable, and of the rest a prefix."""
        if self.model == JOURNAL:
            return self.changes[:self.n_durable + chance.prefix(len(self.changes) - self.n_durable)]
        unsure = {}
        for change in self.changes:
            if not change.durable:
                unsure.setdefault(id(change.owner), []).append(change)
        kept = {id(c) for changes in unsure.values() for c in changes[:chance.prefix(len(changes))]}
        return [c for c in self.changes if c.durable or id(c) in kept]

    def build(self, path, chance):
        names = {}
        for change in self.kept_changes(chance):
            for directory, name, found in change.entries:
                names.setdefault(id(directory), {})[name] = found
        self.build_dir(path, self.root, names, chance)

    def build_dir(self, path, directory, names, chance):
        os.mkdir(path, 0o700)
        for name, found in sorted(names.get(id(directory), {}).items()):
            if isinstance(found, Dir):
                self.build_dir(os.path.join(path, name), found, names, chance)
            elif found is not None:
                with open(os.path.join(path, name), "wb") as out:
                    out.write(found.content(chance))


TAKERS = {ROOT: Disk.take_root, CREATE: Disk.take_create, MKDIR: Disk.take_create, WRITE: Disk.take_write,
          TRUNCATE: Disk.take_truncate, SYNC: Disk.take_sync, RENAME: Disk.take_rename, UNLINK: Disk.take_unlink}


def rebuild(records, n, path, model, rng, ignore=()):
    """A directory at path as the disk may hold it after the first n records."""
    disk = Disk(model, ignore)
    for record in records[:n]:
        disk.take(record)
    if n < len(records) and rng.random() < 0.5:
        disk.take(records[n], under_way=True)
    disk.build(path, Chance(rng))


def replay(records, path):
    """Everything, as if the disk had lost nothing."""
    class Everything:
        def keeps(self):
            return True

        def pieces(self, offset, data):
            yield offset, data

        def prefix(self, n):
            return n
    disk = Disk(JOURNAL)
    for record in records:
        disk.take(record)
    disk.build(path, Everything())


# --- where to cut


def is_index(record):
    return "/indexes/" in (record.path or "") and record.path.endswith("data.mdb")


def is_journal(record):
    return (record.path or "").endswith("/queue/journal")


def is_durable_record(record):
    """A commit: a record of the journal, written past the page cache or synced behind its write."""
    return is_journal(record) and (record.op == SYNC or record.durable)


def journal_headers(records):
    """Where the main environment's journal begins a generation: the number of the write and of its sync, if there is one."""
    writes = [i for i, r in enumerate(records) if r.op == WRITE and is_journal(r) and r.offset < HEADERS]
    syncs = [i for i, r in enumerate(records) if r.op == SYNC and is_journal(r)]
    behind = [bisect.bisect(syncs, i) for i in writes]
    return [(i, syncs[k] if k < len(syncs) else i) for i, k in zip(writes, behind)]


def cut_places(records):
    """Numbers of records to keep, by what is interesting about them."""
    syncs = [i for i, r in enumerate(records) if r.op == SYNC or r.durable]
    names = [i for i, r in enumerate(records) if r.op in (CREATE, MKDIR, RENAME, UNLINK)]
    main_commits = [i for i, r in enumerate(records) if is_durable_record(r)]
    between = []
    for commit in (i for i, r in enumerate(records) if r.durable and is_index(r)):
        at = bisect.bisect(main_commits, commit)
        if at < len(main_commits):
            between += range(commit + 1, main_commits[at] + 1)
    bodies = [i for i, r in enumerate(records) if "/segment-" in (r.path or "")]
    made = [i for i, r in enumerate(records) if r.op in (CREATE, RENAME) and r.path.endswith(".mdb")]
    checkpoints = [k for i, sync in journal_headers(records) for k in range(i - 2, sync + 8) if 0 <= k <= len(records)]
    fresh = [i + k for i in made for k in range(1, 6) if i + k <= len(records)]
    return {"anywhere": range(len(records) + 1), "before a sync": syncs, "after a sync": [i + 1 for i in syncs],
            "after a change of names": [i + 1 for i in names], "in a new environment": fresh, "at a segment": bodies,
            "between the commits of a batch": between, "around a checkpoint": checkpoints}


def choose_cut(places, rng):
    """(how it was chosen, number of records to keep)"""
    how = rng.choice([name for name, found in places.items() if found])
    return how, rng.choice(places[how])
