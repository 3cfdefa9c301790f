"""A GPU that is pretended: tensors that say they are on CUDA, for machines without one.

What lies on it is computed by the CPU's own kernels, so that a program gives the same bits as on the CPU if it does the same;
and as on a real one, a tensor of the CPU among those of the device is an error wherever torch would call it one. What it does
not show is whether CUDA has every operation, and gives the same bits twice: that needs a real one.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_map

PRETENDED = torch.device("cuda", 0)
NAME = "a pretended GPU"

# What torch's insides take it for; they make tensors there too.
_INSIDE = torch.device("meta")
_NAMES = {PRETENDED.type, _INSIDE.type}

_aten = torch.ops.aten

# These bring tensors from one device to the other; an index of the CPU may be used everywhere.
_MOVES = {_aten.copy_.default, _aten._to_copy.default, _aten.index.Tensor, _aten.index_put_.default}
_MOVES |= {_aten._index_put_impl_.default, _aten.index_put.default}


class OnDevice(Tensor):
    """One that says it is on the device; *held* is where its numbers are."""

    held: Tensor

    @staticmethod
    def __new__(cls: type[Self], held: Tensor) -> Self:
        made: Self = Tensor._make_wrapper_subclass(
            cls,
            held.shape,
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=_INSIDE,
        )
        return made

    def __init__(self, held: Tensor) -> None:
        self.held = held

    @property
    def device(self) -> torch.device:  # type: ignore[override] # of the instances, where it is of the class
        return PRETENDED

    @property
    def is_meta(self) -> bool:  # type: ignore[override] # as above
        return False

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        made: Tensor = OnDevice(self.held.detach().clone())
        if isinstance(self, nn.Parameter):
            made = nn.Parameter(made, self.requires_grad)
        memo[id(self)] = made
        return made

    @classmethod
    def __torch_dispatch__(  # type: ignore[override] # which torch hints as the function that switches it off
        cls, function: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        return _compute(function, args, dict(kwargs or {}))


class _Pretending(TorchDispatchMode):  # type: ignore[no-untyped-call] # torch leaves it untyped
    """Sends what is made on the device, or brought there, to the same place as what is there."""

    def __torch_dispatch__(
        self, function: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        return _compute(function, args, dict(kwargs or {}))


@contextmanager
def pretended_gpu() -> Iterator[torch.device]:
    """In it `tensor.to(device)` and `torch.zeros(..., device=device)` work with the device that it gives."""
    was, torch.cuda._initialized = torch.cuda._initialized, True  # or torch would look for a driver
    named, torch.cuda.get_device_name = torch.cuda.get_device_name, lambda device=None: NAME  # noqa: ARG005 - torch's own takes it
    # A module's parameters are to become those of the device, and not the old ones with their insides exchanged.
    overwrites = torch.__future__.get_overwrite_module_params_on_conversion()
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    try:
        with _Pretending():  # type: ignore[no-untyped-call] # as above
            yield PRETENDED
    finally:
        torch.cuda.get_device_name = named
        torch.__future__.set_overwrite_module_params_on_conversion(overwrites)
        torch.cuda._initialized = was


def _compute(function: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    given = [one for one in _flat((args, kwargs)) if isinstance(one, Tensor)]
    there = [one for one in given if isinstance(one, OnDevice)]
    wanted = kwargs.get("device")
    is_there = bool(there) if wanted is None else torch.device(wanted).type in _NAMES
    if not there and not is_there:
        return function(*args, **kwargs)
    _refuse_mixtures(function, given, there)
    if is_there and torch.Tag.nondeterministic_seeded in function.tags:
        raise RuntimeError(f"{function} draws random numbers on the device, and no checkpoint holds where it is")
    if wanted is not None:
        kwargs["device"] = torch.device("cpu")
    if function is _aten.copy_.default and not isinstance(args[0], OnDevice):
        return function(args[0], args[1].held)
    held = function(*tree_map(_held, args), **tree_map(_held, kwargs))
    if not is_there:
        return held
    # A conjugate is a note on a tensor that nobody would find on the one which stands for it.
    made = tree_map(lambda one: OnDevice(one.resolve_conj()) if isinstance(one, Tensor) else one, held)
    return return_and_correct_aliasing(function, args, kwargs, made)  # type: ignore[no-untyped-call] # as above


def _refuse_mixtures(function: Any, given: Sequence[Tensor], there: Sequence[Tensor]) -> None:
    if function in _MOVES or len(there) == len(given) or not there:
        return
    strange = [tuple(one.shape) for one in given if not isinstance(one, OnDevice) and one.dim() > 0]
    if strange:
        raise RuntimeError(f"{function}: tensors {strange} are on the CPU, and others are on the device")


def _held(one: Any) -> Any:
    return one.held if isinstance(one, OnDevice) else one


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for one in value.values():
            yield from _flat(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _flat(one)
    else:
        yield value
