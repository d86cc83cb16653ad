import base64
import itertools
import re
import shutil
import subprocess
from types import SimpleNamespace

import pytest
import yaml
from bs4 import BeautifulSoup
from conftest import ROOT, load_tool

SLIDES = ROOT / "slides"
SOURCE = (SLIDES / "index.qmd").read_text(encoding="utf-8")
_, HEAD, BODY = re.split(r"^---\n", SOURCE, maxsplit=2, flags=re.M)
EMBED = re.compile(r"^\{\{< embed /notebooks/(\S+)#(\S+?)( echo=true)? >\}\}$", re.M)
NOTES = re.compile(r"^::: \{\.notes\}\n(.*?)^:::$", re.M | re.S)
PARTS = ["start", "data", "model", "training", "testing", "improving", "end"]

# Numbers that a slide may state by itself: the data set, chance, the original lecture's
# test accuracy, the ranges of pixels and probabilities, and sizes of small examples.
# Every other number has to come to the slide with an embedded cell.
FIXED = {"50,000", "10,000", "32", "100", "1%", "44.5%", "964,516"}
FIXED |= {"0", "1", "2", "3", "10", "255", "0.5"}


def slide(source):
    heading, rest = source.split("\n", 1)
    title, classes = re.fullmatch(r"## (.+?) \{(.+)\}", heading).groups()
    visible = EMBED.sub("", NOTES.sub("", rest))
    visible = re.sub(r"^(:{3,}.*|\. \. \.)$", "", visible, flags=re.M)
    visible = re.sub(r"\]\([^)]*\)", "]", visible)
    return SimpleNamespace(
        title=title,
        classes=[name.removeprefix(".") for name in classes.split()],
        text=f"{title}\n{visible}",
        embeds=EMBED.findall(rest),
        notes=NOTES.findall(rest),
        source=source,
    )


DECK = [slide(source) for source in re.split(r"^(?=## )", BODY, flags=re.M)[1:]]
each_slide = pytest.mark.parametrize("slide", DECK, ids=lambda slide: slide.title)
EMBEDS = [embed for slide in DECK for embed in slide.embeds]


def label(cell):
    found = re.search(r"^#\| label: (\S+)$", cell.source, re.M)
    return found and found.group(1)


def names(cell):
    """Return what Quarto accepts as the name of a cell: a label replaces the id."""
    return {label(cell) or cell.id, *cell.metadata.get("tags", [])}


def embedded(notebooks, name, key):
    return [cell for cell in notebooks[name].cells if key in names(cell)]


def texts(cell):
    for output in cell.get("outputs", []):
        yield output.get("text", "")
        yield output.get("data", {}).get("text/plain", "")


def numbers(text):
    return re.findall(r"(?<![\w.,])\d+(?:,\d{3})*(?:\.\d+)?%?", text)


def test_deck_is_a_reveal_presentation_that_needs_no_other_host():
    head = yaml.safe_load(HEAD)
    assert list(head["format"]) == ["revealjs"]
    options = head["format"]["revealjs"]
    assert options["html-math-method"] == "mathml"
    assert options["theme"] == "default"  # others load fonts
    assert head["lang"] == "en"
    assert "Hua Zhou (UCLA, 2023)" in head["author"]
    for name in [*head["filters"], options["css"]]:
        assert (SLIDES / name).is_file()
    for path in SLIDES.iterdir():
        text = path.read_text(encoding="utf-8")
        text = re.sub(r"(?<!!)\[[^]]*\]\(https?:[^)]*\)", "", text)  # ordinary links
        assert not re.search(r"https?:|\burl\(|@import|src=|<script", text), path.name


def test_slides_are_as_many_as_a_lecture_has_and_in_the_order_of_its_parts():
    assert 28 <= len(DECK) <= 36
    assert len({slide.title for slide in DECK}) == len(DECK)
    parts = [name for name, _ in itertools.groupby(slide.classes[0] for slide in DECK)]
    assert parts == PARTS


@each_slide
def test_slide_has_one_heading_and_little_text(slide):
    assert len(re.findall(r"^#+ ", slide.source, re.M)) == 1
    assert len(re.findall(r"[^\W_]+", slide.text)) <= 60
    assert slide.source.count("```") == 0, "code comes from the notebooks"
    assert slide.source.count("{{<") == len(slide.embeds), "one line an embed"
    assert not re.search(r"!\[|<img", slide.source), "figures come from the notebooks"


