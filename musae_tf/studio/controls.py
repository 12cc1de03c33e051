"""What the page is made of, with labels that everyone can read or hear: form fields, drop zone, map, player."""

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement
from nicegui.events import GenericEventArguments

from musae_tf.music.reading import SUFFIXES
from musae_tf.studio.recipe import FIELDS, MAX_BYTES, Field
from musae_tf.studio.service import Result
from musae_tf.verbs.description import Description, LatentMap


def text(tag: str, content: str = "", classes: str = "") -> TextElement:
    """An HTML element with text in it, which is never taken for markup."""
    return TextElement(tag=tag, text=content).classes(classes)


def value_text(value: Any) -> str:
    """What stands in a number's field; empty if nothing does."""
    if value is None:
        return ""
    return str(int(value)) if value == int(value) else f"{value:g}"


class Slider(ui.element, component="range.js"):
    """A slider with its name and value above it.

    Args:
        label: its name.
        known: its limits and default.
        step: between two values.
        words: a value in words.
        on_release: called when the user has moved it and let go.
    """

    def __init__(
        self,
        label: str,
        known: Field,
        step: float,
        words: Callable[[float], str],
        on_release: Callable[[], Awaitable[None]] | None = None,
    ):
        super().__init__()
        self._words = words
        self._props["label"], self._props["low"], self._props["step"] = label, known.low, step
        self.limit(known.high)
        self.value = known.default

        async def moved(event: GenericEventArguments) -> None:
            self._props["value"] = event.args
            if on_release is not None:
                await on_release()

        self.on("moved", moved)

    def limit(self, high: float) -> None:
        """Set its right end."""
        low, step = self._props["low"], self._props["step"]
        self._props["high"] = high
        self._props["texts"] = [self._words(low + at * step) for at in range(round((high - low) / step) + 1)]
        self.update()

    @property
    def value(self) -> float:
        """Where it stands."""
        return self._props["value"]

    @value.setter
    def value(self, value: float) -> None:
        self._props["value"] = value
        self.update()


class Dice:
    """Bars, temperature and seed, which every request has.

    Args:
        temperature: to start with.
        bars: label of the number of bars; None for none.
    """

    def __init__(self, temperature: float, bars: str | None):
        self.bars = None
        with ui.element("div").classes("row-of-fields"):
            if bars is not None:
                self.bars = number(bars, FIELDS["bars"])
            self.seed = number("Seed", FIELDS["seed"])
            new = ui.button(icon="casino", on_click=self._new_seed).props('flat round aria-label="New seed"')
            new.tooltip("New seed")
        words = "{:.2f}".format
        self.temperature = Slider("Temperature", FIELDS["temperature"]._replace(default=temperature), 0.05, words)

    @property
    def texts(self) -> dict[str, str]:
        """What the fields say, by name."""
        found = {"temperature": self.temperature.value, "seed": self.seed.value}
        if self.bars is not None:
            found["bars"] = self.bars.value
        return {name: value_text(value) for name, value in found.items()}

    def set(self, numbers: Mapping[str, float]) -> None:
        """Show the numbers of a recipe."""
        if "seed" in numbers:
            self.temperature.value, self.seed.value = numbers["temperature"], numbers["seed"]
        if self.bars is not None:
            self.bars.value = numbers["bars"]

    def _new_seed(self) -> None:
        self.seed.value = secrets.randbelow(100_000)


def number(label: str, known: Field) -> ui.number:
    """A field for a whole number."""
    field = ui.number(label, value=known.default, min=known.low, max=known.high, precision=0, step=1)
    return field.props("outlined dense hide-bottom-space").classes("number")


def choice(label: str, options: Sequence[str], on_change: Callable[[], Any] | None = None) -> ui.select:
    """A list to choose one of."""
    field = ui.select(list(options), label=label, value=options[0], on_change=on_change and (lambda: on_change()))
    return field.props("outlined dense options-dense behavior=menu").classes("choice")


