"""The map of the latent space, to be clicked."""

from collections.abc import Awaitable, Callable

from nicegui import ui
from nicegui.events import GenericEventArguments

from musae_tf.client import Description, LatentMap


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
