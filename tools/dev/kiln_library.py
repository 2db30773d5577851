"""Calls a compiled model through its reflective symbol kiln_model_v1 (runtime/kiln.h), by ctypes."""
import ctypes as c

import numpy as np


class Options(c.Structure):
    _fields_ = [("structSize", c.c_uint32), ("threads", c.c_int32), ("error", c.c_char_p),
                ("errorSize", c.c_size_t), ("grow", c.c_int32), ("prefault", c.c_int32),
                ("pin", c.c_int32), ("profile", c.c_int32), ("executor", c.c_void_p),
                ("executorContext", c.c_void_p), ("allocate", c.c_void_p),
                ("deallocate", c.c_void_p), ("allocatorContext", c.c_void_p)]


class Model(c.Structure):
    _fields_ = [("structSize", c.c_uint32), ("abiVersion", c.c_uint32), ("name", c.c_char_p),
                ("version", c.c_char_p), ("numEntries", c.c_int32), ("numMaxima", c.c_int32),
                ("numStates", c.c_int32), ("numTargets", c.c_int32), ("entries", c.c_void_p),
                ("maxima", c.c_void_p), ("states", c.c_void_p), ("targets", c.c_void_p),
                ("weightBytes", c.c_int64),
                ("create", c.CFUNCTYPE(c.c_int32, c.c_void_p, c.POINTER(c.c_void_p))),
                ("call", c.CFUNCTYPE(c.c_int32, c.c_void_p, c.c_int32, c.c_void_p, c.c_void_p)),
                ("lastError", c.CFUNCTYPE(c.c_char_p, c.c_void_p)),
                ("reset", c.c_void_p), ("cancel", c.c_void_p),
                ("destroy", c.CFUNCTYPE(None, c.c_void_p))]


class Library:
    """One instance of a model whose first entry point takes one f32 image and gives f32 logits."""

    def __init__(self, path, threads, batch):
        self.model = Model.in_dll(c.CDLL(path), "kiln_model_v1")
        if self.model.abiVersion != 1:
            raise RuntimeError(f"'{path}': expected ABI version 1, got {self.model.abiVersion}")
        size = c.sizeof(Options) + 8 * self.model.numMaxima
        memory, self.error = c.create_string_buffer(size), c.create_string_buffer(512)
        options = Options.from_buffer(memory)
        options.structSize, options.threads = size, threads
        options.error, options.errorSize = c.cast(self.error, c.c_char_p), len(self.error)
        for index in range(self.model.numMaxima):
            c.c_int64.from_buffer(memory, c.sizeof(Options) + 8 * index).value = batch
        self.instance = c.c_void_p()
        if self.model.create(c.addressof(memory), c.byref(self.instance)):
            raise RuntimeError(f"'{path}': {self.error.value.decode()}")

    def bind(self, image, classes=1000):
        """A function that runs the model on `image` and returns the logits (always one array)."""
        self.image, self.logits = image, np.empty((len(image), classes), np.float32)
        dims = (c.c_int64 * 1)(len(image))
        bufs = (c.c_void_p * 2)(self.image.ctypes.data, self.logits.ctypes.data)

        def call():
            if self.model.call(self.instance, 0, dims, bufs):
                raise RuntimeError(self.model.lastError(self.instance).decode())
            return self.logits

        return call

    def close(self):
        self.model.destroy(self.instance)
