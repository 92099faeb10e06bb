"""Finds where a step makes the host wait for its device, without one: the meta device computes nothing and has no values."""

import traceback
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

aten = torch.ops.aten
READS = {aten._local_scalar_dense, aten.is_nonzero, aten.equal, aten.nonzero, aten.masked_select, aten.bincount}
READS |= {aten._unique2, aten.unique_dim, aten.unique_consecutive}
"""Operators whose result, or its shape, depends on values (`item`, `tolist` and `bool` are the first)."""
INDEXED = {aten.index, aten.index_put, aten.index_put_}


class HostWaits(TorchDispatchMode):
    """Collects the operators with which a GPU in the place of the meta device would stop the host, by line of `src`.

    Those are reads of values, copies to the host, and copies from the host that do not say that they need not be waited for.
    """

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if _waits(func._overloadpacket, args, kwargs):
            lines = [
                f"{frame.filename.split('/src/')[-1]}:{frame.lineno}"
                for frame in traceback.extract_stack()
                if "/src/" in frame.filename and "site-packages" not in frame.filename
            ]
            self.found.append(f"{func} at {' < '.join(lines[:-4:-1])}")
            if func._overloadpacket is aten._local_scalar_dense and args[0].is_meta:
                return args[0].new_ones((), device="cpu").item()
        return func(*args, **kwargs)


def _waits(operator: Any, args: Any, kwargs: dict[str, Any]) -> bool:
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    if operator is aten._to_copy:
        target = torch.device(kwargs.get("device") or tensors[0].device)
        return target.type != tensors[0].device.type and not kwargs.get("non_blocking")
    if operator is aten.copy_:
        return tensors[0].is_meta != tensors[1].is_meta and not (args[2:] and args[2])
    by_mask = operator in INDEXED and any(index.dtype == torch.bool for index in tensors[1:])
    return any(tensor.is_meta for tensor in tensors) and (operator in READS or by_mask)
