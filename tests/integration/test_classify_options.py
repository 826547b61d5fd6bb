"""The options of `classify`: what they make of a picture, and what is said of wrong ones."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from PIL import Image, ImageOps

from integration.classifiers import classify, write_classifier
from integration.client import Caller, connect
from integration.conftest import StartServer
from integration.digits import png
from models import model_path
from rig import need

pytestmark = pytest.mark.asyncio(loop_scope="module")

DATA = Path(__file__).parents[3] / "shared" / "data"

# The scores of these models are their input: two rows of two pixels of red, green and blue.
SAMPLES = [f"{row}{column}{channel}" for row in "01" for column in "01" for channel in "rgb"]
U8 = {"INPUT": "2x2x3:u8", "TOP": "12"}
F32 = {"INPUT": "2x2x3:f32", "TOP": "12"}
RIGHT: dict[str, tuple[str, Mapping[str, str]]] = {
    "plain": ("u8", U8),
    "crop": ("u8", {**U8, "FIT": "crop"}),
    "pad": ("u8", {**U8, "FIT": "pad"}),
    "two": ("u8", {**U8, "TOP": "2", "MODEL": 'the "two"'}),
    "half": ("u8", {**U8, "THRESHOLD": "0.5"}),
    "floats": ("f32", F32),
    "levels": ("f32", {**F32, "MEAN": "127.5", "SCALE": "1/127.5"}),
    "channels": ("f32", {**F32, "MEAN": "10,20,30", "SCALE": "1, 0.5, 1/4"}),
}
WRONG: dict[str, tuple[str, Mapping[str, str]]] = {
    "input": ("224x224:u8", {}),
    "type": ("2x2x3:i8", {}),
    "zero": ("0x2x3:u8", {}),
    "four": ("2x2x4:u8", {}),
    "endless": ("5000x2x3:u8", {}),
    "fit": ("2x2x3:u8", {"FIT": "squeeze"}),
    "top": ("2x2x3:u8", {"TOP": "0"}),
    "threshold": ("2x2x3:u8", {"THRESHOLD": "50"}),
    "mean": ("2x2x3:f32", {"MEAN": "1,2"}),
    "scale": ("2x2x3:f32", {"SCALE": "1/0"}),
    "bytes": ("2x2x3:u8", {"SCALE": "1/255"}),
    "labels": ("2x2x3:u8", {"LABELS": "/model/names.txt"}),
    "misfit": ("4x4x3:u8", {}),
    "kind": ("2x2x3:f32", {}),
}
INPUT_FORM = (
    "height x width x channels : type of a sample, such as 224x224x3:u8 (channels 1 or 3, type u8 or f32)"
)
TEXT_FORM = "expected a text with one label on each line, in the order of the model's scores"
SAID = {
    "input": f"INPUT: '224x224:u8' is not valid; expected {INPUT_FORM}",
    "type": f"INPUT: '2x2x3:i8' is not valid; expected {INPUT_FORM}",
    "zero": f"INPUT: '0x2x3:u8' is not valid; expected {INPUT_FORM}",
    "four": f"INPUT: '2x2x4:u8' is not valid; expected {INPUT_FORM}",
    "endless": f"INPUT: '5000x2x3:u8' is not valid; expected {INPUT_FORM}",
    "fit": "FIT: 'squeeze' is not valid; expected stretch, crop, pad or ink",
    "top": "TOP: '0' is not valid; expected a whole number, 1 or more",
    "threshold": "THRESHOLD: '50' is not valid; expected a number from 0 to 1",
    "mean": "MEAN: '1,2' is not valid; "
    "expected a number, or one for each of red, green and blue with commas between them",
    "scale": "SCALE: '1/0' is not valid; "
    "expected a number, or one for each of red, green and blue with commas between them",
    "bytes": "MEAN and SCALE: set although INPUT is of type u8, whose samples are passed on unchanged; "
    "expected neither, or an INPUT of type f32",
    "labels": f"LABELS: /model/names.txt: No such file or directory (os error 44); {TEXT_FORM}",
    "misfit": "wasi-nn: set_input: input 0 'picture': has 48 bytes; expected 1x2x2x3:u8, 12 bytes | "
    f"INPUT: 4x4x3:u8 is not the input of the model 'default' (invalid_argument); expected {INPUT_FORM}",
    "kind": "wasi-nn: set_input: input 0 'picture': has 48 bytes; expected 1x2x2x3:u8, 12 bytes | "
    f"INPUT: 2x2x3:f32 is not the input of the model 'default' (invalid_argument); expected {INPUT_FORM}",
    "few": "LABELS: 11 labels don't fit the model's output of 12 bytes; "
    "expected 12 labels for scores as u8, or 3 as f32",
    "none": f"LABELS: /model/labels.txt: is empty; {TEXT_FORM}",
    "latin": f"LABELS: /model/labels.txt: is not UTF-8; {TEXT_FORM}",
    "modelless": "wasi-nn: load_by_name: no model 'default'; expected one that is granted (none is) | "
    "there is no model 'default'; expected it under capabilities.nn.models in function.toml",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def caller(
    start_server: StartServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Caller]:
    """Call the function with every set of options."""
    functions = tmp_path_factory.mktemp("functions")
    model = model_path("reshape-u8")
    for name, (kind, env) in RIGHT.items():
        write_classifier(functions, name, model=model_path(f"reshape-{kind}"), labels=SAMPLES, env=env)
    for name, (taken, env) in WRONG.items():
        write_classifier(functions, name, model=model, labels=SAMPLES, env={"INPUT": taken, **env})
    write_classifier(functions, "few", model=model, labels=SAMPLES[:-1], env=U8)
    write_classifier(functions, "none", model=model, labels=b"\n\n", env=U8)
    write_classifier(functions, "latin", model=model, labels=b"M\xf6we\n" * 12, env=U8)
    write_classifier(functions, "modelless", model=None, labels=SAMPLES, env=U8)
    marked = b"\xef\xbb\xbf" + "\r\n".join([*SAMPLES, "", ""]).encode()
    write_classifier(functions, "windows", model=model, labels=marked, env=U8)
    # A function is loaded at its first call: of these few are called in one run of a test.
    for manifest in functions.glob("*/function.toml"):
        manifest.write_text(manifest.read_text() + "[pool]\nmin = 0\n")
    async with start_server(functions, "--workers", "1") as server, connect(server.address) as channel:
        yield channel


async def samples(caller: Caller, method: str, picture: bytes) -> list[float]:
    """Return what the model gets of a picture: row by row, red, green and blue of each pixel."""
    scores = dict((await classify(caller, method, picture)).labels)
    return [scores[name] for name in SAMPLES]


def quarters(colours: list[tuple[int, ...]], mode: str = "RGB", side: int = 1) -> Image.Image:
    """Return a picture of four squares."""
    picture = Image.frombytes(mode, (2, 2), bytes(level for colour in colours for level in colour))
    return picture.resize((2 * side, 2 * side), Image.Resampling.NEAREST)


COLOURS: list[tuple[int, ...]] = [(255, 0, 51), (0, 102, 204), (10, 20, 30), (200, 100, 50)]
LEVELS = [float(level) for colour in COLOURS for level in colour]


def scaled(levels: list[float]) -> list[float]:
    """Return the scores that bytes count as."""
    return [level / 255 for level in levels]


@pytest.mark.parametrize("method", ["plain", "crop", "pad", "windows"])
async def test_a_picture_that_fits_is_handed_on(caller: Caller, method: str) -> None:
    """Bytes reach the model as they are, row by row, and count from 0 to 1; labels may be of any system."""
    assert await samples(caller, method, png(quarters(COLOURS))) == pytest.approx(scaled(LEVELS))


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("floats", LEVELS),
        ("levels", [(level - 127.5) / 127.5 for level in LEVELS]),
        (
            "channels",
            [
                (level - mean) * scale
                for colour in COLOURS
                for level, mean, scale in zip(colour, (10, 20, 30), (1, 0.5, 0.25), strict=True)
            ],
        ),
    ],
)
async def test_floats_are_shifted_and_scaled(caller: Caller, method: str, expected: list[float]) -> None:
    """A model of floats gets (x - MEAN) * SCALE, for all channels or for each; its scores are what they are."""
    picture = png(quarters(COLOURS))

    assert await samples(caller, method, picture) == pytest.approx(expected, abs=1e-6)


# Four columns of one pixel each, two rows.
STRIP = [(250, 0, 0), (0, 240, 0), (0, 0, 230), (220, 220, 220)]


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("crop", [STRIP[1], STRIP[2]] * 2),
        ("pad", [(125, 120, 0), (110, 110, 225), (0, 0, 0), (0, 0, 0)]),
        ("plain", [(125, 120, 0), (110, 110, 225)] * 2),
    ],
)
async def test_other_proportions_are_fitted(
    caller: Caller, method: str, expected: list[tuple[int, int, int]]
) -> None:
    """`crop` takes the middle, `pad` puts black below and above, `stretch` loses the proportions."""
    picture = Image.frombytes("RGB", (4, 2), bytes(level for colour in STRIP * 2 for level in colour))

    levels = [float(level) for colour in expected for level in colour]
    # Half of a pixel's weight may lie on its neighbours.
    assert await samples(caller, method, png(picture)) == pytest.approx(scaled(levels), abs=0.14)


@pytest.mark.parametrize("orientation", range(1, 9))
async def test_a_photo_is_turned_upright(caller: Caller, orientation: int) -> None:
    """Each of Exif's eight orientations is undone as Pillow undoes it."""
    photo = quarters(COLOURS, side=32)
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    photo.save(file, "JPEG", exif=exif, quality=100, subsampling=0)

    upright = ImageOps.exif_transpose(Image.open(file)).resize((2, 2), Image.Resampling.BILINEAR)
    levels = [float(level) for level in upright.tobytes()]
    assert await samples(caller, "plain", file.getvalue()) == pytest.approx(scaled(levels), abs=0.02)


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (quarters([(9,), (99,), (150,), (255,)], "L"), [9, 9, 9, 99, 99, 99, 150, 150, 150, 255, 255, 255]),
        (
            quarters(
                [(*colour, alpha) for colour, alpha in zip(COLOURS, (255, 0, 51, 204), strict=True)], "RGBA"
            ),
            [255, 0, 51, 255, 255, 255, 206, 208, 210, 211, 131, 91],
        ),
        (quarters([(0, 255), (0, 0), (80, 255), (0, 51)], "LA"), [0] * 3 + [255] * 3 + [80] * 3 + [204] * 3),
    ],
    ids=["grey", "transparent", "grey and transparent"],
)
async def test_a_model_of_colours_gets_any_picture(
    caller: Caller, picture: Image.Image, expected: list[float]
) -> None:
    """Grey counts as three equal colours; what is transparent lies on white."""
    assert await samples(caller, "plain", png(picture)) == pytest.approx(scaled(expected), abs=0.005)


