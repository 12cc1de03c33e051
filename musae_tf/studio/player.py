"""A result to look at, hear and take away."""

from nicegui import ui

from musae_tf.studio.results import Result


class Player(ui.element, component="player.js"):
    """Piano roll with a moving cursor, play and stop, files and link."""

    def __init__(self):
        super().__init__()
        self._props["result"] = None
        self._props["title"] = ""
        self._props["note"] = ""

    def show(self, result: Result, title: str, note: str, play: bool) -> None:
        """Show a result.

        Args:
            result: the result.
            title: what it is.
            note: what its link does not carry, if so.
            play: whether it is heard at once.
        """
        self._props["result"] = {**result.to_dict(), "play": play}
        self._props["title"] = title
        self._props["note"] = note
        self.update()