def action(label: str, on_click: Callable[[], Any]) -> ui.button:
    """The button that makes music."""
    return ui.button(label, icon="play_arrow", on_click=on_click).props("unelevated no-caps").classes("action")


class DropZone(ui.element, component="drop_zone.js", esm={"musae-studio": "common"}):
    """A labelled place for one file of music.

    Args:
        label: what the file is for.
        on_file: called with the key under which the file has arrived and its name.
        on_refusal: called with a sentence about a file that is not taken.
    """

    def __init__(self, label: str, on_file: Callable[[str, str], Awaitable[None]], on_refusal: Callable[[str], None]):
        super().__init__()
        self._props["label"] = label
        self._props["accept"] = ",".join((*SUFFIXES, "audio/midi", "audio/x-midi"))
        self._props["limit"] = MAX_BYTES
        self._props["piece"] = None
        _listen(self, on_file, on_refusal)

    def show(self, name: str, facts: str) -> None:
        """Say which piece is in."""
        self._props["piece"] = {"name": name, "facts": facts}
        self.update()


def _listen(
    element: ui.element, on_file: Callable[[str, str], Awaitable[None]], on_refusal: Callable[[str], None]
) -> None:
    async def arrived(event: GenericEventArguments) -> None:
        await on_file(str(event.args["key"]), str(event.args["name"]))

    element.on("file", arrived)
    element.on("refusal", lambda event: on_refusal(str(event.args)))


class MapView(ui.element, component="latent_map.js"):
    """A plane with a dot for each song of the training, or for each draw of the model.

    Args:
        model: the model.
        points: its map.
        on_pick: called with the number of a point, or -1, and the place that was clicked.
    """

    def __init__(self, model: Description, points: LatentMap, on_pick: Callable[[int, float, float], Awaitable[None]]):
        super().__init__()
        self._props["genres"] = list(model.genres)
        self._props["points"] = [
            [round(float(x), 4), round(float(y), 4), int(genre)]
            for (x, y), genre in zip(points.position, points.genre, strict=True)
        ]
        self._props["titles"] = list(points.title)
        self._props["of"] = points.of

        async def picked(event: GenericEventArguments) -> None:
            await on_pick(int(event.args["point"]), float(event.args["x"]), float(event.args["y"]))

        self.on("pick", picked)


class MidiOut(ui.element, component="midi_out.js", esm={"musae-studio": "common"}):
    """Plays what the player plays on a MIDI port of the user's choice."""

    def show(self, result: Result) -> None:
        """Play this result from now on."""
        self._props["address"] = f"/results/{result.key}/{result.stem}.json"
        self.update()


class Recorder(ui.element, component="recorder.js", esm={"musae-studio": "common"}):
    """Makes a file of what is played on a MIDI port of the user's choice.

    Args:
        label: what the file is for.
        on_file: called with the key under which the file has arrived and its name.
        on_refusal: called with a sentence about what cannot be recorded.
    """

    def __init__(self, label: str, on_file: Callable[[str, str], Awaitable[None]], on_refusal: Callable[[str], None]):
        super().__init__()
        self._props["label"] = label
        _listen(self, on_file, on_refusal)


class PlayerView(ui.element, component="player.js"):
    """Piano roll with a moving cursor, play and stop, files and link."""

    def __init__(self) -> None:
        super().__init__()
        self._props["result"] = None
        self._props["title"] = ""
        self._props["note"] = ""
        with self.add_slot("port"):
            self._port = MidiOut()

    def show(self, result: Result, title: str, note: str, play: bool, filled: dict[str, Any] | None) -> None:
        """Show a result.

        Args:
            result: the result.
            title: what it is.
            note: what its link does not carry, if so.
            play: whether it is heard at once.
            filled: the part of it that was written last, from where it is heard: see `selection.marked`; None for none.
        """
        self._props["result"] = {**result.to_dict(), "play": play, "filled": filled}
        self._props["title"] = title
        self._props["note"] = note
        self.update()
        self._port.show(result)
