"""Bars as SVG, without a library: readable by day and by night, and without colour."""

from collections.abc import Mapping
from html import escape

_WIDTH, _BAR, _GAP, _LEFT, _RIGHT = 720, 22, 10, 190, 110
_OPEN = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img"'
    ' aria-label="{title}">'
)
_RECT = '<rect class="{kind}" x="{x}" y="{y}" width="{width:.1f}" height="{height}" rx="2"/>'
_STYLE = """<style>
text { font: 13px system-ui, sans-serif; fill: #1d2733 }
.note { fill: #5a6775 }
.ours { fill: #0b6e4f }
.theirs { fill: #9aa7b4 }
.span { stroke: #1d2733; stroke-width: 1.5 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .note { fill: #9aa7b4 } .span { stroke: #e6edf3 }
  .ours { fill: #3fb98b } .theirs { fill: #6b7885 }
}
</style>"""


def bars(title: str, unit: str, rounds: Mapping[str, list[float]], ours: str) -> str:
    """A bar a side: its median; the line over it goes from the least to the most of the rounds."""
    most = max(max(values) for values in rounds.values()) or 1.0
    height = 46 + len(rounds) * (_BAR + _GAP)
    parts = [
        _OPEN.format(width=_WIDTH, height=height, title=escape(title)),
        _STYLE,
        f'<text x="0" y="16" font-weight="600">{escape(title)}</text>',
        f'<text x="0" y="34" class="note">{escape(unit)}: median, least and most</text>',
    ]
    for number, (name, values) in enumerate(rounds.items()):
        top = 46 + number * (_BAR + _GAP)
        parts += _bar(name, sorted(values), most, top, "ours" if name == ours else "theirs")
    return "\n".join([*parts, "</svg>"]) + "\n"


def _bar(name: str, values: list[float], most: float, top: int, kind: str) -> list[str]:
    scale = (_WIDTH - _LEFT - _RIGHT) / most
    middle, base = values[len(values) // 2], top + _BAR * 0.7
    left, right = _LEFT + values[0] * scale, _LEFT + values[-1] * scale
    line = top + _BAR / 2
    shown = f"{middle:,.0f}" if middle >= 100 else f"{middle:.1f}"
    return [
        f'<text x="{_LEFT - 10}" y="{base:.0f}" text-anchor="end">{escape(name)}</text>',
        _RECT.format(kind=kind, x=_LEFT, y=top, width=middle * scale, height=_BAR),
        f'<line class="span" x1="{left:.1f}" x2="{right:.1f}" y1="{line}" y2="{line}"/>',
        f'<text x="{max(right, _LEFT) + 8:.0f}" y="{base:.0f}">{shown}</text>',
    ]
