"""Generated scenes: exact truth, same bytes for the same seed, any size, and a folder that is read back equal."""

from pathlib import Path

import numpy as np
import pytest

from runtime import categories, datasets, scenes


def test_the_same_seed_and_size_give_the_same_scene() -> None:
    first, second = scenes.generate(3, 256, 128), scenes.generate(3, 256, 128)
    assert np.array_equal(first.frame, second.frame)
    assert np.array_equal(first.label_ids, second.label_ids)


def test_another_seed_gives_another_scene() -> None:
    assert not np.array_equal(scenes.generate(1, 256, 128).label_ids, scenes.generate(2, 256, 128).label_ids)


@pytest.mark.parametrize(
    ("width", "height"), [(64, 64), (65, 67), (512, 64), (64, 512), (200, 333), (641, 359), (1024, 512)]
)
@pytest.mark.parametrize("seed", [0, 5, 10])
def test_any_size_gives_a_frame_and_its_truth_of_that_size(seed: int, width: int, height: int) -> None:
    scene = scenes.generate(seed, width, height)
    assert scene.frame.shape == (height, width, 3)
    assert scene.truth.shape == scene.label_ids.shape == (height, width)
    assert scene.frame.dtype == scene.truth.dtype == scene.label_ids.dtype == np.uint8
    assert np.array_equal(scene.truth, categories.FROM_LABEL_ID[scene.label_ids])
    assert scene.truth.max() < categories.COUNT


def test_every_category_appears_within_a_few_seeds() -> None:
    seen: set[int] = set()
    for seed in range(6):
        seen |= set(np.unique(scenes.generate(seed, 512, 256).truth).tolist())
    assert seen >= set(categories.SCORED)


@pytest.mark.parametrize("seed", range(8))
def test_a_scene_has_the_make_up_of_a_street(seed: int) -> None:
    truth = scenes.generate(seed, 512, 256).truth
    flat, sky = categories.NAMES.index("flat"), categories.NAMES.index("sky")
    assert np.mean(truth == flat) > 0.15
    assert not (truth[: len(truth) // 4] == flat).any()
    assert not (truth[len(truth) // 2 :] == sky).any()


def test_the_light_differs_between_seeds() -> None:
    brightness = [float(scenes.generate(seed, 128, 64).frame.mean()) for seed in range(10)]
    assert max(brightness) > 2 * min(brightness)


@pytest.mark.parametrize(("width", "height"), [(63, 128), (128, 63), (0, 0), (2048, 128), (64, 1024)])
def test_a_size_that_cannot_be_is_refused_in_one_sentence(width: int, height: int) -> None:
    with pytest.raises(ValueError, match=f"a scene of {width} x {height} cannot be generated: both sides"):
        scenes.generate(0, width, height)


def test_a_written_folder_is_read_back_equal(tmp_path: Path) -> None:
    scenes.write(tmp_path, 2, seed=4, width=128, height=64)
    pairs = datasets.Source.parse(f"cityscapes:{tmp_path}").pairs("val")
    assert [pair.key for pair in pairs] == ["scenes_000000_000000", "scenes_000001_000000"]
    for seed, pair in enumerate(pairs, 4):
        scene = scenes.generate(seed, 128, 64)
        frame, truth = datasets.read(pair)
        assert np.array_equal(frame, scene.frame)
        assert np.array_equal(truth, scene.truth)


def test_writing_leaves_no_temporary_files(tmp_path: Path) -> None:
    scenes.write(tmp_path, 1, width=128, height=64)
    files = sorted(path.name for path in tmp_path.rglob("*") if path.is_file())
    assert files == ["scenes_000000_000000_gtFine_labelIds.png", "scenes_000000_000000_leftImg8bit.png"]
