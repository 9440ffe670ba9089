"""The zip container of .pth files, written and read as PyTorch does.

Records are stored without compression; padding in an extra field ("FB") puts each one's first byte at a
multiple of 64, and a data descriptor follows each that is not empty, so that files can be mapped into memory.
Reading accepts any zip file with stored or deflated records. All sizes and offsets of a file are checked
before they are used.
"""

import struct
import zlib

ALIGNMENT = 64
_UINT32_MAX = 0xFFFFFFFF
_HAS_DESCRIPTOR, _UTF8 = 0x0008, 0x0800

_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END64 = struct.Struct("<4sQHHIIQQQQ")
_LOCATOR64 = struct.Struct("<4sIQI")
_END = struct.Struct("<4sHHHHIIH")


def archive_name(path):
    """The folder that holds all records: the file's name without its last extension."""
    name = str(path).replace("\\", "/").rsplit("/", 1)[-1]
    stem = name.rsplit(".", 1)[0] if "." in name else name
    return stem if stem and name.isascii() else "archive"


class ArchiveWriter:
    """Writes records one after another to a file-like object that need not be seekable.

    Args:
        file: an object with ``write``.
        name: the folder of all records.
        checksums: whether to compute CRC-32 sums; readers of .pth files do not check those of tensor data.
    """

    def __init__(self, file, name, checksums=True):
        self.file = file
        self.name = name
        self.checksums = checksums
        self.position = 0
        self.entries = []

    def _write(self, data):
        self.file.write(data)
        self.position += len(data)

    def write_record(self, name, data):
        """Writes ``data`` (bytes or a flat memoryview of bytes) under ``name``."""
        name = f"{self.name}/{name}".encode()
        size, start = len(data), self.position
        crc = zlib.crc32(data) if self.checksums and size else 0
        flags = _UTF8 | (_HAS_DESCRIPTOR if size else 0)

        wide = b""
        if size >= _UINT32_MAX or start >= _UINT32_MAX:
            fields = [size, size] if size >= _UINT32_MAX else []
            fields += [start] if start >= _UINT32_MAX else []
            wide = struct.pack(f"<HH{len(fields)}Q", 1, 8 * len(fields), *fields)
        unpadded = start + _LOCAL.size + len(name) + len(wide) + 4
        padding = -unpadded % ALIGNMENT
        extra = wide + b"FB" + struct.pack("<H", padding) + b"Z" * padding
        # The sizes of the header are left to the descriptor and the directory.
        header_size = _UINT32_MAX if size >= _UINT32_MAX else 0
        self._write(
            _LOCAL.pack(b"PK\3\4", 0, flags, 0, 0, 0, 0, header_size, header_size, len(name), len(extra))
            + name
            + extra
        )
        self._write(data)
        if size:
            layout = "<4sIQQ" if wide else "<4sIII"
            self._write(struct.pack(layout, b"PK\7\10", crc, size, size))
        self.entries.append((name, flags, crc, size, start))

    def finish(self):
        """Writes the directory."""
        start = self.position
        for name, flags, crc, size, offset in self.entries:
            fields = [size, size] if size >= _UINT32_MAX else []
            fields += [offset] if offset >= _UINT32_MAX else []
            extra = struct.pack(f"<HH{len(fields)}Q", 1, 8 * len(fields), *fields) if fields else b""
            size32, offset32 = min(size, _UINT32_MAX), min(offset, _UINT32_MAX)
            self._write(
                _CENTRAL.pack(
                    b"PK\1\2",
                    0,
                    0,
                    flags,
                    0,
                    0,
                    0,
                    crc,
                    size32,
                    size32,
                    len(name),
                    len(extra),
                    0,
                    0,
                    0,
                    0,
                    offset32,
                )
                + name
                + extra
            )
        count, length, end = len(self.entries), self.position - start, self.position
        self._write(_END64.pack(b"PK\6\6", _END64.size - 12, 0x031E, 0x2D, 0, 0, count, count, length, start))
        self._write(_LOCATOR64.pack(b"PK\6\7", 0, end, 1))
        count16 = min(count, 0xFFFF)
        self._write(
            _END.pack(b"PK\5\6", 0, 0, count16, count16, min(length, _UINT32_MAX), min(start, _UINT32_MAX), 0)
        )


def _fail(what):
    raise RuntimeError(
        f"PytorchStreamReader failed {what}. This is an internal miniz error. If you are seeing this "
        "error, there is a high likelihood that your checkpoint file is corrupted. This can happen if the "
        "checkpoint was not saved properly, was transferred incorrectly, or the file was modified after "
        "saving."
    )


