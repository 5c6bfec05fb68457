import io
import tarfile
import types
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from soco.config import ImagesConfig

KEYS = [
    "a/one.jpg",
    "b/one.jpg",
    "b/two two.png",
    "c/été.webp",
    "d.bmp",
    "e/q'u\"o.JPEG",
    "f/new\nline.jpg",
    "g.gif",
]


@pytest.fixture(scope="session")
def photographs(photograph):
    """Encoded images by key; all differ, and two have one base name."""
    coffee, kinds = Image.fromarray(photograph("coffee_half")), Image.registered_extensions()
    images = {}
    for number, key in enumerate(KEYS):
        encoded = io.BytesIO()
        coffee.crop((number * 5, 0, 200 + number * 5, 150)).save(
            encoded, kinds[Path(key).suffix.lower()]
        )
        images[key] = encoded.getvalue()
    return images


def add(archive, name, data):
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))


def tar_bytes(members):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, data in members.items():
            add(archive, name, data)
    return packed.getvalue()


def as_folder(root, images):
    for key, data in images.items():
        (root / key).parent.mkdir(parents=True, exist_ok=True)
        (root / key).write_bytes(data)
    return ImagesConfig(path=str(root))


def as_zip(path, images, names=None):
    with zipfile.ZipFile(path, "w") as archive:
        for number, (key, data) in enumerate(images.items()):
            archive.writestr(key, data, (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)[number % 2])
    return ImagesConfig(path=str(path), layout="zip", names=names and str(names))


def as_tar(path, images):
    """A tar with a tar per folder, as ILSVRC2012_img_train.tar, and the images in no folder."""
    inner = {}
    for key, data in images.items():
        folder, _, name = key.rpartition("/")
        inner.setdefault(folder, {})[name] = data
    members = {f"{folder}.tar": tar_bytes(images) for folder, images in inner.items() if folder}
    path.write_bytes(tar_bytes(members | inner.get("", {}) | {"README.txt": b"words"}))
    return ImagesConfig(path=str(path), layout="tar")


def as_webdataset(root, images):
    """Two tars, one of them with labels between the images."""
    root.mkdir()
    half = len(images) // 2
    with_labels = {}
    for key, data in list(images.items())[:half]:
        with_labels |= {key: data, f"{Path(key).with_suffix('')}.cls": b"7"}
    (root / "part-0.tar").write_bytes(tar_bytes(with_labels))
    (root / "more").mkdir()
    (root / "more" / "part-1.tar").write_bytes(tar_bytes(dict(list(images.items())[half:])))
    return ImagesConfig(path=str(root), layout="webdataset")


def as_parquet(root, images, group=3):
    """Two files with a column of structs (bytes and path) and another column."""
    root.mkdir()
    half = len(images) // 2
    for number, part in enumerate((list(images.items())[:half], list(images.items())[half:])):
        structs = [{"bytes": data, "path": key} for key, data in part]
        table = pa.table({"image": structs, "label": list(range(len(part)))})
        pq.write_table(table, root / f"train-{number}.parquet", row_group_size=group)
    return ImagesConfig(path=str(root), layout="parquet")


PACKERS = types.SimpleNamespace(
    folder=as_folder,
    zip=as_zip,
    tar=as_tar,
    webdataset=as_webdataset,
    parquet=as_parquet,
    tar_bytes=tar_bytes,
)


@pytest.fixture(scope="session")
def pack():
    """A function per layout: writes images there and returns the settings that read them."""
    return PACKERS


@pytest.fixture(params=["folder", "zip", "tar", "webdataset", "parquet"])
def packed(request, tmp_path, photographs):
    """The settings that read the photographs, in each layout."""
    return getattr(PACKERS, request.param)(tmp_path / "packed", photographs)