@each_slide
def test_numbers_on_a_slide_are_fixed_or_come_with_an_embedded_cell(slide, notebooks):
    shown = set(FIXED)
    for name, key, _ in slide.embeds:
        for cell in embedded(notebooks, name, key):
            shown |= {number for text in texts(cell) for number in numbers(text)}
    assert set(numbers(slide.text)) <= shown


@each_slide
def test_speaker_notes_are_short(slide):
    assert len(slide.notes) == 1
    assert len(slide.notes[0].split()) <= 60
    assert set(re.findall(r"\d+(?:\.\d+)?%|\d+\.\d+", slide.notes[0])) <= FIXED


def test_speaker_notes_plan_the_lecture_without_gap():
    planned = re.search(r"The plan for (\d+) minutes: (.*)\.", DECK[0].notes[0])
    spent = dict.fromkeys(PARTS, 0)
    now = 0
    for slide in DECK:
        times = re.match(r"Minutes (\d+) to (\d+)\.", slide.notes[0]).groups()
        start, end = map(int, times)
        assert start == now < end, slide.title
        spent[slide.classes[0]] += end - start
        now = end
    assert now == int(planned.group(1))
    assert planned.group(2) == ", ".join(f"{part} {spent[part]}" for part in PARTS)


@pytest.mark.parametrize(
    ("name", "key", "echo"), EMBEDS, ids=[f"{name}#{key}" for name, key, _ in EMBEDS]
)
def test_embed_names_one_cell_that_has_something_to_show(name, key, echo, notebooks):
    cells = embedded(notebooks, name, key)
    assert len(cells) == 1, "no cell, or more than one, of which Quarto takes the first"
    cell = cells[0]
    assert cell.cell_type == "code"
    assert echo or cell.outputs, "Quarto stops: there is no output to embed"
    for output in cell.outputs:
        assert output.output_type != "error"
    images = [o for o in cell.outputs if "image/png" in o.get("data", {})]
    assert len(images) == (label(cell) or "").startswith("fig-")


def test_no_cell_is_embedded_twice():
    """Each brings its id along, and an id may be on a page only once."""
    keys = [key for _, key, _ in EMBEDS]
    assert len(set(keys)) == len(keys)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """The folder of the deck in a site that Quarto has rendered."""
    quarto = load_tool("render").quarto()
    if quarto is None:
        pytest.skip("Quarto is not at hand: the slides are not rendered")
    project = tmp_path_factory.mktemp("copy") / "project"
    left_out = shutil.ignore_patterns(".*", "_site", "_student", "runs")
    shutil.copytree(ROOT, project, ignore=left_out)
    command = [quarto, "render", "slides/index.qmd"]
    result = subprocess.run(
        command, cwd=project, capture_output=True, text=True, timeout=600
    )
    assert result.returncode == 0, result.stderr
    return project / "_site" / "slides"


def test_quarto_renders_every_slide_with_its_figures_and_outputs(rendered, notebooks):
    html = (rendered / "index.html").read_text(encoding="utf-8")
    soup = BeautifulSoup(html, "html.parser")
    assert soup.html["lang"] == "en"
    sections = soup.select("section.slide.level2")
    assert len(sections) == len(DECK)
    assert "{{<" not in html
    assert str(rendered.parents[1]) not in html, "a path of this machine"
    for slide, section in zip(DECK, sections, strict=True):
        shown = [
            (rendered / image["src"]).read_bytes() for image in section.find_all("img")
        ]
        expected = []
        text = re.sub(r"\s+", " ", section.get_text())
        for name, key, echo in slide.embeds:
            [cell] = embedded(notebooks, name, key)
            for output in cell.outputs:
                if "image/png" in output.get("data", {}):
                    expected.append(base64.b64decode(output.data["image/png"]))
                elif output.output_type == "stream":
                    assert re.sub(r"\s+", " ", output.text).strip() in text
            if echo:
                assert re.sub(r"\s+", " ", cell.source) in text
        assert shown == expected
    for image in soup.find_all("img"):
        assert len(image.get("alt", "")) > 20


def test_quarto_renders_slides_that_need_no_other_host(rendered):
    html = (rendered / "index.html").read_text(encoding="utf-8")
    for tag in BeautifulSoup(html, "html.parser").find_all(["link", "script", "img"]):
        source = tag.get("src") or (tag.get("href") if tag.name == "link" else "") or ""
        assert not re.match(r"https?:|//", source)
        path = rendered / source.split("?")[0]
        if source.endswith(".css"):
            css = path.read_text(encoding="utf-8")
            assert not re.search(r"(@import|url\()\s*['\"(]?\s*(https?:|//)", css)
