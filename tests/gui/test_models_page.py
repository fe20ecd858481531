"""The models page in a real browser, in front of an API with a toy model, its opposite, and a broken file."""

from __future__ import annotations

import io
import itertools
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from gui.numerals import percent
from gui.palettes import CITYSCAPES
from gui.panes import VERDICTS
from gui.texts import shell as shell_texts
from gui.texts.models import ENGLISH, FRENCH
from runtime import contract
from runtime.contract import Contract

Frames = Callable[..., np.ndarray]

ACCURACY = {
    "cityscapes": {"frames": 1500, "mean_iou": 0.7512, "accuracy": 0.9345, "iou": {"flat": 0.9681, "human": 0.5527}},
    "camvid": {"frames": 101, "mean_iou": 0.8211, "accuracy": 0.9512, "iou": {"flat": 0.9733}},
}


@pytest.fixture(scope="module")
def darkest(tmp_path_factory: pytest.TempPathFactory, toy_folder: Path) -> Path:
    """A model that takes the darkest channel where the toy model takes the brightest."""
    import onnx

    model = onnx.load(toy_folder / "accurate-fp32.onnx")
    next(node for node in model.graph.node if node.op_type == "ArgMax").op_type = "ArgMin"
    made = Contract("fp32", run={"seed": 7, "note": "<b>5 & 6</b>"}, data=("streets",), accuracy=ACCURACY, gmac=4.25)
    onnx.helper.set_model_props(model, {contract.KEY: made.to_json()})
    path = tmp_path_factory.mktemp("other") / "darkest-fp32.onnx"
    onnx.save(model, path)
    return path


@dataclass(frozen=True)
class Lab:
    """An API with the toy model as its default and another, which nobody asked for yet, and the page in front of it."""

    api: str
    site: str
    folder: Path
    other: str = ""
    """The other one's file stem."""

    def states(self) -> dict[str, str]:
        return {row["name"]: row["state"] for row in httpx.post(self.api + "/v2/repository/index").json()}


