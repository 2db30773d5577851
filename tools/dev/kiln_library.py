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
                ("reset", c.CFUNCTYPE(c.c_int32, c.c_void_p)), ("cancel", c.c_void_p),
                ("destroy", c.CFUNCTYPE(None, c.c_void_p)),
                ("stateGet", c.CFUNCTYPE(c.c_int32, c.c_void_p, c.c_void_p, c.POINTER(c.c_size_t))),
                ("stateSet", c.CFUNCTYPE(c.c_int32, c.c_void_p, c.c_void_p, c.c_size_t))]


class Extent(c.Structure):
    _fields_ = [("value", c.c_int64), ("formula", c.CFUNCTYPE(c.c_int64, c.POINTER(c.c_int64))),
                ("text", c.c_char_p)]


class Tensor(c.Structure):
    _fields_ = [("name", c.c_char_p), ("dtype", c.c_int32), ("rank", c.c_int32),
                ("shape", c.POINTER(Extent))]

    def array(self, dims):
        """An empty array of the shape that the tensor has in a call."""
        extents = [e.formula(dims) if e.formula else e.value for e in self.shape[:self.rank]]
        return np.empty(extents, TYPES[self.dtype])


class Dimension(c.Structure):
    _fields_ = [("name", c.c_char_p), ("lower", c.c_int64), ("upper", c.c_int64),
                ("maxIndex", c.c_int32), ("isData", c.c_int32), ("most", Extent)]


class Entry(c.Structure):
    _fields_ = [("name", c.c_char_p), ("numDimensions", c.c_int32), ("numArguments", c.c_int32),
                ("numResults", c.c_int32), ("numChecks", c.c_int32), ("numLaunches", c.c_int32),
                ("numLimits", c.c_int32), ("dimensions", c.POINTER(Dimension)),
                ("arguments", c.POINTER(Tensor)), ("results", c.POINTER(Tensor)),
                ("checks", c.c_void_p), ("launches", c.c_void_p), ("arenaBytes", Extent),
                ("limits", c.c_void_p)]


class State(c.Structure):
    _fields_ = [("name", c.c_char_p), ("bytes", c.c_int64)]


# By the numbers of kiln.h; None: numpy has no such type.
TYPES = ["f8", "f4", "f2", None, None, None, "i8", "i4", "i2", "i1", "u1", "?"]
Allocate = c.CFUNCTYPE(c.c_void_p, c.c_void_p, c.c_size_t, c.c_size_t)
Deallocate = c.CFUNCTYPE(None, c.c_void_p, c.c_void_p, c.c_size_t)


class Instance:
    """One instance of any model, whose entry points are called by name with arrays."""

    def __init__(self, path, threads=1, allocator=None, maxima={}):
        """allocator: a pair of an Allocate and a Deallocate; maxima: bounds of dimensions, by name."""
        self.model = Model.in_dll(c.CDLL(path), "kiln_model_v1")
        size = c.sizeof(Options) + 8 * self.model.numMaxima
        memory, error = c.create_string_buffer(size), c.create_string_buffer(512)
        options = Options.from_buffer(memory)
        options.structSize, options.threads = size, threads
        options.error, options.errorSize = c.cast(error, c.c_char_p), len(error)
        if allocator:
            self.kept = allocator
            options.allocate, options.deallocate = [c.cast(f, c.c_void_p).value for f in allocator]
        names = c.cast(self.model.maxima, c.POINTER(c.c_char_p))
        for index in range(self.model.numMaxima):
            maximum = c.c_int64.from_buffer(memory, c.sizeof(Options) + 8 * index)
            maximum.value = maxima.get(names[index].decode(), 0)
        self.instance = c.c_void_p()
        if self.model.create(c.addressof(memory), c.byref(self.instance)):
            raise RuntimeError(f"'{path}': {error.value.decode()}")
        entries = c.cast(self.model.entries, c.POINTER(Entry))
        self.entries = {entries[i].name.decode(): (i, entries[i]) for i in range(self.model.numEntries)}

    def check(self, status):
        if status:
            raise RuntimeError(f"status {status}: {self.model.lastError(self.instance).decode()}")

    def bind(self, name, *arguments):
        """A function that calls the entry point with these arrays, and its results (always the same arrays)."""
        index, entry = self.entries[name]
        names = [entry.dimensions[i].name.decode() for i in range(entry.numDimensions)]
        dims = (c.c_int64 * max(1, len(names)))()
        given = []
        for tensor, value in zip(entry.arguments[:entry.numArguments], arguments, strict=True):
            given.append(np.array(value, TYPES[tensor.dtype], order="C"))
            for extent, size in zip(tensor.shape[:tensor.rank], given[-1].shape, strict=True):
                if extent.formula and extent.text.decode() in names:
                    dims[names.index(extent.text.decode())] = size
        for tensor, value in zip(entry.arguments[:entry.numArguments], given):
            if tensor.array(dims).shape != value.shape:
                raise ValueError(f"'{tensor.name.decode()}': expected {tensor.array(dims).shape}, got {value.shape}")
        open_dims = [i for i in range(len(names)) if entry.dimensions[i].isData]
        for i in open_dims:  # as much room as any call needs
            most = entry.dimensions[i].most
            dims[i] = most.formula(dims) if most.formula else most.value
        results = [tensor.array(dims) for tensor in entry.results[:entry.numResults]]
        counts = [np.zeros((), "i8") for _ in open_dims]
        arrays = given + results + counts
        bufs = (c.c_void_p * len(arrays))(*[a.ctypes.data for a in arrays])

        def call():
            self.check(self.model.call(self.instance, index, dims, bufs))
        call.arrays, call.counts = arrays, dict(zip(open_dims, counts))  # alive as long as the call, which writes them
        call.dims, call.tensors = dims, entry.results[:entry.numResults]
        return call, results

    def call(self, name, *arguments):
        call, results = self.bind(name, *arguments)
        call()
        for i, count in call.counts.items():
            call.dims[i] = count
        if call.counts:  # what is found lies in front
            shapes = [tensor.array(call.dims).shape for tensor in call.tensors]
            results = [a.reshape(-1)[:np.prod(shape, dtype=int)].reshape(shape) for a, shape in zip(results, shapes)]
        return results[0] if len(results) == 1 else results

    def states(self):
        """Names and sizes in bytes, in the order of state() and set_state()."""
        states = c.cast(self.model.states, c.POINTER(State))
        return [(s.name.decode(), s.bytes) for s in states[:self.model.numStates]]

    def reset(self):
        self.check(self.model.reset(self.instance))

    def state(self):
        size = c.c_size_t()
        self.model.stateGet(self.instance, None, c.byref(size))
        data = c.create_string_buffer(size.value)
        self.check(self.model.stateGet(self.instance, data, c.byref(size)))
        return data.raw

    def set_state(self, data):
        self.check(self.model.stateSet(self.instance, data, len(data)))

    def close(self):
        self.model.destroy(self.instance)


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
