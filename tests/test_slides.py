"""The slides: what they take from the notebooks is there, and arrives."""

import re

import pytest
import yaml
from bs4 import BeautifulSoup
from conftest import LECTURE, ROOT, SITE, rendered_pages

SOURCE = (LECTURE / "slides" / "index.qmd").read_text(encoding="utf-8")
SLIDES = re.split(r"^## ", SOURCE, flags=re.M)[1:]
EMBED = re.compile(r"^\{\{< embed /notebooks/(\S+)#(\S+?)( echo=true)? >\}\}$", re.M)
EMBEDS = EMBED.findall(SOURCE)


def test_embeds_name_cells_that_have_something_to_show_each_once(notebooks):
    others = SOURCE.count("{{< var ")
    assert EMBEDS and len(EMBEDS) == SOURCE.count("{{<") - others, "one line an embed"
    assert len({key for _, key, _ in EMBEDS}) == len(EMBEDS), "an id is there once"
    for name, key, echo in EMBEDS:
        [cell] = [c for c in notebooks[name].cells if f"#| label: {key}\n" in c.source]
        assert echo or cell.outputs, f"Quarto stops: {key} has no output to embed"
        images = [o for o in cell.outputs if "image/png" in o.get("data", {})]
        assert len(images) == key.startswith("fig-")


def test_questions_are_those_of_the_quizzes():
    text = (LECTURE / "notebooks" / "quizzes.yml").read_text(encoding="utf-8")
    asked = {
        quiz["question"].strip(): quiz["options"]
        for part in yaml.safe_load(text).values()
        for quiz in part.values()
    }
    slides = [slide for slide in SLIDES if ".quiz" in slide.partition("\n")[0]]
    assert len(slides) >= 5
    for slide in slides:
        [options] = [asked[question] for question in asked if question in slide]
        [right] = [option for option in options if option.get("right")]
        listed = re.findall(r"^\d\. (.+)$", slide, re.M)
        assert listed == [
            f"[{option['text']}]{{.right}}" if option is right else option["text"]
            for option in options
        ]
        assert right["why"].strip() in slide


def test_site_has_every_slide_with_its_figures():
    if not rendered_pages()[0]:
        pytest.skip("made without Quarto: no slide has its figures compared")
    folder = SITE / "slides"
    html = (folder / "index.html").read_text(encoding="utf-8")
    assert "{{<" not in html
    assert str(ROOT) not in html, "a path of this machine"
    sections = BeautifulSoup(html, "html.parser").select("section.slide.level2")
    for slide, section in zip(SLIDES, sections, strict=True):
        images = section("img")
        assert len(images) == slide.count("![") + slide.count("#fig-")
        for image in images:
            assert (folder / image["data-src"]).is_file() and image["alt"]
