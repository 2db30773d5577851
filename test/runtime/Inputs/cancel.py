#!/usr/bin/env python3
"""cancel.py LIB.so: cancels calls that would take days, from another thread, and calls again."""
import ctypes
import os
import sys
import threading

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "tools", "dev"))
from kiln_library import Instance  # noqa: E402

FOREVER = 10 ** 15


def main(path):
    for threads in (1, 2):
        model = Instance(path, threads)
        cancel = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(model.model.cancel)
        for name, argument in [("rounds", np.ones(4)), ("words", np.ones((1000, 4)))]:
            want = model.call(name, argument, 3)
            call, _ = model.bind(name, argument, FOREVER)
            # A cancel that comes before the call ends it, too.
            threading.Timer(0.2, cancel, [model.instance]).start()
            try:
                call()
                print("FAIL: the call ended by itself")
            except RuntimeError as error:
                print("ok:", error)
            if not all(map(np.array_equal, want, model.call(name, argument, 3))):
                print("FAIL: the next call gives something else")


main(sys.argv[1])
