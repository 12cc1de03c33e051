"""The four ways to make music, each a panel of form fields that becomes a recipe."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence

from nicegui import ui

from musae_tf.errors import MusaeError, StudioError
from musae_tf.studio.controls import Dice, DropZone, MapView, Recorder, Slider, action, choice, text, value_text
from musae_tf.studio.recipe import AMOUNT, FIELDS, KINDS, GridPiece, Recipe
from musae_tf.studio.service import Service
from musae_tf.verbs.description import Description

Make = Callable[["Panel"], Awaitable[None]]


class Panel(ABC):
    """A panel of the page.

    Args:
        service: of the studio.
        model: as it was when the page was made.
        make: called with the panel when its recipe is to be made.
        fail: called with an error that the user is to see.
    """

    kinds: tuple[str, ...]
    title: str

    def __init__(self, service: Service, model: Description, make: Make, fail: Callable[[MusaeError], None]):
        self.service, self.model = service, model
        self._make, self._fail = make, fail
        self.brought: dict[str, GridPiece] = {}
        self._zones: dict[str, DropZone] = {}
        self.build()

    @abstractmethod
    def build(self) -> None:
        """Make the fields."""

    @abstractmethod
    def recipe(self) -> Recipe:
        """What the fields say.

        Raises:
            StudioError: a field has an impossible value, or a piece is missing.
        """

    @abstractmethod
    def set(self, recipe: Recipe) -> None:
        """Make the fields say what a recipe says."""

    async def make(self) -> None:
        """Have the recipe made."""
        await self._make(self)

    def put(self, place: str, piece: GridPiece) -> None:
        """Take a piece."""
        self.brought[place] = piece
        bars = f"{len(piece.tokens)} bars, {'mostly ' if piece.tempos else ''}{piece.tempo:.4g} bpm"
        self._zones[place].show(
            piece.name, f"{bars}. {piece.losses[0].upper() + piece.losses[1:]}." if piece.losses else bars
        )

    def _zone(self, place: str, label: str) -> None:
        async def arrived(key: str, name: str) -> None:
            try:
                data = self.service.take_file(key)
                self.put(place, await asyncio.to_thread(GridPiece.read, data, name, self.model.layout))
            except StudioError as error:
                self._fail(error)
                return
            await self.piece_arrived()

        def refused(sentence: str) -> None:
            self._fail(StudioError(sentence))

        with ui.element("div").classes("stack"):
            self._zones[place] = DropZone(label, arrived, refused)
            Recorder(label, arrived, refused)

    async def piece_arrived(self) -> None:
        """What to do when a piece was dropped: nothing, if the panel takes none."""
        return

    def _numbers(self, kind: str, texts: Mapping[str, str]) -> dict[str, float]:
        return {name: FIELDS[name].read(name, texts[name]) for name in KINDS[kind]}

    def _need(self, places: Sequence[str], sentence: str) -> None:
        if not all(place in self.brought for place in places):
            raise StudioError(sentence)


class SamplePanel(Panel):
    """New music of a genre."""

    kinds = ("sample",)
    title = "Sample"

    def build(self) -> None:
        """Make the fields."""
        text("p", "New music of a genre, drawn from its part of the latent space.", "lead")
        self.genre = choice("Genre", self.model.genres)
        self.dice = Dice(0.9, "Bars")
        action("Sample", self.make)

    def recipe(self) -> Recipe:
        """What the fields say."""
        return Recipe("sample", self.genre.value, self._numbers("sample", self.dice.texts))

    def set(self, recipe: Recipe) -> None:
        """Show a recipe."""
        self.model.genre_number(recipe.genre)
        self.genre.value = recipe.genre
        self.dice.set(recipe.numbers)


class ChangePanel(Panel):
    """One piece, as the model has it or moved."""

    kinds = ("reconstruct", "transfer", "reshape", "keep")
    title = "Change"

    def build(self) -> None:
        """Make the fields."""
        text("p", "Bring a piece: hear what the model keeps of it, and move it.", "lead")
        self._zone("piece", "Your piece")
        ways = {"reconstruct": "Reconstruct", "transfer": "Transfer"}
        if self.model.attributes is not None:
            ways["reshape"] = "Reshape"
        if "fill" in self.model.signatures:
            ways["keep"] = "As it is"
        self.way = (
            ui.toggle(ways, value="transfer").props('no-caps unelevated spread aria-label="What to do"').classes("ways")
        )
        with ui.element("div").classes("stack").bind_visibility_from(self.way, "value", value="transfer"):
            self.genre = choice("To the genre", self.model.genres, self._again)
            words = "{:.2f}".format
            self.strength = Slider("Strength", FIELDS["strength"], 0.05, words, self._again)
        self.amounts: list[Slider] = []
        if self.model.attributes is not None:
            with ui.element("div").classes("stack").bind_visibility_from(self.way, "value", value="reshape"):
                self.amounts = self._sliders(self.model.attributes.names)
                ui.button("All to 0", on_click=self._level).props("flat dense no-caps").classes("quiet-button")
        with ui.expansion("Bars, temperature, seed").classes("more"):
            self.dice = Dice(0.0, "First bars")
        action("Make", self.make)

    def _sliders(self, names: Sequence[str]) -> list[Slider]:
        """One for each attribute; those of single tracks stay out of the way until they are asked for."""
        found = {}

        def show(some: Sequence[str]) -> None:
            for name in some:
                label = name.replace(":", ": ").capitalize()
                found[name] = Slider(label, AMOUNT, 0.25, "{:+.2f}".format, self._again)

        show([name for name in names if ":" not in name])
        if single := [name for name in names if ":" in name]:
            with ui.expansion("Single tracks").classes("more"), ui.element("div").classes("stack"):
                show(single)
        return [found[name] for name in names]

    def recipe(self) -> Recipe:
        """What the fields say."""
        kind = self.way.value
        texts = {**self.dice.texts, "strength": value_text(self.strength.value)}
        genre = self.genre.value if kind == "transfer" else ""
        amounts = tuple(slider.value for slider in self.amounts) if kind == "reshape" else ()
        self._need(("piece",), "Bring a piece first: a file with notes for the model's tracks.")
        return Recipe(kind, genre, self._numbers(kind, texts), amounts)

    def set(self, recipe: Recipe) -> None:
        """Show a recipe."""
        if recipe.kind == "reshape" and len(recipe.amounts) != len(self.amounts):
            raise StudioError(f"this link has {len(recipe.amounts)} attributes, the model has {len(self.amounts)}")
        if recipe.kind == "transfer":
            self.model.genre_number(recipe.genre)
            self.genre.value = recipe.genre
            self.strength.value = recipe["strength"]
        self.way.value = recipe.kind
        for slider, amount in zip(self.amounts, recipe.amounts, strict=False):
            slider.value = amount
        self.dice.set(recipe.numbers)

    async def piece_arrived(self) -> None:
        """Hear it at once."""
        await self.make()

    async def _again(self) -> None:
        if self.brought:
            await self.make()

    async def _level(self) -> None:
        for slider in self.amounts:
            slider.value = 0.0
        await self._again()


class BetweenPanel(Panel):
    """The way from one piece to another."""

    kinds = ("interpolate",)
    title = "Between"

    def build(self) -> None:
        """Make the fields."""
        text("p", "Bring two pieces, and hear the music on the way from one to the other.", "lead")
        with ui.element("div").classes("pair"):
            self._zone("from", "From")
            self._zone("to", "To")
        self.points = FIELDS["points"].default
        known = FIELDS["at"]._replace(high=self.points - 1)
        self.at = Slider("Where", known, 1, lambda at: f"{at / (self.points - 1):.0%} of the way", self._again)
        with ui.expansion("Bars, temperature, seed").classes("more"):
            self.dice = Dice(0.0, "First bars")
        action("Make", self.make)

    def recipe(self) -> Recipe:
        """What the fields say."""
        self._need(("from", "to"), "Bring two pieces first: two files with notes for the model's tracks.")
        texts = {**self.dice.texts, "points": str(self.points), "at": value_text(self.at.value)}
        return Recipe("interpolate", "", self._numbers("interpolate", texts))

    def set(self, recipe: Recipe) -> None:
        """Show a recipe."""
        self.points = recipe["points"]
        self.at.limit(self.points - 1)
        self.at.value = min(recipe["at"], self.points - 1)
        self.dice.set(recipe.numbers)

    async def piece_arrived(self) -> None:
        """Hear the way as soon as there are two."""
        await self._again()

    async def _again(self) -> None:
        if len(self.brought) == 2:
            await self.make()


class MapPanel(Panel):
    """The plane of the training songs, or of draws of the model."""

    kinds = ("map",)
    title = "Map"

    def build(self) -> None:
        """Make the fields; the map itself is asked for when it is first looked at."""
        dots = "The training songs" if self.model.points_of == "songs" else "Draws of the model for every genre"
        text("p", f"{dots} in the latent space, seen from where the genres lie farthest apart.", "lead")
        self.place = ui.element("div")
        self.picked = {"point": -1, "x": 0.0, "y": 0.0}
        self.asked = False
        with ui.expansion("Temperature, seed").classes("more"):
            self.dice = Dice(0.0, None)

    async def look(self) -> None:
        """Show the map."""
        if self.asked:
            return
        self.asked = True
        try:
            points = await self.service.map()
        except MusaeError as error:
            self.asked = False
            self._fail(error)
            return
        with self.place:
            MapView(self.model, points, self._pick)

    def recipe(self) -> Recipe:
        """What was picked."""
        texts = {**self.dice.texts, **{name: str(value) for name, value in self.picked.items()}}
        return Recipe("map", "", self._numbers("map", texts))

    def set(self, recipe: Recipe) -> None:
        """Show a recipe."""
        self.picked = {name: recipe[name] for name in self.picked}
        self.dice.set(recipe.numbers)

    async def _pick(self, point: int, x: float, y: float) -> None:
        self.picked = {"point": point, "x": round(x, 4), "y": round(y, 4)}
        await self.make()