@pytest.fixture(scope="module")
def shared_lab(launch: Callable[..., str], toy_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    folder = tmp_path_factory.mktemp("several")
    shutil.copy(toy_folder / "accurate-fp32.onnx", folder)
    api = launch("api", "--models", str(folder), ROADMASK_ADMIN="1")
    return Lab(api, launch("gui", "--api", api), folder)


NUMBERS = itertools.count()


@pytest.fixture
def lab(shared_lab: Lab, darkest: Path) -> Iterator[Lab]:
    """With a name for the other that no test has used: what was loaded once is told apart from what never was."""
    other = f"darkest{next(NUMBERS)}-fp32"
    path = shared_lab.folder / f"{other}.onnx"
    shutil.copy(darkest, path)
    yield replace(shared_lab, other=other)
    path.unlink()
    httpx.post(f"{shared_lab.api}/v2/repository/models/{other}/unload")


def encode(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def give(page: Page, pixels: np.ndarray) -> None:
    given = {"name": "street.png", "mimeType": "image/png", "buffer": encode(pixels)}
    page.get_by_role("group", name=ENGLISH.pair_image, exact=True).locator("input[type=file]").set_input_files(given)


def row_of(page: Page, name: str) -> Locator:
    return page.get_by_role("list", name=ENGLISH.title).get_by_role("listitem").filter(has_text=name)


def card_of(page: Page, name: str) -> Locator:
    return page.locator(".rm-model").filter(has=page.get_by_role("heading", name=name))


def shown(page: Page, key: str) -> np.ndarray:
    """uint8 H x W x 4 of a picture, as the browser has it."""
    read = """canvas => {
        const { width, height } = canvas;
        return [height, width, [...canvas.getContext("2d").getImageData(0, 0, width, height).data]];
    }"""
    height, width, values = page.locator(f"canvas[data-pane={key}]").evaluate(read)
    return np.array(values, np.uint8).reshape(height, width, 4)


def mask_of(lab: Lab, model: str, pixels: np.ndarray) -> np.ndarray:
    answer = httpx.post(f"{lab.api}/segment?model={model}&format=npy", content=encode(pixels))
    return np.load(io.BytesIO(answer.content))


def test_models_are_listed_and_only_a_click_loads_one(visit: Callable[..., Page], lab: Lab):
    page = visit("/models", base=lab.site)
    expect(row_of(page, "accurate-fp32")).to_contain_text(ENGLISH.is_default)
    expect(row_of(page, "accurate-fp32").get_by_text(ENGLISH.loaded, exact=True)).to_be_visible()
    expect(row_of(page, lab.other).get_by_text(ENGLISH.not_loaded, exact=True)).to_be_visible()
    expect(page.get_by_text(ENGLISH.load_hint)).to_be_visible()
    expect(page.locator(".rm-model")).to_have_count(1)
    assert lab.states() == {"accurate-fp32": "READY", lab.other: "UNAVAILABLE"}
    expect(page.get_by_role("button", name=ENGLISH.load_label.format(model="accurate-fp32"))).to_have_count(0)
    page.get_by_role("button", name=ENGLISH.load_label.format(model=lab.other)).click()
    expect(row_of(page, lab.other).get_by_text(ENGLISH.loaded, exact=True)).to_be_visible()
    assert lab.states()[lab.other] == "READY"
    expect(page.locator(".rm-model")).to_have_count(2)
    expect(page.locator(".rm-model").first.get_by_role("heading", level=2)).to_contain_text("accurate-fp32")


@pytest.fixture
def broken(shared_lab: Lab) -> Iterator[None]:
    """A file that is no model, for one test."""
    path = shared_lab.folder / "broken-fp32.onnx"
    path.write_bytes(b"no model")
    yield
    path.unlink()


@pytest.mark.usefixtures("broken")
def test_a_file_that_cannot_be_loaded_tells_why(visit: Callable[..., Page], lab: Lab):
    page = visit("/models", base=lab.site)
    page.get_by_role("button", name=ENGLISH.load_label.format(model="broken-fp32")).click()
    expect(page.get_by_role("alert").get_by_text("can't be loaded")).to_be_visible()
    expect(page.get_by_text(shell_texts.ENGLISH.retrying)).to_have_count(0)
    expect(row_of(page, "broken-fp32").get_by_text(ENGLISH.failed, exact=True)).to_be_visible()
    reasons = [row["reason"] for row in httpx.post(lab.api + "/v2/repository/index").json()]
    reason = next(reason for reason in reasons if reason)
    expect(row_of(page, "broken-fp32").get_by_text(reason)).to_be_visible()
    page.get_by_role("combobox", name=ENGLISH.first).click()
    expect(page.get_by_role("option")).to_have_count(2)  # it is none to choose


def test_a_model_that_was_unloaded_is_told_so_and_not_offered(visit: Callable[..., Page], lab: Lab):
    assert httpx.post(f"{lab.api}/v2/repository/models/{lab.other}/unload").is_success
    page = visit("/models", base=lab.site)
    expect(row_of(page, lab.other).get_by_text(ENGLISH.unloaded, exact=True)).to_be_visible()
    expect(page.get_by_text(ENGLISH.failed)).to_have_count(0)
    expect(row_of(page, lab.other).get_by_role("button")).to_have_count(0)
    expect(page.get_by_text(ENGLISH.pair_alone)).to_be_visible()


def test_a_loaded_model_tells_its_contract_its_accuracy_and_how_it_runs(visit: Callable[..., Page], lab: Lab):
    page = visit("/models", base=lab.site)
    expect(card_of(page, "accurate-fp32").get_by_text(ENGLISH.accuracy_none)).to_be_visible()
    # Loaded by somebody else: it shows up by itself.
    told = httpx.get(f"{lab.api}/model?model={lab.other}").json()
    card = card_of(page, lab.other)
    expect(card).to_be_visible(timeout=15_000)

    facts = dict(
        zip(card.locator("dt").all_text_contents(), card.locator("dd").all_text_contents(), strict=True),
    )
    assert facts[ENGLISH.provider] == "cpu"
    assert facts[ENGLISH.threads] == str(told["threads"])
    assert facts[ENGLISH.version] == told["version"]
    assert facts[ENGLISH.nodes] == f"cpu: {told['nodes']['cpu']}"
    assert facts[ENGLISH.precision] == "fp32"
    assert facts[ENGLISH.data] == "streets"
    assert facts[ENGLISH.gmac] == "4.25 GMAC"
    assert facts["seed"] == "7"
    assert facts["note"] == "<b>5 & 6</b>", "a file's words are no HTML"
    assert "524,288" in facts[ENGLISH.geometry]
    categories = card.locator(".rm-swatches li")
    expect(categories).to_have_count(8)

    expect(card.locator("thead")).to_have_text(f"{ENGLISH.category}cityscapescamvid")
    wanted = [
        f"flat{percent(0.9681, 'en')}{percent(0.9733, 'en')}",
        f"human{percent(0.5527, 'en')}{percent(None, 'en')}",
        f"{ENGLISH.mean_iou}{percent(0.7512, 'en')}{percent(0.8211, 'en')}",
        f"{ENGLISH.pixels_right}{percent(0.9345, 'en')}{percent(0.9512, 'en')}",
        f"{ENGLISH.frames}1,500101",
    ]
    assert card.locator("tbody tr").all_text_contents() == wanted


def test_two_models_on_one_image_differ_where_their_masks_do(visit: Callable[..., Page], lab: Lab, noise: Frames):
    page = visit("/models", base=lab.site)
    # A grey strip is the same to both: all channels alike, the first one counts.
    pixels = noise()
    pixels[10:20] = pixels[10:20, :, :1]
    page.get_by_role("combobox", name=ENGLISH.second).click()
    page.get_by_role("option", name="accurate-fp32").click()
    expect(page.get_by_text(ENGLISH.choosing_loads)).to_have_count(2)
    page.get_by_role("combobox", name=ENGLISH.second).click()
    page.get_by_role("option", name=f"{lab.other} ({ENGLISH.not_loaded})").click()
    expect(page.get_by_text(ENGLISH.will_load.format(model=lab.other))).to_be_visible()
    assert lab.states()[lab.other] == "UNAVAILABLE", "nothing is loaded before there is an image"
    give(page, pixels)
    expect(page.locator(".rm-sides[data-state=done]")).to_be_visible()

    first, second = mask_of(lab, "accurate-fp32", pixels), mask_of(lab, lab.other, pixels)
    colors = np.array(CITYSCAPES, np.uint8)
    assert (shown(page, "first")[..., :3] == colors[first]).all()
    assert (shown(page, "second")[..., :3] == colors[second]).all()
    differs = first != second
    assert 0 < differs.mean() < 1
    verdicts = np.array([(0, 0, 0), *VERDICTS["cityscapes"][1:]], np.uint8)
    assert (shown(page, "differing")[..., :3] == verdicts[1 + differs]).all()
    told = ENGLISH.differing.format(share=percent(float(differs.mean()), "en", 2))
    expect(page.get_by_role("status").get_by_text(told)).to_be_visible()

    shares, times = page.locator(".rm-result .rm-result table.rm-plain").all()
    expect(shares.locator("thead th")).to_have_text(["accurate-fp32", lab.other])
    flat = [percent(float((mask == 1).mean()), "en") for mask in (first, second)]
    expect(shares.locator("tbody tr").first).to_have_text("flat" + "".join(flat))
    expect(times.locator("tbody th")).to_have_text(list(ENGLISH.stages.values()))
    # It is loaded now, and the list says so without waiting for its next look.
    expect(row_of(page, lab.other).get_by_text(ENGLISH.loaded, exact=True)).to_be_visible()

    page.get_by_role("combobox", name=ENGLISH.second).click()
    page.get_by_role("option", name="accurate-fp32").click()
    expect(page.get_by_role("alert").get_by_text(ENGLISH.same)).to_be_visible()


def test_one_model_alone_has_nothing_to_be_held_against(visit: Callable[..., Page]):
    page = visit("/models", locale="fr")
    expect(page.get_by_text(FRENCH.pair_alone)).to_be_visible()
    expect(page.get_by_role("combobox")).to_have_count(0)


def test_nothing_is_wider_than_a_phone(visit: Callable[..., Page], lab: Lab, noise: Frames):
    httpx.get(f"{lab.api}/model?model={lab.other}")
    page = visit("/models", base=lab.site, viewport={"width": 390, "height": 800})
    expect(page.locator(".rm-model")).to_have_count(2)
    give(page, noise())
    expect(page.locator(".rm-sides[data-state=done]")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
