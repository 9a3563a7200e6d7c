"""The device's side of adb, enough for the real client: shells with exit codes, files to and fro.

Written from the protocol's description (AOSP, packages/modules/adb: `protocol.txt`, `SYNC.TXT`, `shell_protocol.h`).
Programs run in this machine's shell. `old` takes away the shell protocol, as before Android 7: no exit codes, and
stderr comes with stdout.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import subprocess
import threading
from pathlib import Path
from queue import Queue
from typing import IO

CNXN, OPEN, OKAY, CLSE, WRTE = (
    int.from_bytes(word, "little") for word in (b"CNXN", b"OPEN", b"OKAY", b"CLSE", b"WRTE")
)
VERSION, MAX_DATA = 0x01000001, 256 * 1024
STDIN, STDOUT, STDERR, EXIT, CLOSE_STDIN = range(5)


class Adbd:
    """Listens on a port of 127.0.0.1 until it is closed."""

    def __init__(self, *, old: bool = False) -> None:
        self.old = old
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._connections: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def serial(self) -> str:
        """What `adb connect` takes and `adb devices` shows."""
        return f"127.0.0.1:{self.port}"

    def unplug(self) -> None:
        """Break every connection."""
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Stop."""
        self.unplug()
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._connections.append(connection)
                threading.Thread(target=_Link(connection, self.old).serve, daemon=True).start()


class _Link:
    """One connection: streams are told apart by their numbers; a message waits for the answer to the one before."""

    def __init__(self, connection: socket.socket, old: bool) -> None:
        self._socket, self._old = connection, old
        self._lock = threading.Lock()
        self._streams: dict[int, _Stream] = {}

    def serve(self) -> None:
        with contextlib.suppress(OSError, EOFError), self._socket:
            while True:
                command, arg0, arg1, length, _, _ = struct.unpack("<6I", self._exactly(24))
                data = self._exactly(length)
                if command == CNXN:
                    features = "" if self._old else "features=shell_v2,cmd"
                    banner = (
                        f"device::ro.product.name=test;ro.product.model=Test_Phone;ro.product.device=test;{features}"
                    )
                    self.send(CNXN, VERSION, MAX_DATA, banner.encode())
                elif command == OPEN:
                    stream = _Stream(self, len(self._streams) + 1, arg0)
                    self._streams[stream.number] = stream
                    threading.Thread(target=stream.open, args=(data.rstrip(b"\0").decode(),), daemon=True).start()
                elif command == WRTE:
                    self.send(OKAY, arg1, arg0)
                    self._streams[arg1].incoming.put(data)
                elif command == OKAY:
                    self._streams[arg1].ready.release()
                elif command == CLSE:
                    self._streams[arg1].incoming.put(None)
        for stream in self._streams.values():
            stream.incoming.put(None)

    def send(self, command: int, arg0: int, arg1: int, data: bytes = b"") -> None:
        header = struct.pack("<6I", command, arg0, arg1, len(data), sum(data) & 0xFFFFFFFF, command ^ 0xFFFFFFFF)
        with self._lock:
            self._socket.sendall(header + data)

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = self._socket.recv(count - len(data))
            if not more:
                raise EOFError
            data += more
        return data


class _Stream:
    def __init__(self, link: _Link, number: int, peer: int) -> None:
        self._link, self.number, self._peer = link, number, peer
        self.incoming: Queue[bytes | None] = Queue()
        self.ready = threading.Semaphore(0)
        self._one_writer = threading.Lock()

    def open(self, service: str) -> None:
        with contextlib.suppress(OSError):
            self._link.send(OKAY, self.number, self._peer)
            self.ready.release()
            if service.startswith("shell"):
                kind, _, command = service.partition(":")
                _Shell(self, command, framed="v2" in kind).run()
            elif service == "sync:":
                _Sync(self).run()
            self._link.send(CLSE, self.number, self._peer)

    def write(self, data: bytes) -> None:
        with self._one_writer:
            for start in range(0, len(data), 64 * 1024):
                self.ready.acquire()
                self._link.send(WRTE, self.number, self._peer, data[start : start + 64 * 1024])


