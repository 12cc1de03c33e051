"""Where a MIDI file is dropped or chosen."""

from collections.abc import Awaitable, Callable

from nicegui import ui
from nicegui.events import GenericEventArguments

from musae_tf.studio.piece import MAX_BYTES


class DropZone(ui.element, component="drop_zone.js"):
    """A labelled place for one MIDI file.

    Args:
        label: what the file is for.
        on_file: called with the key under which the file has arrived and its name.
        on_refusal: called with a sentence about a file that is not taken.
    """

    def __init__(self, label: str, on_file: Callable[[str, str], Awaitable[None]], on_refusal: Callable[[str], None]):
        super().__init__()
        self._props["label"] = label
        self._props["limit"] = MAX_BYTES
        self._props["piece"] = None

        async def arrived(event: GenericEventArguments) -> None:
            await on_file(str(event.args["key"]), str(event.args["name"]))

        self.on("file", arrived)
        self.on("refusal", lambda event: on_refusal(str(event.args)))

    def show(self, name: str, facts: str) -> None:
        """Say which piece is in."""
        self._props["piece"] = {"name": name, "facts": facts}
        self.update()
