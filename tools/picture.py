"""Draws the pictures of the README from a real run of the demo (make picture)."""

import re
from html import escape, unescape
from io import StringIO

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from tools.paths import ROOT
from tools.terminal import run, screen

COLUMNS = 120
PICTURES = ROOT / "docs" / "pictures"
OPTIONS = ("up", "--ephemeral", "--demo", "--then-down", "--women", "40")
THEME = TerminalTheme(
    background=(22, 24, 33),
    foreground=(214, 218, 230),
    normal=[
        (60, 64, 80),
        (240, 113, 120),
        (137, 202, 120),
        (229, 192, 123),
        (97, 175, 239),
        (198, 146, 233),
        (86, 192, 194),
        (214, 218, 230),
    ],
)
FORMAT = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">
<style>
.{unique_id}-matrix {{
font-family: "Fira Code", "JetBrains Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
font-size: {char_height}px; line-height: {line_height}px; font-variant-east-asian: full-width;
}}
.{unique_id}-title {{ font-size: 18px; font-family: system-ui, "DejaVu Sans", sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def main() -> None:
    """Run the demo, and draw how it ran and one woman's thread."""
    telar = str(ROOT / ".venv" / "bin" / "telar")
    colours = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "COLUMNS": str(COLUMNS)}
    draw(screen(run((telar, *OPTIONS), COLUMNS, 400, colours)))


def draw(lines: list[str]) -> None:
    """Of the screen at the end: what was started and done, what was checked, and one thread."""
    where, steps, end, thread, flow, checks = (_at(lines, head) for head in _HEADS)
    PICTURES.mkdir(exist_ok=True)
    command = f"$ telar {' '.join(OPTIONS)}"
    ran = [command, *lines[:where], *lines[steps:end], *lines[checks:]]
    _draw("run", "one machine, one command", ran)
    _draw("thread", "the same run: one woman's thread", lines[thread:flow])


_HEADS = (
    "what   ",
    "Programme published",
    " women in ",
    "One woman's thread",
    "The events that ran",
    "What must be true",
)


def _at(lines: list[str], head: str) -> int:
    return next(number for number, line in enumerate(lines) if head in line)


def _draw(name: str, title: str, lines: list[str]) -> None:
    console = Console(
        file=StringIO(), record=True, width=COLUMNS, force_terminal=True, color_system="truecolor"
    )
    text = "\n".join(lines).strip("\n")
    console.print(Text.from_ansi(text), soft_wrap=True, crop=True)
    drawn = console.export_svg(title=title, theme=THEME, code_format=FORMAT, unique_id=name)
    (PICTURES / f"{name}.svg").write_text(_TEXT.sub(_placed, drawn), encoding="utf-8")


_TEXT = re.compile(r'<text class="([^"]+)" x="([0-9.]+)" y="([0-9.]+)" [^>]*>([^<]*)</text>')
_WORDS = re.compile(r"\S+(?: \S+)*")
_LETTER = 12.2
"""The width of a letter in the drawing."""


def _placed(text: re.Match[str]) -> str:
    """Each column of a line where it belongs, whatever a reader of SVG makes of spaces."""
    look, x, y, said = text.groups()
    said = unescape(said).replace("\xa0", " ")
    return "".join(
        f'<text class="{look}" x="{float(x) + words.start() * _LETTER:g}" y="{y}" '
        f'textLength="{len(words[0]) * _LETTER:g}">{escape(words[0])}</text>'
        for words in _WORDS.finditer(said)
    )


if __name__ == "__main__":
    main()
