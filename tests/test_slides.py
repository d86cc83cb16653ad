import base64
import itertools
import re
from types import SimpleNamespace

import pytest
from bs4 import BeautifulSoup
from conftest import ROOT, rendered_pages

SOURCE = (ROOT / "slides" / "index.qmd").read_text(encoding="utf-8")
BODY = re.split(r"^---\n", SOURCE, maxsplit=2, flags=re.M)[2]
EMBED = re.compile(r"^\{\{< embed /notebooks/(\S+)#(\S+?)( echo=true)? >\}\}$", re.M)
NOTES = re.compile(r"^::: \{\.notes\}\n(.*?)^:::$", re.M | re.S)
PICTURE = re.compile(r'^!\[\]\(\.\./images/(\S+)\)\{fig-alt="(.{20,})"\}$', re.M)
PARTS = ["start", "data", "model", "training", "testing", "improving", "end"]
WORDS_A_MINUTE = 140  # of somebody who reads aloud


def slide(source):
    heading, rest = source.split("\n", 1)
    title, classes = re.fullmatch(r"## (.+?) \{(.+)\}", heading).groups()
    visible = PICTURE.sub("", EMBED.sub("", NOTES.sub("", rest)))
    visible = re.sub(r"^(:{3,}.*|\. \. \.)$", "", visible, flags=re.M)
    visible = re.sub(r"\]\([^)]*\)", "]", visible)
    return SimpleNamespace(
        title=title,
        part=re.match(r"\.(\w+)", classes)[1],
        counted='visibility="uncounted"' not in classes,
        text=f"{title}\n{visible}",
        embeds=EMBED.findall(rest),
        pictures=PICTURE.findall(rest),
        notes=NOTES.findall(rest),
        source=source,
    )


DECK = [slide(source) for source in re.split(r"^(?=## )", BODY, flags=re.M)[1:]]
LECTURE = [slide for slide in DECK if slide.counted]
each_slide = pytest.mark.parametrize("slide", DECK, ids=lambda slide: slide.title)
EMBEDS = [embed for slide in DECK for embed in slide.embeds]


def embedded(notebooks, name, key):
    return [c for c in notebooks[name].cells if f"#| label: {key}\n" in c.source]


def words(text):
    return re.findall(r"[^\W_]+", text)


def test_lecture_has_few_slides_two_thirds_with_a_picture_and_more_behind_its_end():
    assert len({slide.title for slide in DECK}) == len(DECK)
    assert len(LECTURE) <= 26
    parts = [name for name, _ in itertools.groupby(slide.part for slide in DECK)]
    assert parts == [*PARTS, "more"]
    assert LECTURE == [slide for slide in DECK if slide.part != "more"]
    seen = [slide for slide in LECTURE if slide.pictures or "#fig-" in slide.source]
    assert len(seen) >= len(LECTURE) * 2 / 3


@each_slide
def test_slide_is_short_and_takes_its_code_from_the_notebooks(slide):
    assert len(re.findall(r"^#+ ", slide.source, re.M)) == 1
    assert len(words(slide.text)) <= 60
    assert slide.source.count("```") == 0, "code comes from the notebooks"
    assert slide.source.count("{{<") == len(slide.embeds), "one line an embed"
    assert slide.source.count("![") == len(slide.pictures), "one line a picture"
    [notes] = slide.notes
    assert len(notes.split()) <= 60


def test_speaker_notes_plan_the_lecture_without_gap_and_leave_time_to_speak():
    planned = re.search(r"The plan for (\d+) minutes: (.*)\.", DECK[0].notes[0])
    spent = dict.fromkeys(PARTS, 0)
    now = 0
    for slide in LECTURE:
        [notes] = slide.notes
        start, end = map(int, re.match(r"Minutes (\d+) to (\d+)\.", notes).groups())
        assert start == now < end, slide.title
        activities = sum(map(int, re.findall(r"\((\d+) min\)", notes)))
        spoken = len(words(slide.text + notes)) / WORDS_A_MINUTE
        assert activities + spoken <= end - start, slide.title
        spent[slide.part] += end - start
        now = end
    assert now == int(planned.group(1))
    assert planned.group(2) == ", ".join(f"{part} {spent[part]}" for part in PARTS)


def test_embeds_name_cells_that_have_something_to_show_each_once(notebooks):
    assert len({key for _, key, _ in EMBEDS}) == len(EMBEDS), "an id is there once"
    for name, key, echo in EMBEDS:
        [cell] = embedded(notebooks, name, key)
        assert cell.cell_type == "code"
        assert echo or cell.outputs, f"Quarto stops: {key} has no output to embed"
        assert all(output.output_type != "error" for output in cell.outputs)
        images = [o for o in cell.outputs if "image/png" in o.get("data", {})]
        assert len(images) == key.startswith("fig-")


def test_site_has_every_slide_with_its_figures_and_outputs(notebooks):
    if not rendered_pages()[0]:
        pytest.skip("made without Quarto: no slide has its figures compared")
    folder = ROOT / "_site" / "slides"
    html = (folder / "index.html").read_text(encoding="utf-8")
    soup = BeautifulSoup(html, "html.parser")
    assert soup.html["lang"] == "en"
    sections = soup.select("section.slide.level2")
    assert len(sections) == len(DECK)
    assert "{{<" not in html
    assert str(ROOT) not in html, "a path of this machine"
    for slide, section in zip(DECK, sections, strict=True):
        shown = [(folder / i["data-src"]).read_bytes() for i in section("img")]
        expected = [(ROOT / "images" / name).read_bytes() for name, _ in slide.pictures]
        text = re.sub(r"\s+", " ", section.get_text())
        for name, key, echo in slide.embeds:
            [cell] = embedded(notebooks, name, key)
            for output in cell.outputs:
                if "image/png" in output.get("data", {}):
                    expected.append(base64.b64decode(output.data["image/png"]))
                elif output.output_type == "stream":
                    output = re.sub("\n├.*", "", output.text)  # slides/embed.lua
                    assert re.sub(r"\s+", " ", output).strip() in text
            if echo:
                code = re.sub(r"(?m)^#\|.*\n", "", cell.source)
                assert re.sub(r"\s+", " ", code) in text
        assert shown == expected
    for image in soup.find_all("img"):
        assert len(image.get("alt", "")) > 20