class _Shell:
    def __init__(self, stream: _Stream, command: str, framed: bool) -> None:
        self._stream, self._framed = stream, framed
        # As on a phone: stdin and stdout are one socket, whose end is waited for.
        self._ours, theirs = socket.socketpair()
        with theirs:
            self._child = subprocess.Popen(
                ["sh", "-c", command],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=subprocess.PIPE if framed else theirs.fileno(),
            )

    def run(self) -> None:
        child = self._child
        threading.Thread(target=self._feed, daemon=True).start()
        errors = threading.Thread(target=self._read, args=(child.stderr, STDERR), daemon=True)
        if self._framed:
            errors.start()
        with self._ours:
            while data := self._ours.recv(32 * 1024):
                self._pass_on(data, STDOUT)
            if self._framed:
                errors.join()
                assert child.stderr is not None
                child.stderr.close()
            code = child.wait()
        if self._framed:
            self._stream.write(struct.pack("<BIB", EXIT, 1, code & 0xFF))

    def _read(self, source: IO[bytes], kind: int) -> None:
        with contextlib.suppress(OSError):
            while data := os.read(source.fileno(), 32 * 1024):
                self._pass_on(data, kind)

    def _pass_on(self, data: bytes, kind: int) -> None:
        self._stream.write(struct.pack("<BI", kind, len(data)) + data if self._framed else data)

    def _feed(self) -> None:
        """Pass stdin on; the end of the stream is the end of everything."""
        pending = b""
        with contextlib.suppress(OSError):
            while (data := self._stream.incoming.get()) is not None:
                if not self._framed:
                    self._ours.sendall(data)
                    continue
                pending += data
                while len(pending) >= 5:
                    kind, length = struct.unpack("<BI", pending[:5])
                    if len(pending) < 5 + length:
                        break
                    if kind == STDIN:
                        self._ours.sendall(pending[5 : 5 + length])
                    elif kind == CLOSE_STDIN:
                        self._ours.shutdown(socket.SHUT_WR)
                    pending = pending[5 + length :]
            self._ours.shutdown(socket.SHUT_RDWR)


class _Sync:
    def __init__(self, stream: _Stream) -> None:
        self._stream, self._pending = stream, b""

    def run(self) -> None:
        while True:
            try:
                word, length = struct.unpack("<4sI", self._exactly(8))
            except EOFError:
                return
            if word == b"QUIT":
                return
            argument = self._exactly(length).decode()
            if word == b"STAT":
                self._stat(argument)
            elif word == b"SEND":
                self._receive(argument)
            elif word == b"RECV":
                self._give(argument)
            else:
                self._fail(f"unknown request {word!r}")

    def _stat(self, path: str) -> None:
        try:
            found = os.stat(path)  # noqa: PTH116
            self._stream.write(struct.pack("<4s3I", b"STAT", found.st_mode, found.st_size, int(found.st_mtime)))
        except OSError:
            self._stream.write(struct.pack("<4s3I", b"STAT", 0, 0, 0))

    def _receive(self, argument: str) -> None:
        path = Path(argument.rpartition(",")[0])
        data, problem = b"", ""
        while True:
            word, length = struct.unpack("<4sI", self._exactly(8))
            if word == b"DONE":
                break
            data += self._exactly(length)
        try:
            path.write_bytes(data)
        except OSError as error:
            problem = f"couldn't create file: {error.strerror}"
        if problem:
            self._fail(problem)
        else:
            self._stream.write(struct.pack("<4sI", b"OKAY", 0))

    def _give(self, path: str) -> None:
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            self._fail(error.strerror or "")
            return
        for start in range(0, len(data), 64 * 1024):
            part = data[start : start + 64 * 1024]
            self._stream.write(struct.pack("<4sI", b"DATA", len(part)) + part)
        self._stream.write(struct.pack("<4sI", b"DONE", 0))

    def _fail(self, reason: str) -> None:
        self._stream.write(struct.pack("<4sI", b"FAIL", len(reason.encode())) + reason.encode())

    def _exactly(self, count: int) -> bytes:
        while len(self._pending) < count:
            more = self._stream.incoming.get()
            if more is None:
                raise EOFError
            self._pending += more
        data, self._pending = self._pending[:count], self._pending[count:]
        return data
