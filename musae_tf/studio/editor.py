"""What can be done to a part of a result: fill it, choose a version, undo and redo."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from nicegui import ui

from musae_tf.errors import MusaeError, MusicError, StudioError
from musae_tf.studio import fills
from musae_tf.studio.controls import PlayerView, text
from musae_tf.studio.fills import AS_IT_IS, MAX_FILLS, TEMPERATURE, Fill
from musae_tf.studio.history import History, Stage, Version
from musae_tf.studio.selection import SelectionView, VersionsView
from musae_tf.studio.service import Result, Service
from musae_tf.verbs.description import Description

UNABLE = (
    "This model cannot fill in parts of a piece: that is for models trained with model.hidden_parts: true, as the "
    "preset voices is."
)

VERSIONS = 4
"""Of every fill."""


class Editor:
    """Fields and buttons below the piano roll.

    Args:
        service: of the studio.
        player: where the results are shown.
        present: called when another result is to be shown, with whether it is heard at once.
        busy: called when something is being made, with what.
        fail: called with an error that the user is to see.

    Attributes:
        history: of the piece that is shown; None before there is one.
    """

    def __init__(
        self,
        service: Service,
        player: PlayerView,
        present: Callable[[bool], None],
        busy: Callable[[str], None],
        fail: Callable[[MusaeError], None],
    ):
        self._service, self._player = service, player
        self._present, self._busy, self._fail = present, busy, fail
        self.history: History | None = None
        self._request = 0
        self._seed = 1
        self._able = False

    def build(self, model: Description) -> None:
        """Make the fields, or say why there are none."""
        self._model = model
        self._able = "fill" in model.signatures
        with self._player:
            if not self._able:
                text("p", UNABLE, "note")
                return
            with ui.element("div").classes("editor").props('role="group" aria-label="Fill"'):
                genres = {AS_IT_IS: "as it is", **{genre: genre for genre in model.genres}}
                self._genre = ui.select(genres, label="New notes", value=AS_IT_IS)
                self._genre.props("outlined dense options-dense behavior=menu")
                self._rhythm = ui.checkbox("Keep rhythm").props("dense")
                button = ui.button("Fill selection", icon="auto_fix_high", on_click=self.fill)
                button.props("unelevated no-caps")
                self._undo = ui.button("Undo", icon="undo", on_click=self._go_back).props("flat no-caps dense")
                self._redo = ui.button("Redo", icon="redo", on_click=self._go_on).props("flat no-caps dense")
            self._versions = VersionsView(self._choose)
        with self._player.add_slot("selecting"):
            self._selecting = SelectionView()

    def show(self) -> None:
        """Show what can be done now."""
        if not self._able or self.history is None:
            return
        done = self.history.fills
        self._selecting.show(self.history.start.key, self.history.result, done[-1].selection if done else None)
        self._versions.show(self.history.stage)
        self._undo.set_enabled(bool(done))
        self._redo.set_enabled(self.history.can_redo)

    async def again(self, result: Result, done: tuple[Fill, ...]) -> History:
        """A history of a link: its fills one after the other.

        Raises:
            MusaeError: a part cannot be filled, or the server cannot be reached.
        """
        history = History(result)
        for fill in done:
            history.add(await self._made(history.result, fill))
        return history

    async def fill(self) -> None:
        """Fill what is selected. Of several at a time only the last one is shown."""
        history = self.history
        if history is None:
            return
        self._request += 1
        request, before = self._request, history.result
        try:
            fill = self._asked(history)
            self._busy("Filling …")
            await self._service.model()
            version = await self._made(before, fill)
            if request != self._request or history is not self.history or history.result is not before:
                return
            stage = history.add(version)
            self._present(True)
            await self._others(stage, before, fill)
        except MusaeError as error:
            if request == self._request:
                self._fail(error)
            return
        if history is self.history:
            self.show()

    async def _others(self, stage: Stage, before: Result, fill: Fill) -> None:
        """The other versions, when the first one is about to be heard."""
        with suppress(MusicError):  # which the player says
            await self._service.results.wav(stage.versions[0].result)
        stage.versions += await asyncio.gather(
            *(self._made(before, fill.version(number)) for number in range(1, VERSIONS))
        )

    def _asked(self, history: History) -> Fill:
        selection = self._selecting.selection
        if selection is None:
            raise StudioError("select what to fill first: drag over bars of the piano roll, or press a track's name")
        if len(history.fills) >= MAX_FILLS:
            raise StudioError(
                f"{MAX_FILLS} parts are filled, the most that a link makes again: bring the MIDI file to go on"
            )
        seed, self._seed = self._seed, self._seed + VERSIONS
        return Fill(selection, bool(self._rhythm.value), str(self._genre.value), TEMPERATURE, seed)

    async def _made(self, before: Result, fill: Fill) -> Version:
        song = await fills.make(self._service.musae, self._model, before.song, fill)
        stem = before.stem if before.stem.endswith("-filled") else f"{before.stem}-filled"
        return Version(fill, self._service.results.add(song, stem))

    def _choose(self, number: int) -> None:
        if self.history is not None:
            self.history.choose(number)
            self._present(True)

    def _go_back(self) -> None:
        if self.history is not None:
            self.history.undo()
            self._present(False)

    def _go_on(self) -> None:
        if self.history is not None:
            self.history.redo()
            self._present(False)
