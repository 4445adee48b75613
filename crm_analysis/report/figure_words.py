"""Words inside a figure in the language of the report.

Figures are drawn with English words. A language may have `[figure_words]` in its catalogue, English patterns
with fields in braces on the left: `"revenue ({unit})" = "收入（{unit}）"`. Other words stay as they are.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from crm_analysis.report.text import Catalogue

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def translate(figure: Figure, text: Catalogue) -> None:
    """Replace the words of a figure, in place: titles, labels, legends, annotations, names of ticks."""
    from matplotlib.text import Text
    from matplotlib.ticker import FixedLocator

    if "figure_words" not in text.content:
        return
    for artist in figure.findobj(Text):
        artist.set_text(in_language(artist.get_text(), text))  # type: ignore[attr-defined]
    for axis in (axis for ax in figure.axes for axis in (ax.xaxis, ax.yaxis)):
        # Names given to ticks are written again whenever the figure is drawn.
        if isinstance(axis.get_major_locator(), FixedLocator):
            names = [label.get_text() for label in axis.get_majorticklabels()]
            axis.set_ticklabels([in_language(name, text) for name in names])


def in_language(words: str, text: Catalogue) -> str:
    """`words` by the first pattern that fits them, else as a value of a table, else as they are."""
    for pattern, template in text.content.get("figure_words", {}).items():
        if found := re.fullmatch(_as_expression(pattern), words, re.DOTALL):
            filled = {name: text.value(value) for name, value in found.groupdict().items()}
            return str(template.format(**filled))
    return text.value(words)


def _as_expression(pattern: str) -> str:
    """`"revenue ({unit})"` as a regular expression with a group for each field."""
    literal = re.split(r"\{(\w+)\}", pattern)
    return "".join(
        f"(?P<{part}>.+?)" if position % 2 else re.escape(part) for position, part in enumerate(literal)
    )