async def test_labels_are_chosen(caller: Caller) -> None:
    """`TOP` bounds how many come, `THRESHOLD` their score, and `MODEL` names the model in the answer."""
    picture = png(quarters(COLOURS))

    two = await classify(caller, "two", picture)
    half = await classify(caller, "half", picture)

    assert (two.model, [label for label, _ in two.labels]) == ('the "two"', ["00r", "01b"])
    assert (half.model, [label for label, _ in half.labels]) == ("default", ["00r", "01b", "11r"])


@pytest.mark.parametrize(("name", "sentence"), SAID.items(), ids=SAID)
async def test_wrong_options_are_told(caller: Caller, name: str, sentence: str) -> None:
    """A wrong option fails the call as a mistake of the function's: the variable, and what was expected."""
    failure = await caller.fail(name, png(quarters(COLOURS)))

    assert (failure.code, failure.reason) == (grpc.StatusCode.INTERNAL, "EXITED")
    assert failure.message == f"function '{name}': exit code 78; it said: {sentence}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def birds(start_server: StartServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Caller]:
    """Call the function with the birds model, as docs/models.md puts it in the digits' place."""
    model = need(
        next(DATA.glob("birds_v1.tflite"), None), "no ../shared/data: it has a model of birds and a picture"
    )
    functions = tmp_path_factory.mktemp("functions")
    labels = (DATA / "birds_v1_labels.txt").read_bytes()
    write_classifier(
        functions,
        "birds",
        model=model,
        labels=labels,
        env={"MODEL": "birds", "INPUT": "224x224x3:u8", "THRESHOLD": "0.1"},
    )
    async with start_server(functions, "--workers", "1") as server, connect(server.address) as channel:
        yield channel


async def test_another_model_takes_the_place(birds: Caller) -> None:
    """A public model of birds names the bird on a photo, far before all others."""
    answer = await classify(birds, "birds", (DATA / "bird.jpg").read_bytes())

    (found,) = answer.labels
    assert (answer.model, found[0]) == ("birds", "Aix galericulata")
    assert found[1] == pytest.approx(193 / 255, abs=5 / 255)
