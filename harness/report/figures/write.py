"""Writes the figures of a task as SVG, for a publication as PNG too: overview, calibration, losses and forgetting.

Same records, same bytes.
"""

from __future__ import annotations

import contextlib
import gc
import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import processes
from harness.analysis import robustness
from harness.analysis.results import TaskResults
from harness.analysis.sections import Section
from harness.report import calibration as calibration_tables
from harness.report.figures import calibration, forgetting, losses, overview
from harness.report.figures.style import METHOD_COLOURS as METHOD_COLOURS
from harness.report.figures.style import STYLE, families
from harness.store import records

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Drawing = tuple[str, Callable[[], "Figure"]]  # name, and the function that draws it

OVERVIEW = {
    "accuracy": overview.accuracy,
    "accuracy_memory": overview.accuracy_memory,
    "ranks": overview.ranks,
    "memory": overview.memory,
}
NAMES = tuple(OVERVIEW)
# Whether a section has enough for a figure: a single point or a single rank shows nothing that its table does not.
DRAWABLE: dict[str, Callable[[Section], bool]] = {
    "accuracy": lambda section: len(section.headline) > 1,
    "accuracy_memory": lambda section: sum(map(overview.has_memory, section.headline)) > 1,
    "ranks": overview.has_ranks,
    "memory": lambda section: any(map(overview.has_memory, section.headline)),
}
CALIBRATION = "calibration"  # drawn only if answers have a confidence and are right or wrong
LOSSES = "losses"  # drawn only if runs have logged their steps
FORGETTING = "forgetting"  # drawn only if a trained row was asked a probe
PNG_DPI = 160
KINDS = ("svg", "png")  # a picture takes as long as the drawing
SCREEN = ("svg",)  # what the page needs


def write(root: Path, results: TaskResults, kinds: Sequence[str] = KINDS) -> list[Path]:
    """Write `root/figures/<task>/<name>.<kind>` of each figure, each whole or not at all; return the paths.

    A file of another kind is removed, because it may show other runs. Runs that did not finish are marked in the figures.
    Nothing is written for a task without cells. Figures are drawn side by side.
    """
    folder = root / "figures" / records.path_word(results.task)

    def save(drawing: Drawing) -> list[Path]:
        name, draw = drawing
        return write_figure(folder / name, draw, kinds)

    drawings = _drawings(results)
    if drawings:
        _load_libraries()
    return [path for paths in processes.parallel_map(save, drawings) for path in paths]


def write_figure(path: Path, draw: Callable[[], Figure], kinds: Sequence[str] = KINDS) -> list[Path]:
    """Write the figure that `draw` returns to `path` with `.svg` and `.png` appended; return the paths."""
    by_kind = {kind: path.with_name(f"{path.name}.{kind}") for kind in KINDS}
    paths = [
        records.write_bytes(by_kind[kind], content)
        for kind, content in zip(kinds, _figure_files(draw, kinds), strict=True)
    ]
    for kind in set(KINDS).difference(kinds):
        by_kind[kind].unlink(missing_ok=True)
    return paths


def svgs(results: TaskResults) -> dict[str, str]:
    """Return the figures as SVG text by name."""
    texts = {}
    for name, draw in _drawings(results):
        texts[name] = _figure_files(draw, SCREEN)[0].decode()
    return texts


def _drawings(results: TaskResults) -> list[Drawing]:
    """Return the name of each figure and the function that draws it; the caller sets the common style."""
    sections = results.sections
    drawings: list[Drawing] = []
    for name, draw in OVERVIEW.items():
        if drawable := [section for section in sections if DRAWABLE[name](section)]:
            drawings.append((name, partial(draw, results.task, drawable)))
    rows = [(section, calibration_tables.rows(section, results.calibrations)) for section in sections]
    if calibrated := [pair for pair in rows if calibration.best_of_each_method(*pair)]:
        drawings.append((CALIBRATION, partial(calibration.draw, results.task, calibrated)))
    if logged := [section for section in sections if losses.rows(section, results.losses)]:
        drawings.append((LOSSES, partial(losses.draw, results.task, logged, results.losses)))
    changes = [change for change in results.changes if not robustness.is_twin(change)]
    if any(change.learned and change.learned.vs_base and change.difference for change in changes):
        drawings.append((FORGETTING, partial(forgetting.draw, results.task, changes)))
    return drawings


def _load_libraries() -> None:
    """Import what draws, once for all processes."""
    import matplotlib.backends.backend_agg
    import matplotlib.backends.backend_svg
    import matplotlib.figure  # noqa: F401


def _style() -> AbstractContextManager[None]:
    import matplotlib

    style: Any = STYLE | {"font.family": list(families())}
    return matplotlib.rc_context(style)


def _figure_files(draw: Callable[[], Figure], kinds: Sequence[str]) -> list[bytes]:
    """Return a figure as files of these kinds."""
    with _style(), _uncollected():
        figure = draw()
        files = [_bytes(figure, kind) for kind in kinds]
        del figure  # before the collection
        return files


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Pause garbage collection: a sixth of the time of a figure goes into looking for what is free while all is in use."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _bytes(figure: Figure, kind: str) -> bytes:
    metadata = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
    if kind == "svg":
        text = io.StringIO()
        figure.savefig(text, format=kind, dpi=72, metadata=metadata)
        return re.sub(r"[ \t]+\n", "\n", text.getvalue()).encode()
    out = io.BytesIO()
    figure.savefig(out, format=kind, dpi=PNG_DPI, metadata=metadata)
    return out.getvalue()
