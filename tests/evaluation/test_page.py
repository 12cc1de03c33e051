"""The page in a browser, if there is one."""

import re

import pytest


@pytest.fixture(scope="module")
def page_file(evaluated_run):
    return evaluated_run.path / "evaluation" / "index.html"


@pytest.fixture
def open_page(browser, page_file):
    """Opens the page without a network; fails if it asked for anything or complained."""
    contexts, asked, complaints = [], [], []

    def open_it(**settings):
        context = browser.new_context(offline=True, **settings)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url[:80]))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(page_file.as_uri(), wait_until="load")
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert [url for url in asked if not url.startswith(("data:", page_file.as_uri()[:80]))] == []
    assert complaints == []


def test_pictures_and_sounds_load_and_play(open_page):
    page = open_page()
    pictures = page.evaluate("[...document.images].map(image => image.complete && image.naturalWidth)")
    assert len(pictures) == 3
    assert all(pictures)
    lengths = page.evaluate(
        """Promise.all([...document.querySelectorAll("audio")].map(audio => new Promise((done, fail) => {
            audio.onerror = () => fail(audio.error.message);
            audio.onloadedmetadata = () => done(audio.duration);
            audio.load();
        })))"""
    )
    assert len(lengths) == page.locator("figure svg").count() > 20
    assert min(lengths) > 2
    first, second = (page.locator("figcaption button").nth(number) for number in (0, 1))
    for button in (first, second):
        button.click()
        page.wait_for_function("[...document.querySelectorAll('audio')].filter(audio => !audio.paused).length == 1")
        assert "playing" in button.get_attribute("class")
    assert "playing" not in (first.get_attribute("class") or "")
    second.click()
    page.wait_for_function("[...document.querySelectorAll('audio')].every(audio => audio.paused)")


def test_it_fits_a_phone_and_knows_dark_and_light(open_page):
    grounds = set()
    for scheme in ("light", "dark"):
        page = open_page(viewport={"width": 390, "height": 800}, color_scheme=scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        grounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(grounds) == 2


def test_every_link_leads_somewhere(open_page):
    page = open_page()
    targets = page.evaluate("[...document.querySelectorAll('nav a')].map(link => link.getAttribute('href'))")
    assert len(targets) == 11
    assert targets[:2] == ["#realism", "#reconstruction"]
    assert page.locator("h2").first.inner_text() == "Is it any good?"
    assert page.locator("#verdict strong").inner_text().startswith("Not yet.")
    assert "train longer" in page.locator("#verdict").inner_text()
    assert all(page.locator(target).count() == 1 for target in targets)


def test_the_file_needs_nothing_else(page_file):
    text = page_file.read_text()
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)""", text)
    assert not re.findall(r"url\(|@import|fetch\(|XMLHttpRequest", text)
    assert len(text) < 8e6
