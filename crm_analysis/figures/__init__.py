"""One file per analysis: a tidy table and an Axes in, the Axes out; no model, no file, no seed."""

from __future__ import annotations

from importlib import import_module
from importlib.resources import as_file, files
from typing import Any

FIRM_COLOURS = ("#1f4e79", "#c55a11", "#548235", "#7f6000")
GREY = "0.6"
_CJK = ("Noto Sans CJK SC", "Source Han Sans SC", "Microsoft YaHei", "PingFang SC", "WenQuanYi Micro Hei")


def use_style() -> None:
    """Draw every later figure in the report's style, with a font for Chinese where one is installed."""
    import matplotlib.pyplot as plt
    from matplotlib import font_manager

    with as_file(files(__package__).joinpath("crm.mplstyle")) as style:
        plt.style.use(style)
    installed = set(font_manager.get_font_names())
    plt.rcParams["font.family"] = ["DejaVu Sans", *(name for name in _CJK if name in installed)][:2]


def __getattr__(name: str) -> Any:
    """Return the figures of one analysis: `crm.figures.base` and the like."""
    try:
        return import_module(f"{__name__}.{name}")
    except ModuleNotFoundError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
