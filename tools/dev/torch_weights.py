"""Reads the tensors of a PyTorch file of the legacy form (a pickle stream, then raw storages).

For the scripts beside this one; what a .pth of the zip form holds, kilnc reads itself. Knows only
what a dictionary of f32 and i64 tensors needs and refuses everything else.
"""
import pickle
from collections import OrderedDict

MAGIC = 0x1950A86A20F9469CFC6C


class _Storage:
    def __init__(self, dtype, key, count):
        self.dtype, self.key, self.count = dtype, key, count


class _Tensor:
    def __init__(self, storage, offset, shape, strides, *_):
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides


class _Unpickler(pickle.Unpickler):
    KNOWN = {("collections", "OrderedDict"): OrderedDict,
             ("torch._utils", "_rebuild_tensor_v2"): _Tensor,
             ("torch", "FloatStorage"): "<f4", ("torch", "LongStorage"): "<i8"}

    def find_class(self, module, name):
        if (module, name) not in self.KNOWN:
            raise pickle.UnpicklingError(f"'{module}.{name}' is not allowed")
        return self.KNOWN[module, name]

    def persistent_load(self, pid):
        _, dtype, key, _, count, _ = pid
        return _Storage(dtype, key, count)


def readTorch(path):
    """A dictionary from name to NumPy array (copies)."""
    import numpy as np
    with open(path, "rb") as file:
        if pickle.load(file) != MAGIC:
            raise ValueError(f"'{path}' is no PyTorch file of the legacy form")
        pickle.load(file)
        pickle.load(file)
        tensors = _Unpickler(file).load()
        dtypes = {t.storage.key: t.storage.dtype for t in tensors.values()}
        data = {}
        for key in _Unpickler(file).load():
            dtype = np.dtype(dtypes[key])
            count = int.from_bytes(file.read(8), "little")
            data[key] = np.frombuffer(file.read(count * dtype.itemsize), dtype)
    result = {}
    for name, t in tensors.items():
        flat = data[t.storage.key][t.offset:]
        strides = [s * flat.itemsize for s in t.strides]
        result[name] = np.lib.stride_tricks.as_strided(flat, t.shape, strides).copy()
    return result
