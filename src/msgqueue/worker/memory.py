"""Gives memory back that imports have used for a moment."""

import ctypes
import gc


def settle() -> None:
    """Collect, give free memory back, and keep what is left shared with children that are forked.

    Only glibc can give it back: some 9 MB after the imports of a worker.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    gc.freeze()
