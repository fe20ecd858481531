"""The page: drop a frame, see its mask over it."""

from __future__ import annotations

import base64

from nicegui import events, ui

from gui import client
from gui.client import Answer

MAX_BYTES = 32 * 2**20
"""The API's own limit: what is over it is not worth sending."""

SHOWN_BY_BROWSERS = ("image/jpeg", "image/png", "image/webp", "image/bmp")


def _legend(answer: Answer) -> None:
    """Each category that occurs, with its colour, name and share of the pixels, the largest first."""
    for row in sorted(answer.shares, key=lambda row: -row.share):
        if row.share > 0:
            with ui.row().classes("items-center gap-2"):
                red, green, blue = row.color
                ui.element("div").classes("w-4 h-4 rounded border").style(f"background: rgb({red}, {green}, {blue})")
                ui.label(f"{row.name} {row.share:.1%}")


def _result(data: bytes, kind: str, answer: Answer) -> None:
    """The image with the mask over it, at any opacity, and what the API says of it."""
    picture = base64.b64encode(data).decode()
    with ui.element("div").classes("relative w-full"):
        ui.element("img").props(f'src="data:{kind};base64,{picture}" alt="the frame"').classes("w-full block")
        mask = ui.element("img").props(f'src="data:image/png;base64,{answer.mask}" alt="its mask"')
        mask.classes("absolute inset-0 w-full h-full").style("opacity: 0.5; image-rendering: pixelated")
    with ui.row().classes("w-full items-center no-wrap"):
        ui.label("Mask")
        slider = ui.slider(min=0, max=1, step=0.01, value=0.5).props('aria-label="opacity of the mask"')
        slider.on_value_change(lambda event: mask.style(f"opacity: {event.value}"))
    with ui.row().classes("gap-4"):
        _legend(answer)
    stages = ", ".join(f"{stage} {spent:.0f} ms" for stage, spent in answer.timings_ms.items())
    ui.label(f"{answer.width} x {answer.height}, {answer.model} on {answer.provider}: {stages}").classes("text-sm")


def register(api: str) -> None:
    """Put the page at `/`.

    Args:
        api: the address of the API that it asks.
    """

    @ui.page("/", title="roadmask")
    def page() -> None:
        async def segment(event: events.UploadEventArguments) -> None:
            data, kind = await event.file.read(), event.file.content_type
            try:
                answer = await client.segment(api, data)
                if kind not in SHOWN_BY_BROWSERS:
                    data, kind = await client.as_jpeg(api, data), "image/jpeg"
            except client.ApiError as error:
                result.clear()
                with result:
                    ui.label(str(error)).classes("text-negative").props("role=alert")
            else:
                result.clear()
                with result:
                    _result(data, kind, answer)
            upload.reset()

        with ui.column().classes("w-full max-w-5xl mx-auto p-4"):
            ui.label("roadmask").classes("text-2xl")
            ui.label("Drop a camera frame and see what the model sees.")
            upload = ui.upload(
                label="Drop an image here, or click +",
                auto_upload=True,
                max_file_size=MAX_BYTES,
                on_upload=segment,
                on_rejected=lambda: ui.notify("One image of at most 32 MiB, please.", type="warning"),
            ).props('accept="image/*"')
            upload.classes("w-full")
            result = ui.column().classes("w-full")
