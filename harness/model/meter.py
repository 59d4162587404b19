"""The cost of a phase of a run: seconds, live bytes and resident bytes; and the training peak by part.

On the CPU most of the resident size of a small model is library code, so live tensor bytes are counted. On CUDA the
allocator's own peak is read. The peaks are reset at the start of each phase.
"""

from __future__ import annotations

import contextlib
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.record import Parts, Phase

if TYPE_CHECKING:
    from harness.model.byte_counter import ByteCounter


@dataclass(frozen=True)
class PeakCount:
    """The peak of a counted step in bytes, and the bytes of gradients and optimizer state at that moment."""

    peak: int
    gradients_at_peak: int
    optimizer_at_peak: int


class Meter:
    """A meter of one phase. Code inside the phase may add counted steps; `result` is None until the phase has ended."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.peak_bytes = 0
        self.tokens = 0
        self.excluded_seconds = 0.0
        self.result: Phase | None = None
        self._start = time.perf_counter()
        self._earlier_seconds = 0.0  # of the same phase in processes before, less pauses in this one
        self._earlier_peaks = (0, 0, 0)  # allocated, reserved and resident bytes in processes before

    @contextlib.contextmanager
    def counting(self, model: Any, optimizer: Any = None) -> Iterator[ByteCounter]:
        """A context that counts live bytes; its seconds are excluded from the phase (see `restore`).

        Args:
            model: a model whose weights are live from the start.
            optimizer: its state is live from the start, too.
        """
        from harness.model.byte_counter import ByteCounter

        with ByteCounter(model, optimizer) as counter:
            yield counter
        self.excluded_seconds += counter.seconds
        self.note(counter.peak)

    def restore(self, seconds: float) -> None:
        """Add the seconds of the counted work without the counter, estimated from the other steps."""
        self.excluded_seconds -= min(seconds, self.excluded_seconds)

    def note(self, live_bytes: int) -> None:
        """Set the phase's peak to at least this many bytes (CPU only; CUDA's allocator has its own peak)."""
        self.peak_bytes = max(self.peak_bytes, live_bytes)

    @contextlib.contextmanager
    def pause(self) -> Iterator[None]:
        """Return a context whose seconds are not those of the phase."""
        start = time.perf_counter()
        yield
        self._earlier_seconds -= time.perf_counter() - start

    def seconds(self) -> float:
        """Return the seconds of the phase so far, counted work included."""
        return time.perf_counter() - self._start + self._earlier_seconds

    def peaks(self) -> tuple[int, int, int]:
        """Return peak allocated and reserved bytes on CUDA (zeros on the CPU) and peak resident bytes, in all processes."""
        now = (*cuda_peaks(self.device), resident_peak())
        allocated, reserved, resident = map(max, now, self._earlier_peaks)
        return allocated, reserved, resident

    def state(self) -> dict[str, Any]:
        """Return what was measured so far, for the same phase in another process."""
        return {
            "seconds": self.seconds(),
            "excluded_seconds": self.excluded_seconds,
            "peak_bytes": self.peak_bytes,
            "tokens": self.tokens,
            "peaks": list(self.peaks()),
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from what another process measured; what this one did in the phase before is not counted."""
        reset_peaks(self.device)
        allocated, reserved, resident = state["peaks"]
        self._earlier_peaks = (allocated, reserved, resident)
        self.excluded_seconds, self.tokens = state["excluded_seconds"], state["tokens"]
        self.note(state["peak_bytes"])
        self._start, self._earlier_seconds = time.perf_counter(), state["seconds"]


@contextlib.contextmanager
def phase(device: str) -> Iterator[Meter]:
    """Yield the `Meter` of one phase, the code inside this context; its `result` is set at the end."""
    reset_peaks(device)
    meter = Meter(device)
    try:
        yield meter
    finally:
        seconds = max(0.0, meter.seconds() - meter.excluded_seconds)
        allocated, reserved, resident = meter.peaks()
        meter.result = Phase(
            seconds=seconds,
            peak_bytes=allocated or meter.peak_bytes,
            resident_bytes=resident,
            reserved_bytes=reserved,
            tokens=meter.tokens,
        )


def reset_peaks(device: str) -> None:
    """Reset the peaks of CUDA's allocator, and of the resident size if the kernel allows it (Linux)."""
    if device == "cuda":
        import torch

        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # 5 resets VmHWM, see proc(5)


def cuda_peaks(device: str) -> tuple[int, int]:
    """Return peak allocated and peak reserved bytes since the reset; zeros on other devices. Its work is done then."""
    if device == "cpu":
        return 0, 0
    import torch

    if device == "mps":  # its work is not done when a call returns, and it has no peaks
        torch.mps.synchronize()
        return 0, 0
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved()


def resident_peak() -> int:
    """Return the peak resident bytes of this process since the last reset.

    `VmHWM` is the process's own peak. Without /proc `ru_maxrss` is used, which starts at the parent's value in a child.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def weights_bytes(model: Any) -> int:
    """Return the bytes of a model's weights and buffers, 4-bit weights with their scales."""
    from harness.model.byte_counter import quantization_tensors, storage_bytes

    weights = list(model.parameters())
    extra = [tensor for weight in weights for tensor in quantization_tensors(weight)]
    return storage_bytes([*weights, *extra, *model.buffers()])


def trained_weights(model: Any) -> int:
    """Return the number of trained weights."""
    return sum(weight.numel() for weight in model.parameters() if weight.requires_grad)


def parts(model: Any, counter: ByteCounter | PeakCount, peak_bytes: int) -> Parts:
    """Return a training peak by part: weights, gradients, optimizer state, and all other bytes at that moment.

    The last part is activations and the rest (batch, casts of weights, temporaries).

    Args:
        model: its trained weights are those with `requires_grad`.
        counter: the count of the measured step, with the bytes of gradients and optimizer state at its peak.
        peak_bytes: the peak to split; the counter's own, or the allocator's.
    """
    from harness.model.byte_counter import storage_bytes

    trained = storage_bytes(weight for weight in model.parameters() if weight.requires_grad)
    frozen = weights_bytes(model) - trained
    gradients, state = counter.gradients_at_peak, counter.optimizer_at_peak
    return Parts(
        frozen_weights=frozen,
        trained_weights=trained,
        gradients=gradients,
        optimizer_state=state,
        activations_and_rest=peak_bytes - frozen - trained - gradients - state,
    )
