"""The slides: what they take from the notebooks is there, and arrives."""

import base64
import re

import pytest
from bs4 import BeautifulSoup
from conftest import ROOT, rendered_pages

SOURCE = (ROOT / "slides" / "index.qmd").read_text(encoding="utf-8")
SLIDES = re.split(r"^## ", SOURCE, flags=re.M)[1:]
EMBED = re.compile(r"^\{\{< embed /notebooks/(\S+)#(\S+?)( echo=true)? >\}\}$", re.M)
EMBEDS = EMBED.findall(SOURCE)


def embedded(notebooks, name, key):
    [cell] = [c for c in notebooks[name].cells if f"#| label: {key}\n" in c.source]
    return cell


def test_embeds_name_cells_that_have_something_to_show_each_once(notebooks):
    assert len(EMBEDS) == SOURCE.count("{{<"), "one line an embed"
    assert len({key for _, key, _ in EMBEDS}) == len(EMBEDS), "an id is there once"
    for name, key, echo in EMBEDS:
        cell = embedded(notebooks, name, key)
        assert echo or cell.outputs, f"Quarto stops: {key} has no output to embed"
        images = [o for o in cell.outputs if "image/png" in o.get("data", {})]
        assert len(images) == key.startswith("fig-")


def test_site_has_every_slide_with_its_figures_and_outputs(notebooks):
    if not rendered_pages()[0]:
        pytest.skip("made without Quarto: no slide has its figures compared")
    folder = ROOT / "_site" / "slides"
    html = (folder / "index.html").read_text(encoding="utf-8")
    soup = BeautifulSoup(html, "html.parser")
    assert "{{<" not in html
    assert str(ROOT) not in html, "a path of this machine"
    sections = soup.select("section.slide.level2")
    for slide, section in zip(SLIDES, sections, strict=True):
        shown = [(folder / i["data-src"]).read_bytes() for i in section("img")]
        text = re.sub(r"\s+", " ", section.get_text())
        for name, key, echo in EMBED.findall(slide):
            cell = embedded(notebooks, name, key)
            for output in cell.outputs:
                if "image/png" in output.get("data", {}):
                    assert base64.b64decode(output.data["image/png"]) in shown
                elif output.output_type == "stream":
                    output = re.sub("\n├.*", "", output.text)  # slides/embed.lua
                    assert re.sub(r"\s+", " ", output).strip() in text
            if echo:
                code = re.sub(r"(?m)^#\|.*\n", "", cell.source)
                assert re.sub(r"\s+", " ", code) in text
        assert all(len(image.get("alt", "")) > 20 for image in section("img"))
