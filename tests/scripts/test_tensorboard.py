"""Event files, read back by the format's definition: framed records of protobuf messages."""

import struct
from pathlib import Path

import pytest

import flambeau as torch
from flambeau.utils.tensorboard import SummaryWriter
from flambeau.utils.tensorboard._record import _masked_crc, record


def test_checksum():
    # The check value of CRC-32C, masked as the format says.
    crc = 0xE3069283
    assert _masked_crc(b"123456789") == (((crc >> 15) | (crc << 17)) + 0xA282EAD8) % 2**32


def records(data):
    while data:
        (length,) = struct.unpack_from("<Q", data)
        body = data[12 : 12 + length]
        assert record(body) == data[: 16 + length]
        yield body
        data = data[16 + length :]


def fields(message):
    """[(number, value)]: ints, floats and bytes by wire type."""
    found = []

    def varint():
        nonlocal message
        value = shift = 0
        while True:
            byte, message = message[0], message[1:]
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while message:
        key = varint()
        number, wire = key >> 3, key & 7
        if wire == 0:
            value = varint()
        elif wire == 2:
            length = varint()
            value, message = message[:length], message[length:]
        else:
            size, code = {1: (8, "<d"), 5: (4, "<f")}[wire]
            (value,), message = struct.unpack(code, message[:size]), message[size:]
        found.append((number, value))
    return found


def values(folder):
    """(step, fields of the value) of every event but the first, which tells the version."""
    (path,) = Path(folder).glob("events.out.tfevents.*")
    first, *rest = (dict(fields(body)) for body in records(path.read_bytes()))
    assert first[3] == b"brain.Event:2" and first[1] > 1e9
    return [(event.get(2), dict(fields(dict(fields(event[5]))[1]))) for event in rest]


def test_scalars_text_histogram(tmp_path):
    with SummaryWriter(tmp_path) as writer:
        writer.add_scalar("loss", 0.5, 1)
        writer.add_scalar("loss", torch.tensor(0.25), 300)
        writer.add_text("note", "hello", 2)
        writer.add_histogram("weights", torch.tensor([0.0, 1.0, 1.0, 2.0]), 3, bins=2)
        writer.flush()
        one, two, text, histogram = values(tmp_path)
    assert one == (1, {1: b"loss", 2: 0.5}) and two == (300, {1: b"loss", 2: 0.25})
    assert text[1][1] == b"note/text_summary" and dict(fields(text[1][8]))[8] == b"hello"
    found = dict(fields(histogram[1][5]))
    assert [found[i] for i in range(1, 6)] == [0.0, 2.0, 4.0, 4.0, 6.0]
    assert struct.unpack("<2d", found[6]) == (1.0, 2.0) and struct.unpack("<2d", found[7]) == (1.0, 3.0)


def test_scalars_in_one_chart(tmp_path):
    with SummaryWriter(log_dir=tmp_path) as writer:
        writer.add_scalars("loss", {"train": 1.0, "test": 2.0}, 5)
    assert values(tmp_path / "loss_train") == [(5, {1: b"loss", 2: 1.0})]
    assert values(tmp_path / "loss_test") == [(5, {1: b"loss", 2: 2.0})]


def test_writes_again_after_close(tmp_path):
    writer = SummaryWriter(tmp_path)
    writer.close()
    writer.add_scalar("a", 1.0)
    writer.close()
    assert len(list(tmp_path.glob("events.*"))) == 2


def test_empty_histogram(tmp_path):
    with SummaryWriter(tmp_path) as writer, pytest.raises(ValueError, match="no element"):
        writer.add_histogram("a", torch.empty(0))