class ArchiveReader:
    """Reads records out of a buffer that holds a whole zip file.

    Args:
        buffer: a flat memoryview of bytes.

    Raises:
        RuntimeError: if the buffer is no zip file, or a damaged one.
    """

    def __init__(self, buffer):
        self.buffer = buffer
        if len(buffer) < _END.size + 8:
            _fail("reading zip archive: not a ZIP archive")
        try:
            self.entries = self._read_directory()
        except (struct.error, UnicodeDecodeError):
            _fail("reading zip archive: invalid header or archive is corrupted")
        folders = {name.split("/", 1)[0] for name in self.entries}
        if not self.entries or not all("/" in name for name in self.entries):
            _fail("locating file in archive: records are not in a folder")
        self.name = next(iter(self.entries)).split("/", 1)[0]
        if len(folders) > 1:
            self.entries = {n: e for n, e in self.entries.items() if n.startswith(self.name + "/")}

    def _read_directory(self):
        buffer = self.buffer
        tail_start = max(0, len(buffer) - _END.size - 0xFFFF)
        end = bytes(buffer[tail_start:]).rfind(b"PK\5\6")
        if end < 0:
            missing = bytes(buffer[:4]) == b"PK\3\4" and len(buffer) > 64
            _fail(
                "reading zip archive: "
                + ("failed finding central directory" if missing else "not a ZIP archive")
            )
        end += tail_start
        count, _, start = _END.unpack_from(buffer, end)[4:7]
        if end >= _LOCATOR64.size:
            signature, _, end64, _ = _LOCATOR64.unpack_from(buffer, end - _LOCATOR64.size)
            if signature == b"PK\6\7" and end64 + _END64.size <= len(buffer):
                fields = _END64.unpack_from(buffer, end64)
                if fields[0] == b"PK\6\6":
                    count, start = fields[7], fields[9]

        entries = {}
        at = start
        for _ in range(count):
            fields = _CENTRAL.unpack_from(buffer, at)
            if fields[0] != b"PK\1\2":
                _fail("reading zip archive: invalid header or archive is corrupted")
            flags, method, crc, packed, size, name_length, extra_length, comment_length = (
                fields[3],
                fields[4],
                *fields[7:13],
            )
            offset = fields[16]
            at += _CENTRAL.size
            name = bytes(buffer[at : at + name_length]).decode()
            extra = bytes(buffer[at + name_length : at + name_length + extra_length])
            at += name_length + extra_length + comment_length
            if _UINT32_MAX in (packed, size, offset):
                size, packed, offset = _wide_fields(extra, size, packed, offset)
            entries[name] = (offset, packed, size, method, crc, flags)
        return entries

    def names(self):
        """The records' names, without the folder."""
        skip = len(self.name) + 1
        return [name[skip:] for name in self.entries]

    def __contains__(self, name):
        return f"{self.name}/{name}" in self.entries

    def record(self, name, check=False):
        """Returns a record's bytes: a view of the buffer, or a copy if the record is compressed.

        Args:
            name: the record's name.
            check: compare the CRC-32 sum, if there is one.
        """
        try:
            offset, packed, size, method, crc, flags = self.entries[f"{self.name}/{name}"]
        except KeyError:
            raise RuntimeError(f"PytorchStreamReader failed locating file {name}: file not found") from None
        buffer = self.buffer
        if offset + _LOCAL.size > len(buffer):
            _fail(f"reading file {name}: file read failed")
        header = _LOCAL.unpack_from(buffer, offset)
        start = offset + _LOCAL.size + header[9] + header[10]
        if header[0] != b"PK\3\4" or start + packed > len(buffer) or flags & 1:
            _fail(f"reading file {name}: invalid header or archive is corrupted")
        data = buffer[start : start + packed]
        if method == 8:
            unpacker = zlib.decompressobj(-15)
            # One byte more than announced shows a record that is longer; nothing can grow without bound.
            try:
                data = memoryview(unpacker.decompress(data, size + 1))
            except zlib.error:
                _fail(f"reading file {name}: decompression failed or archive is corrupted")
        elif method != 0:
            _fail(f"reading file {name}: unsupported method")
        if len(data) != size:
            _fail(f"reading file {name}: decompression failed or archive is corrupted")
        if check and crc and zlib.crc32(data) != crc:
            _fail(f"reading file {name}: CRC-32 check failed")
        return data


def _wide_fields(extra, size, packed, offset):
    """Replaces the fields that do not fit 32 bits by those of the zip64 extra field."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == 1:
            values = iter(struct.unpack_from(f"<{length // 8}Q", extra, at + 4))
            try:
                size = next(values) if size == _UINT32_MAX else size
                packed = next(values) if packed == _UINT32_MAX else packed
                offset = next(values) if offset == _UINT32_MAX else offset
            except StopIteration:
                _fail("reading zip archive: invalid header or archive is corrupted")
            break
        at += 4 + length
    return size, packed, offset
