"""Documents lead somewhere, and a recorded terminal is read as one would have seen it."""

import re
from pathlib import Path

import pytest

from tools.paths import ROOT
from tools.terminal import screen

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_within_the_documents_leads_to_a_file(page: Path) -> None:
    links = LINK.findall(page.read_text("utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_make_target_that_a_document_names_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for page in PAGES:
        named = set(re.findall(r"(?:`|^ {4})make ([a-z]+)", page.read_text("utf-8"), re.MULTILINE))
        assert named <= targets, page.name


def test_a_bar_that_was_drawn_over_itself_stands_once() -> None:
    said = "one\r\n\x1b[?25lbar 1/2\r\n\r\x1b[2K\x1b[1A\x1b[2K\x1b[32mbar 2/2\x1b[0m\r\nend\r\n"
    assert screen(said) == ["one", "\x1b[32mbar 2/2\x1b[0m", "end", ""]
