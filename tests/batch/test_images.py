"""Which files are images of a batch, in which order, and which mask belongs to which."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_segcam.batch.images import BatchImage, images_of, random_sample
from napari_segcam.batch.pairing import with_truths, without_masks
from napari_segcam.errors import SegcamError


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


def names(images: list[BatchImage]) -> list[str]:
    return [image.name for image in images]


def truths(images: list[BatchImage]) -> dict[str, str]:
    return {image.name: image.truth_name for image in images}


def test_a_folder_is_walked_in_natural_order(tmp_path: Path) -> None:
    touch(tmp_path, "frame10.png", "frame2.PNG", "b/x.dcm", "a/c/clip.mp4", "notes.txt", "card.segcam.yaml", ".hid.png")
    touch(tmp_path, ".cache/y.png", "run/images/z/sheet.jpg", "DICOMDIR")
    (tmp_path / "IM0001").write_bytes(b"\0" * 128 + b"DICM")
    found = images_of(tmp_path, tmp_path / "run")
    assert names(found) == ["a/c/clip.mp4", "b/x.dcm", "frame2.PNG", "frame10.png", "IM0001"]


def test_keys_are_unique_safe_and_the_same_wherever_the_folder_is(tmp_path: Path) -> None:
    odd = ("a b.png", "a_b.png", "A_b.png", "x/a_b.png", "$(rm).png", f"{'n' * 200}.png", "ø.png")
    found = [images_of(touch(tmp_path / folder, *odd)) for folder in ("one", "two")]
    keys = [image.key for image in found[0]]
    assert keys == [image.key for image in found[1]]
    assert len({key.casefold() for key in keys}) == len(odd)
    assert all(key.isascii() and len(key) < 80 and not set(key) & set(' /\\$():*?"<>|') for key in keys)


def test_names_that_are_no_text_are_images_too(tmp_path: Path) -> None:
    try:
        (tmp_path / "f\udcff.png").write_bytes(b"x")
    except (OSError, UnicodeError):
        pytest.skip("this file system refuses such names")
    (image,) = images_of(tmp_path)
    assert image.display_name.encode() == "f\ufffd.png".encode()
    assert image.key.isascii()


def test_the_seed_decides_the_sample_and_the_order_stays() -> None:
    images = [BatchImage(str(number), Path()) for number in range(100)]
    drawn = random_sample(images, 10, seed=1)
    assert drawn == random_sample(images, 10, seed=1) != random_sample(images, 10, seed=2)
    assert [int(image.name) for image in drawn] == sorted(int(image.name) for image in drawn)
    assert random_sample(images, None, 0) == random_sample(images, 500, 0) == images


def test_masks_beside_their_images_are_no_images(tmp_path: Path) -> None:
    touch(tmp_path, "1_HC.png", "1_HC_Annotation.png", "sub/2.png", "sub/2_mask.tif", "lonely_mask.png", "gt.png")
    found = without_masks(images_of(tmp_path))
    assert names(found) == ["1_HC.png", "gt.png", "lonely_mask.png", "sub/2.png"]
    assert truths(with_truths(found, tmp_path)) == {
        "1_HC.png": "1_HC_Annotation.png",
        "gt.png": "",
        "lonely_mask.png": "",
        "sub/2.png": "sub/2_mask.tif",
    }


@pytest.mark.parametrize("ending", ["", "_mask", "_MASKS", "-seg", "_GT", "_Annotation", "_label", "_segmentation"])
def test_a_mask_is_known_by_its_name(tmp_path: Path, ending: str) -> None:
    images = images_of(touch(tmp_path / "images", "a/scan.1.jpg", "b.png"))
    masks = touch(tmp_path / "masks", f"a/scan.1{ending}.png", "c.png")
    assert truths(with_truths(images, masks)) == {"a/scan.1.jpg": f"a/scan.1{ending}.png", "b.png": ""}


def test_the_path_counts_before_the_name_alone(tmp_path: Path) -> None:
    images = images_of(touch(tmp_path / "images", "a/1.png", "b/1.png", "c/2.png"))
    masks = touch(tmp_path / "masks", "a/1.png", "b/1_mask.png", "2.png")
    assert truths(with_truths(images, masks)) == {"a/1.png": "a/1.png", "b/1.png": "b/1_mask.png", "c/2.png": "2.png"}


def test_two_masks_of_one_image_are_refused(tmp_path: Path) -> None:
    images = images_of(touch(tmp_path / "images", "1.png"))
    with pytest.raises(SegcamError, match=r"Two true masks match the image 1\.png"):
        with_truths(images, touch(tmp_path / "masks", "1.png", "1_mask.png"))


def test_numbered_masks_of_one_image_are_parts_of_its_truth(tmp_path: Path) -> None:
    touch(tmp_path, "a (4).png", "a (4)_mask.png", "a (4)_mask_1.png", "a (4)_mask_2.png", "b.png", "b_seg1.png")
    touch(tmp_path, "b_seg2.png", "c_1.png", "c_2.png", "c.png", "d-label 1.tif", "d-label 2.tif", "d.png")
    found = without_masks(images_of(tmp_path))
    assert names(found) == ["a (4).png", "b.png", "c.png", "c_1.png", "c_2.png", "d.png"]
    assert truths(with_truths(found, tmp_path)) == {
        "a (4).png": "a (4)_mask.png + a (4)_mask_1.png + a (4)_mask_2.png",
        "b.png": "b_seg1.png + b_seg2.png",
        "c.png": "",
        "c_1.png": "",
        "c_2.png": "",
        "d.png": "d-label 1.tif + d-label 2.tif",
    }


@pytest.mark.parametrize(
    "masks", [("1_mask.png", "1_mask.tif"), ("a/1_mask.png", "b/1_mask_1.png"), ("1_mask_1.png", "1_seg_1.png")]
)
def test_masks_that_are_no_parts_of_one_truth_are_refused(tmp_path: Path, masks: tuple[str, ...]) -> None:
    images = images_of(touch(tmp_path / "images", "1.png"))
    with pytest.raises(SegcamError, match=r"Two true masks match the image 1\.png"):
        with_truths(images, touch(tmp_path / "masks", *masks))


def test_masks_of_other_images_are_refused(tmp_path: Path) -> None:
    images = images_of(touch(tmp_path / "images", "1.png"))
    with pytest.raises(
        SegcamError, match=r"holds no true mask of any image: a mask has the name of its image \(1\.png\)"
    ):
        with_truths(images, touch(tmp_path / "masks", "2.png"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("picture\na.png", "no column named image"),
        ("", "no column named image"),
        ("image", "names no image"),
        ("image,truth\na.png\n,b.png", "line 3, names no image"),
        ("image\na.png\na.png", "line 3, names a.png a second time"),
    ],
)
def test_a_list_that_is_none_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(SegcamError, match=said):
        images_of(tmp_path / "list.csv")


def test_paths_in_a_list_are_relative_to_it_and_pictures_stay_in_their_folder(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("Image , other\n../up/a.png,1\n/abs/b.png,2\n")
    above, absolute = images_of(tmp_path / "list.csv")
    assert above.path == tmp_path / "../up/a.png"
    assert absolute.path == Path("/abs/b.png")
    assert (above.picture_name, absolute.picture_name) == ("up/a", "abs/b")


def test_images_that_differ_in_case_alone_get_their_own_masks(tmp_path: Path) -> None:
    names = ("Case.png", "case.png")
    images = [BatchImage(name, tmp_path / name) for name in names]
    for name in ("Case_mask.png", "case_mask.png", "case_mask_1.png"):
        (tmp_path / name).write_bytes(b"x")
    if len(list(tmp_path.iterdir())) < 3:
        pytest.skip("this file system does not tell upper from lower case")
    first, second = with_truths(images, tmp_path)
    assert [path.name for path in first.truths] == ["Case_mask.png"]
    assert sorted(path.name for path in second.truths) == ["case_mask.png", "case_mask_1.png"]
