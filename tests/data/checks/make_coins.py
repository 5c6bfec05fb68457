"""Make a small detection set from scikit-image's photograph of Greek coins, unused by the demo.

Usage: python tests/data/checks/make_coins.py FOLDER

Watershed finds the coins. The left part of the photograph becomes the training split, the right
part the validation split, so that no coin is in both. FOLDER receives images/, train/, train.json,
val/ and val.json; the category ids have a gap.
"""

import json
import sys
from pathlib import Path

import cv2
import numpy as np
from scipy import ndimage
from skimage import data, filters, measure, segmentation

SIDE = 128
SMALL, LARGE = 3, 7


def make_coins(folder: Path) -> None:
    photograph = data.coins()
    coins = find_coins(photograph)
    xs = {"train": range(0, 257 - SIDE, 32), "val": (photograph.shape[1] - SIDE,)}
    for split in xs:
        windows = [(x, y) for y in range(0, photograph.shape[0] - SIDE + 1, 35) for x in xs[split]]
        write_split(folder, split, photograph, coins, windows)
    (folder / "images").mkdir(exist_ok=True)
    for image in (folder / "train").iterdir():
        (folder / "images" / image.name).write_bytes(image.read_bytes())


def find_coins(photograph: np.ndarray) -> np.ndarray:
    """Label the coins from 1; 0 is the background."""
    markers = np.zeros_like(photograph, np.int32)
    markers[photograph < 30], markers[photograph > 150] = 1, 2
    filled = ndimage.binary_fill_holes(
        segmentation.watershed(filters.sobel(photograph), markers) == 2
    )
    labels = measure.label(ndimage.binary_opening(filled, iterations=2))
    for region in measure.regionprops(labels):
        if region.area < 400:
            labels[labels == region.label] = 0
    return labels


def write_split(folder, split, photograph, coins, windows) -> None:
    (folder / split).mkdir(parents=True, exist_ok=True)
    images, annotations = [], []
    areas = np.bincount(coins.ravel())
    typical = np.median(areas[np.unique(coins)[1:]])
    for number, (x, y) in enumerate(windows, 1):
        cut = np.s_[y : y + SIDE, x : x + SIDE]
        name = f"{split}_{number:02}.png"
        cv2.imwrite(str(folder / split / name), photograph[cut])
        images.append({"id": number, "file_name": name, "width": SIDE, "height": SIDE})
        for coin in np.unique(coins[cut])[1:]:
            mask = (coins[cut] == coin).astype(np.uint8)
            if mask.sum() > areas[coin] / 3:
                category = LARGE if areas[coin] > typical else SMALL
                annotations.append(annotate(mask, len(annotations) + 1, number, category))
    categories = [{"id": SMALL, "name": "small coin"}, {"id": LARGE, "name": "large coin"}]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (folder / f"{split}.json").write_text(json.dumps(content))


def annotate(mask, number, image, category) -> dict:
    outline = max(
        cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0], key=cv2.contourArea
    )
    left, top, width, height = cv2.boundingRect(outline)
    return {
        "id": number,
        "image_id": image,
        "category_id": category,
        "bbox": [left, top, width, height],
        "area": int(mask.sum()),
        "iscrowd": 0,
        "segmentation": [(outline.reshape(-1) + 0.5).tolist()],
    }


if __name__ == "__main__":
    make_coins(Path(sys.argv[1]))
