import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from detectron2.data.detection_utils import read_image
from PIL import Image
from user_errors import refused

from soco.data import UnreadableImageError, read_rgb
from soco.data.checks.decoding import read_files
from soco.transfer.detect.detectron2_config import build_config
from soco.transfer.detect.mapper import ImageMapper

ORIENTATION = 0x0112
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'


@pytest.fixture(scope="module")
def rgb(photograph):
    """(150, 200, 3) uint8, by which each odd file can be recognised."""
    return photograph("coffee_half")[:150, :200]


@pytest.fixture
def as_detected(settings, detector, tmp_path):
    """Read a file as the detector does in evaluation, (H, W, 3), without resizing."""

    def read(path, order="RGB", **listed):
        cfg = build_config(settings, detector, 3, rle=False, seed=1)
        cfg.INPUT.FORMAT, cfg.INPUT.MIN_SIZE_TEST = order, 0
        return (
            ImageMapper(cfg, False)({"file_name": str(path), **listed})["image"]
            .numpy()
            .transpose(1, 2, 0)
        )

    return read


def encoded(image, kind, **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def stored(rgb, orientation):
    """The pixels of a file whose EXIF orientation turns them into `rgb`."""
    turned = rgb.swapaxes(0, 1)
    of = [
        rgb,
        rgb[:, ::-1],
        rgb[::-1, ::-1],
        rgb[::-1],
        turned,
        turned[::-1],
        turned[::-1, ::-1],
        turned[:, ::-1],
    ]
    return Image.fromarray(np.ascontiguousarray(of[orientation - 1]))


def turned(rgb, kind, orientation=6, **options):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return encoded(stored(rgb, orientation), kind, exif=exif, **options)


def with_late_exif(rgb):
    """A PNG whose orientation follows more than 64 KiB of pixels."""
    data = turned(rgb, "PNG", compress_level=0)
    start = data.index(b"eXIf") - 4
    (length,) = struct.unpack(">I", data[start : start + 4])
    chunk, rest = data[start : start + length + 12], data[:start] + data[start + length + 12 :]
    assert len(rest) > 65536
    return rest[:-12] + chunk + rest[-12:]


def grey(rgb, mode="L"):
    return Image.fromarray(rgb).convert(mode)


def grey16(rgb):
    return Image.fromarray(rgb[:, :, 1].astype(np.uint16) << 8 | 7)


def rgb16(rgb):
    return cv2.imencode(".png", rgb[:, :, ::-1].astype(np.uint16) << 8 | 77)[1].tobytes()


def with_alpha(image):
    """An image whose left half is transparent."""
    alpha = Image.new("L", image.size, 255)
    alpha.paste(0, (0, 0, image.width // 2, image.height))
    image.putalpha(alpha)
    return image


def ycck(rgb):
    """A JPEG with Adobe's marker for YCCK: planes are Y, Cb, Cr and inverted black."""
    data = bytearray(encoded(grey(rgb, "CMYK"), "JPEG", subsampling=0))
    data[data.index(b"Adobe") + 11] = 2
    return bytes(data)


def animated(rgb, kind, **options):
    return encoded(
        Image.fromarray(rgb),
        kind,
        save_all=True,
        append_images=[Image.fromarray(255 - rgb)],
        **options,
    )


FILES = {
    "16-bit grey PNG": lambda rgb: encoded(grey16(rgb), "PNG"),
    "16-bit grey TIFF": lambda rgb: encoded(grey16(rgb), "TIFF"),
    "16-bit RGB PNG": rgb16,
    "grey with alpha PNG": lambda rgb: encoded(with_alpha(grey(rgb)), "PNG"),
    "RGB with alpha PNG": lambda rgb: encoded(with_alpha(Image.fromarray(rgb)), "PNG"),
    "RGB with alpha TIFF": lambda rgb: encoded(with_alpha(Image.fromarray(rgb)), "TIFF"),
    "RGB with alpha WebP": lambda rgb: encoded(
        with_alpha(Image.fromarray(rgb)), "WEBP", lossless=True, exact=True
    ),
    "RGB with a transparent colour PNG": lambda rgb: encoded(
        Image.fromarray(rgb), "PNG", transparency=tuple(map(int, rgb[0, 0]))
    ),
    "palette PNG": lambda rgb: encoded(Image.fromarray(rgb).quantize(64), "PNG"),
    "palette with a transparent colour PNG": lambda rgb: encoded(
        Image.fromarray(rgb).quantize(64), "PNG", transparency=0
    ),
    "palette with alphas PNG": lambda rgb: encoded(
        Image.fromarray(rgb).quantize(64), "PNG", transparency=bytes(range(0, 256, 4))
    ),
    "1-bit PNG": lambda rgb: encoded(grey(rgb, "1"), "PNG"),
    "1-bit TIFF": lambda rgb: encoded(grey(rgb, "1"), "TIFF", compression="group4"),
    "CMYK JPEG": lambda rgb: encoded(grey(rgb, "CMYK"), "JPEG"),
    "YCCK JPEG": ycck,
    "CMYK TIFF": lambda rgb: encoded(grey(rgb, "CMYK"), "TIFF"),
    "progressive JPEG": lambda rgb: encoded(Image.fromarray(rgb), "JPEG", progressive=True),
    "BMP": lambda rgb: encoded(Image.fromarray(rgb), "BMP"),
    "MPO": lambda rgb: animated(rgb, "MPO"),
    "turned MPO": lambda rgb: turned(
        rgb, "MPO", save_all=True, append_images=[Image.fromarray(255 - rgb)]
    ),
    "animated GIF": lambda rgb: animated(rgb, "GIF"),
    "animated WebP": lambda rgb: animated(rgb, "WEBP", lossless=True),
    "animated PNG": lambda rgb: animated(rgb, "PNG"),
    "several pages TIFF": lambda rgb: animated(rgb, "TIFF"),
    "turned JPEG": lambda rgb: turned(rgb, "JPEG"),
    "turned PNG": lambda rgb: turned(rgb, "PNG"),
    "turned PNG, EXIF after its pixels": with_late_exif,
    "turned WebP": lambda rgb: turned(rgb, "WEBP", lossless=True),
    "turned TIFF, by XMP": lambda rgb: encoded(stored(rgb, 6), "TIFF", tiffinfo={700: XMP}),
    "turned PNG, by XMP": lambda rgb: encoded(stored(rgb, 6), "PNG", pnginfo=_xmp_chunk()),
    **{f"TIFF of orientation {n}": lambda rgb, n=n: turned(rgb, "TIFF", n) for n in range(1, 9)},
    **{
        f"LZW TIFF of orientation {n}": lambda rgb, n=n: turned(
            rgb, "TIFF", n, compression="tiff_lzw"
        )
        for n in (3, 6)
    },
    "JPEG TIFF of orientation 6": lambda rgb: turned(rgb, "TIFF", 6, compression="jpeg"),
}
LIKE_THE_PHOTOGRAPH = {
    *(
        name
        for name in FILES
        if "turned" in name or "orientation" in name or "animated" in name or "pages" in name
    ),
    *("16-bit RGB PNG", "palette PNG", "MPO", "BMP", "progressive JPEG", "CMYK TIFF"),
}


def _xmp_chunk():
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", XMP.decode())
    return info


@pytest.mark.parametrize("name", FILES)
def test_the_detector_sees_what_every_other_stage_sees(name, rgb, as_detected, tmp_path):
    path = tmp_path / "odd.img"
    path.write_bytes(FILES[name](rgb))
    seen = as_detected(path)
    assert np.array_equal(seen, read_rgb(path))
    assert np.array_equal(as_detected(path, "BGR")[..., ::-1], seen)
    for listed in (None, (200, 150)):
        (file,) = read_files([path], [listed], threads=1)
        assert file.size == seen.shape[1::-1] == (200, 150)
    swaps = ("turned" in name) or name[-1] in "5678"
    assert file.stored_size == ((150, 200) if swaps else (200, 150))
    if name in LIKE_THE_PHOTOGRAPH:
        assert np.abs(seen.astype(int) - rgb).mean() < 12
    if "alpha " in name:  # the left half is white, and the right as it was
        assert (seen[:, :100] == 255).all()
        assert np.abs(seen[:, 100:].mean(2) - rgb[:, 100:].mean(2)).mean() < 10


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_the_detector_sees_16_bit_grey_by_its_high_byte(kind, rgb, as_detected, tmp_path):
    (tmp_path / "grey").write_bytes(encoded(grey16(rgb), kind))
    assert np.array_equal(as_detected(tmp_path / "grey"), np.repeat(rgb[:, :, 1:2], 3, axis=2))


ORDINARY = {
    "JPEG": lambda rgb: encoded(Image.fromarray(rgb), "JPEG"),
    "grey JPEG": lambda rgb: encoded(grey(rgb), "JPEG"),
    "CMYK JPEG": lambda rgb: encoded(grey(rgb, "CMYK"), "JPEG"),
    "PNG": lambda rgb: encoded(Image.fromarray(rgb), "PNG"),
    "grey PNG": lambda rgb: encoded(grey(rgb), "PNG"),
    "palette PNG": FILES["palette PNG"],
    **{f"JPEG of orientation {n}": lambda rgb, n=n: turned(rgb, "JPEG", n) for n in range(1, 9)},
}


@pytest.mark.parametrize("order", ["RGB", "BGR", "YUV-BT.601"])
@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_pixels_are_those_of_detectron2s_reader(name, order, rgb, as_detected, tmp_path):
    path = tmp_path / "ordinary"
    path.write_bytes(ORDINARY[name](rgb))
    assert np.array_equal(as_detected(path, order), read_image(str(path), order))


def cut(data):
    return data[: len(data) * 2 // 3]


REFUSED = {
    "float TIFF": (
        lambda rgb: encoded(Image.fromarray(rgb[..., 0].astype(np.float32)), "TIFF"),
        "floats",
    ),
    "32-bit TIFF": (
        lambda rgb: encoded(Image.fromarray(rgb[..., 0].astype(np.int32)), "TIFF"),
        "32-bit integers",
    ),
    "JPEG 2000": (
        lambda rgb: encoded(Image.fromarray(rgb), "JPEG2000"),
        "not in a known image format",
    ),
    "empty": (lambda rgb: b"", "the file is empty"),
    "text": (lambda rgb: b"words", "not in a known image format"),
    **{
        f"truncated {kind}": (lambda rgb, kind=kind: cut(encoded(Image.fromarray(rgb), kind)), ".")
        for kind in ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF")
    },
    "truncated late": (lambda rgb: encoded(Image.fromarray(rgb), "JPEG")[:-40], "truncated"),
    "broken pixels": (lambda rgb: _with_other_pixels(encoded(Image.fromarray(rgb), "PNG")), "."),
}


def _with_other_pixels(png):
    """A PNG whose compressed pixels are invalid, with a valid checksum."""
    start = png.index(b"IDAT")
    (length,) = struct.unpack(">I", png[start - 4 : start])
    chunk = b"IDAT" + bytes(length)
    return png[:start] + chunk + struct.pack(">I", zlib.crc32(chunk)) + png[start + length + 8 :]


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_detector_refuses_is_what_the_check_leaves_out(name, rgb, as_detected, tmp_path):
    make, reason = REFUSED[name]
    path = tmp_path / "broken.img"
    path.write_bytes(make(rgb))
    with pytest.raises(UnreadableImageError, match=reason) as unreadable:
        read_rgb(path)
    (file,) = read_files([path], [(200, 150)], threads=1)
    assert (file.size, file.reason) == (None, str(unreadable.value))
    with refused("detect.unreadable_image", path=path, reason=unreadable.value):
        as_detected(path, width=200, height=150)


def test_an_image_of_another_size_than_listed_is_refused(rgb, as_detected, tmp_path):
    Image.fromarray(rgb).save(tmp_path / "other.png")
    sizes = {"width": 200, "height": 150, "listed_width": 64, "listed_height": 48}
    with refused("detect.wrong_image_size", **sizes):
        as_detected(tmp_path / "other.png", width=64, height=48)
