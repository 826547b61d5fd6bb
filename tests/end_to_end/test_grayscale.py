"""The main job: a picture goes in through a sidecar, and comes out grey."""

from __future__ import annotations

import io

import pytest
from PIL import Image, ImageOps

from end_to_end.app import APP_ID, App
from end_to_end.pictures import encoded, grey_difference, opened, sample

__all__ = []

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "JPEG"])
async def test_a_picture_comes_back_grey(app: App, kind: str) -> None:
    """From another app's sidecar, every kind of picture comes back with the pixels that Pillow makes grey."""
    picture = encoded(sample(), kind)

    reply = await app.invoke("grayscale", picture, headers={"content-type": f"image/{kind.lower()}"})

    assert (reply.status, reply.headers["content-type"]) == (200, "image/png")
    assert opened(reply.body).format == ("GIF" if kind == "GIF" else "PNG")
    assert grey_difference(reply.body, picture) == 0


async def test_a_transparent_picture_keeps_its_alpha(app: App) -> None:
    """What is transparent in a picture is so in the grey one."""
    picture = sample("RGBA")

    reply = await app.invoke("grayscale", encoded(picture, "PNG"))

    assert opened(reply.body).getchannel("A").tobytes() == picture.getchannel("A").tobytes()


@pytest.mark.parametrize("orientation", range(1, 9))
async def test_a_photo_stands_upright(app: App, orientation: int) -> None:
    """A PNG can't say how the camera was held, so a JPEG is turned as Pillow turns it."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    sample().save(file, "JPEG", exif=exif)

    reply = await app.invoke("grayscale", file.getvalue())

    upright = encoded(ImageOps.exif_transpose(opened(file.getvalue())), "PNG")
    assert opened(reply.body).size == opened(upright).size
    assert grey_difference(reply.body, upright) == 0


async def test_the_own_sidecar_will_do(app: App) -> None:
    """A caller beside the app's own sidecar gets the same."""
    picture = encoded(sample(), "PNG")

    reply = await app.sidecar.invoke(APP_ID, "grayscale", picture)

    assert (reply.status, reply.headers["content-type"]) == (200, "image/png")
    assert grey_difference(reply.body, picture) == 0


async def test_a_picture_over_dapr_s_own_limit(app: App) -> None:
    """A picture of more than 4 MiB, the sidecars' limit unless it is raised, comes back grey."""
    picture = encoded(sample().resize((1400, 1200)), "BMP")
    assert len(picture) > 4 << 20

    reply = await app.invoke("grayscale", picture)

    assert grey_difference(reply.body, picture) == 0
