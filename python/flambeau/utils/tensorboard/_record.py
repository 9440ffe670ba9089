"""TensorBoard's files: events in protobuf's wire format, framed with lengths and checksums."""

import struct

__all__ = ["bytes_field", "double_field", "doubles_field", "float_field", "int_field", "record"]


def _crc_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


_TABLE = _crc_table()


def _masked_crc(data):
    """CRC-32C, rotated and moved as the format asks, so that a checksum of checksums stays useful."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def record(data):
    """One framed record: length, its checksum, data, their checksum."""
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", _masked_crc(length)) + data + struct.pack("<I", _masked_crc(data))


def _varint(value):
    value &= 0xFFFFFFFFFFFFFFFF
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def int_field(number, value):
    """An integer field of a message."""
    return _varint(number << 3) + _varint(value)


def double_field(number, value):
    """A double field."""
    return _varint(number << 3 | 1) + struct.pack("<d", value)


def float_field(number, value):
    """A float field."""
    return _varint(number << 3 | 5) + struct.pack("<f", value)


def bytes_field(number, value):
    """A field of bytes, text or an inner message."""
    value = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def doubles_field(number, values):
    """A packed field of doubles."""
    return bytes_field(number, struct.pack(f"<{len(values)}d", *values))
