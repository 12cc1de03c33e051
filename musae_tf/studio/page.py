"""The page: panels on one side, the result on the other, one line for what goes wrong."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode

from nicegui import ui

from musae_tf.errors import MusaeError
from musae_tf.studio import fills
from musae_tf.studio.controls import PlayerView, text
from musae_tf.studio.editor import Editor
from musae_tf.studio.fills import Fill
from musae_tf.studio.history import History
from musae_tf.studio.panels import BetweenPanel, ChangePanel, MapPanel, Panel, SamplePanel
from musae_tf.studio.recipe import PIECES, GridPiece, Recipe, make
from musae_tf.studio.selection import marked
from musae_tf.studio.service import Result, Service
from musae_tf.verbs.description import Description

CSS = Path(__file__).with_name("studio.css")
PANELS = (SamplePanel, ChangePanel, BetweenPanel, MapPanel)
RETRY_SECONDS = 3.0


class Shown(NamedTuple):
    """What the page shows before anything of it was filled.

    Attributes:
        recipe: how it was made.
        fragment: of its link, with the pieces it was made of.
        note: what its link does not do, if so.
        title: what it is.
    """

    recipe: Recipe
    fragment: str
    note: str
    title: str


class Page:
    """One visitor's page.

    Args:
        service: of the studio.
        query: of the address.
    """

    def __init__(self, service: Service, query: Mapping[str, str]):
        self._service = service
        self._query = query
        self._panels: dict[str, Panel] = {}
        self._request = 0
        self._line: tuple[object, list[Result]] | None = None
        ui.add_css(CSS)
        self._frame()

    def _frame(self) -> None:
        dark = ui.dark_mode(None)
        with ui.element("header").classes("top"):
            with ui.element("div"):
                text("h1", "MusAE studio")
                self._about = text("p", "looking for the model …", "about")
            button = ui.button(icon="contrast", on_click=lambda: self._next_scheme(dark)).props("flat round")
            button.props["aria-label"] = "Light or dark"
            button.tooltip("Light or dark")
        self._alert = text("p", classes="alert").props('role="alert"')
        with ui.element("main").classes("columns"):
            self._left = ui.element("section").classes("controls").props('aria-label="Make music"')
            with ui.element("section").classes("result").props('aria-label="Result"'):
                self._status = text("p", "", "status").props('role="status" aria-live="polite"')
                self._player = PlayerView()
                self._player.on("failure", lambda event: self._alert_with(str(event.args)))
        self._editor = Editor(self._service, self._player, self._edited, self._busy, self._fail)
        self._dark = dark

    def _next_scheme(self, dark: ui.dark_mode) -> None:
        dark.value = {None: True, True: False, False: None}[dark.value]
        ui.run_javascript(f"localStorage.setItem('musae-dark', '{json.dumps(dark.value)}')")

    async def start(self) -> None:
        """Fill the page as soon as the browser and the model are there."""
        await ui.context.client.connected()
        found = await ui.run_javascript("[localStorage.getItem('musae-dark'), location.hash.slice(1)]", timeout=10)
        if found is None:
            return  # the visitor has left
        self._dark.value = json.loads(found[0]) if found[0] in ("true", "false") else None
        self._model = model = await self._find()
        self._about.text = f"{model.name}, version {model.version}: {', '.join(model.layout.names)}"
        with self._left:
            self._build(model)
        self._editor.build(model)
        await self._follow(model, dict(parse_qsl(found[1])))

    async def _find(self) -> Description:
        while True:
            try:
                model = await self._service.model()
            except MusaeError as error:
                self._fail(error)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                self._alert_with("")
                return model

    def _build(self, model: Description) -> None:
        shown = [kind for kind in PANELS if kind is not MapPanel or model.points]
        with ui.tabs().props('no-caps inline-label aria-label="Ways to make music"').classes("tabs") as self._tabs:
            for kind in shown:
                ui.tab(kind.title)
        with ui.tab_panels(self._tabs, value=shown[0].title, animated=False, keep_alive=True).classes("panels"):
            for kind in shown:
                with ui.tab_panel(kind.title):
                    panel = kind(self._service, model, self._make, self._fail)
                self._panels |= dict.fromkeys(kind.kinds, panel)
        latent_map = self._panels.get("map")
        if isinstance(latent_map, MapPanel):
            self._tabs.on_value_change(lambda event: latent_map.look() if event.value == MapPanel.title else None)

    async def _follow(self, model: Description, fragment: Mapping[str, str]) -> None:
        """Make what the address asks for."""
        try:
            recipe = Recipe.from_query(self._query)
            if recipe is None or recipe.kind not in self._panels:
                return
            panel = self._panels[recipe.kind]
            self._tabs.value = panel.title
            panel.set(recipe)
            done = fills.from_text(self._query.get("fills", "[]"), model)
            places = PIECES.get(recipe.kind, ())
            missing = [place for place in places if not fragment.get(place)]
            for place in places:
                if place not in missing:
                    panel.put(place, GridPiece.from_text(fragment[place], model.layout))
        except MusaeError as error:
            self._fail(error)
            return
        if missing:
            self._alert_with("This link does not carry its piece, which is too long for one: bring the file again.")
            return
        await self._make(panel, play=False, done=done)

    async def _make(self, panel: Panel, play: bool = True, done: tuple[Fill, ...] = ()) -> None:
        """Make a panel's recipe, fill what was filled, and show it. Of several at a time only the last one is shown."""
        self._request += 1
        request = self._request
        try:
            recipe = panel.recipe()
            brought = [panel.brought[place] for place in PIECES.get(recipe.kind, ())]
            made = (recipe.at(at=0), brought) if recipe.kind == "interpolate" else None
            if made is not None and self._line is not None and self._line[0] == made:
                result = self._line[1][int(recipe["at"])]
            else:
                self._busy("Making …")
                await self._service.model()
                latent_map = await self._service.map() if recipe.kind == "map" else None
                songs = await make(self._service.musae, recipe, brought, latent_map)
                if request != self._request:
                    return
                results = [
                    self._service.results.add(song, stem(recipe, song.name, at)) for at, song in enumerate(songs)
                ]
                result = results[min(int(recipe.numbers.get("at", 0)), len(results) - 1)]
                self._line = None if made is None else (made, results)
            history = await self._editor.again(result, done)
            if request != self._request:
                return
        except MusaeError as error:
            if request == self._request:
                self._fail(error)
            return
        self._show(recipe, brought, history, play)

    def _show(self, recipe: Recipe, brought: Sequence[GridPiece], history: History, play: bool) -> None:
        bars = int(recipe.numbers.get("bars", 1))
        texts = {place: piece.to_text(bars) for place, piece in zip(PIECES.get(recipe.kind, ()), brought, strict=True)}
        carried = all(texts.values())
        fragment = f"#{urlencode(texts)}" if texts and carried else ""
        notes = [] if carried else ["The link carries all settings but not the piece, which is too long for one."]
        if self._query.get("made", self._model.created) != self._model.created:
            notes.append("The link was made with another version of the model: the music may differ.")
        self._shown = Shown(recipe, fragment, " ".join(notes), title(recipe, history.start.song.name))
        self._editor.history = history
        self._present(play)
        self._query = {}

    def _edited(self, play: bool) -> None:
        """Show what was made of the piece."""
        self._alert_with("")
        self._present(play)

    def _present(self, play: bool) -> None:
        """Show the piece as far as it is filled, and have the address say how it was made.

        What went wrong since this was asked for, with another file for instance, stays to be read.
        """
        history, shown = self._editor.history, self._shown
        if history is None:
            return
        done = history.fills
        query = {"made": self._model.created, **({"fills": fills.to_text(done)} if done else {})}
        address = f"?{shown.recipe.query()}&{urlencode(query)}{shown.fragment}"
        ui.run_javascript(f"history.replaceState(null, '', {json.dumps(address)})")
        words, part = shown.title, None
        if done:
            part = done[-1].selection
            words = f"{words}, {part.words(self._model.layout.names)} filled"
        self._status.text = f"Ready: {words}"
        self._status.classes(replace="unseen")
        song = history.result.song
        filled = None if part is None else marked(part, len(song.tracks), len(song.bars()))
        self._player.show(history.result, words, shown.note, play, filled)
        self._editor.show()

    def _busy(self, words: str) -> None:
        self._status.text = words
        self._status.classes(replace="status")
        self._alert_with("")

    def _fail(self, error: MusaeError) -> None:
        self._alert_with(str(error))

    def _alert_with(self, sentence: str) -> None:
        """Show a sentence about what is wrong; the empty one takes it away."""
        sentence = sentence[:1].upper() + sentence[1:]
        self._alert.text = sentence if not sentence or sentence.endswith(".") else f"{sentence}."
        if sentence:
            self._status.text = ""


def title(recipe: Recipe, name: str) -> str:
    """What a result is, in words."""
    if recipe.kind == "sample":
        return f"{recipe.genre}, {recipe['bars']} bars, seed {recipe['seed']}"
    if recipe.kind == "keep":
        return f"{name}, as it is"
    if recipe.kind == "reconstruct":
        return f"{name}, reconstructed"
    if recipe.kind == "transfer":
        return f"{name} by {recipe['strength']:g}"
    if recipe.kind == "reshape":
        return f"{name}, reshaped"
    if recipe.kind == "interpolate":
        return f"{name}, {recipe['at'] / (recipe['points'] - 1):.0%} of the way"
    return name or f"At {recipe['x']:.2f}, {recipe['y']:.2f} of the map"


def stem(recipe: Recipe, name: str, at: int) -> str:
    """Name of a result's files."""
    if recipe.kind == "sample":
        return f"{recipe.genre}-{recipe['seed']}"
    if recipe.kind == "interpolate":
        return f"{name}-{at + 1}"
    if recipe.kind in ("transfer", "keep"):
        return name
    if recipe.kind == "map" and not name:
        return f"map-{recipe['x']:.2f}-{recipe['y']:.2f}"
    return f"{name}-{recipe.kind}"
