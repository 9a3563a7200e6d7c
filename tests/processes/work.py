"""What a child is asked to do in tests."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from typing import Any

import numpy as np

from edgekit.errors import InputError, MissingExtraError


def double(*arrays: Any, factor: int = 2) -> tuple[Any, list[Any]]:
    return {"factor": factor, "nan": float("nan"), "pid": os.getpid()}, [a * factor for a in arrays]


def end(how: str) -> tuple[Any, list[Any]]:
    if how == "signal":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif how == "native":
        ctypes.string_at(0)
    elif how == "abort":
        os.abort()
    elif how == "bad_alloc":
        sys.stderr.write("terminate called after throwing an instance of 'std::bad_alloc'\n")
        sys.stderr.flush()
        os.abort()
    elif how == "exit":
        os._exit(3)
    elif how == "for ever":
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
        time.sleep(60)
    elif how == "busy":
        while True:
            pass
    elif how == "memory":
        np.ones(1 << 40)
    elif how == "noise":
        print("on stdout", flush=True)
        os.write(1, b"\x05\0\0\0\0\0\0\0hello")
    elif how == "disk":
        raise OSError(28, "No space left on device", "/x")
    elif how == "own":
        raise InputError("m.onnx: is wrong", "do this", code="file-damaged")
    elif how == "extra":
        raise MissingExtraError("this", "onnx", "why")
    elif how == "other":
        raise KeyError("secret\nsecond line")
    return None, []
