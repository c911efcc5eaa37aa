"""Damages a topic as a bad disk does: by writing into the segment files of a broker that is running or stopped.

    for batch in batches(kafka, topic):         # of partition 0, in order: .offset, .records_n, .attributes
        ...
    damage(kafka, topic, 5)                     # one byte of the batch that holds offset 5: its CRC is wrong now
    rewrite(kafka, topic, 5, change)            # change(bytearray of the batch) -> and its CRC is right again

A broker sends what is in the file and checks nothing, so a client meets the damage. Segments are found in the log folder of every node.
Batch format (magic 2): baseOffset 8, length 4, leaderEpoch 4, magic 1, crc32c 4 (of all that follows), attributes 2, lastOffsetDelta 4,
baseTimestamp 8, maxTimestamp 8, producerId 8, producerEpoch 2, baseSequence 4, records 4, the records.
"""
import struct
from dataclasses import dataclass
from pathlib import Path

HEAD = struct.Struct(">qiibIhiqqqhii")       # up to and with the number of records
ATTRIBUTES_AT, RECORDS_N_AT, RECORDS_AT = 21, 57, 61

_TABLE = []
for _i in range(256):
    for _ in range(8):
        _i = _i >> 1 ^ (0x82F63B78 if _i & 1 else 0)
    _TABLE.append(_i)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


@dataclass
class Batch:
    file: Path
    at: int
    size: int
    offset: int
    last_offset: int
    attributes: int
    records_n: int


def batches(kafka, topic, partition=0, node=0):
    """The batches in the log of one node, in order."""
    found = []
    for file in sorted(Path(kafka.nodes[node].folder, f"{topic}-{partition}").glob("*.log")):
        data, at = file.read_bytes(), 0
        while at + HEAD.size <= len(data):
            base, length, _, magic, _, attributes, delta, *_, records_n = HEAD.unpack_from(data, at)
            if magic != 2 or length <= 0:        # preallocated space
                break
            found.append(Batch(file, at, 12 + length, base, base + delta, attributes, records_n))
            at += 12 + length
    return found


def _of_offset(kafka, topic, offset, partition):
    return next(b for b in batches(kafka, topic, partition) if b.offset <= offset <= b.last_offset)


def rewrite(kafka, topic, offset, change, crc=True, partition=0):
    """Changes the batch that holds the offset in place: change(bytearray) must keep its length."""
    batch = _of_offset(kafka, topic, offset, partition)
    with open(batch.file, "r+b") as f:
        f.seek(batch.at)
        data = bytearray(f.read(batch.size))
        change(data)
        assert len(data) == batch.size
        if crc:
            struct.pack_into(">I", data, 17, crc32c(bytes(data[ATTRIBUTES_AT:])))
        f.seek(batch.at)
        f.write(data)
    return batch


def damage(kafka, topic, offset, partition=0):
    """Turns one bit of the last record's value; the CRC stays and is wrong now."""
    def change(data):
        data[-2] ^= 1
    return rewrite(kafka, topic, offset, change, crc=False, partition=partition)
