"""Which kernels a model's layers run on: those that can be differentiated twice.

torch has not written every derivative of its fused kernels. The one of attention has no second
derivative and no forward mode; the one of weight normalisation has no forward mode, and its second
derivative is wrong; the fast path of `nn.MultiheadAttention` in eval mode has none at all. The same
functions, composed of plain operations, have them all.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from contextvars import ContextVar
from threading import Lock
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.utils.parametrizations import _WeightNorm
from torch.nn.utils.weight_norm import WeightNorm
from torch.overrides import TorchFunctionMode


@contextmanager
def _no_fast_path() -> Iterator[None]:
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


class _Shared:
    """A setting of the whole process that lasts until the last of those inside has left.

    torch keeps it once for all threads: each putting back what it found would end it for others.
    """

    def __init__(self, setting: Callable[[], AbstractContextManager[Any]]) -> None:
        self._setting, self._lock, self._inside, self._held = setting, Lock(), 0, ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._held.enter_context(self._setting())
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._held.close()


_SLOW_PATH = _Shared(_no_fast_path)
_WRITTEN_OUT = _Shared(lambda: sdpa_kernel(SDPBackend.MATH))
_FUSED = ContextVar("fused", default=False)


class _PlainWeightNorm(TorchFunctionMode):
    """g v / |v| by plain operations, in the place of the kernel."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func is torch._weight_norm:
            return _weight_norm(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


def _weight_norm(v: torch.Tensor, g: torch.Tensor, dim: int = 0) -> torch.Tensor:
    others = [axis for axis in range(v.dim()) if axis != dim % v.dim()] if dim != -1 else None
    size: torch.Tensor = torch.linalg.vector_norm(v, dim=others, keepdim=dim != -1)
    return v * (g / size)


def _weight_normed(model: nn.Module) -> bool:
    for module in model.modules():
        if isinstance(module, _WeightNorm):
            return True
        if any(isinstance(hook, WeightNorm) for hook in module._forward_pre_hooks.values()):
            return True
    return False


def of_the_package(model: nn.Module) -> bool:
    """Whether the model is one of this package's own, which write everything out."""
    return type(model).__module__.startswith("landscape.")


@contextmanager
def fused() -> Iterator[None]:
    """Let models take fused kernels inside: for values and first derivatives, not under `vmap`."""
    token = _FUSED.set(True)
    try:
        yield
    finally:
        _FUSED.reset(token)


@contextmanager
def differentiable_kernels(model: nn.Module) -> Iterator[None]:
    """Hold a call of a model to kernels that can be differentiated twice, in both modes.

    Inside `fused` only the fast path of `nn.MultiheadAttention` is closed. Threads may be inside at
    once; the caller's own setting is put back when the last has left.

    >>> with differentiable_kernels(nn.Linear(1, 1)):
    ...     torch.backends.cuda.math_sdp_enabled(), torch.backends.cuda.flash_sdp_enabled()
    (True, False)
    """
    if of_the_package(model):
        yield
        return
    plain = nullcontext() if _FUSED.get() else _WRITTEN_OUT
    normed = not _FUSED.get() and _weight_normed(model)
    with _SLOW_PATH, plain, _PlainWeightNorm() if normed else nullcontext():
        yield
