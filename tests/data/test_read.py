import io
import os
import struct
import warnings
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from soco.data import (
    Header,
    UnreadableImageError,
    decode_reduced,
    decode_rgb,
    image_header,
    image_size,
    read_rgb,
)


@pytest.fixture(scope="module")
def rgb(photograph):
    """(150, 200, 3) uint8 of a photograph."""
    return photograph("coffee_half")[:150, :200]


@pytest.fixture(autouse=True)
def warnings_are_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def encoded(image, kind, **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def grey16(rgb):
    """16-bit grey whose high byte is the photograph's green and whose low byte is its red."""
    return rgb[:, :, 1].astype(np.uint16) << 8 | rgb[:, :, 0]


def on_white(rgb, alpha):
    share = alpha[..., None] / 255
    return rgb * share + 255 * (1 - share)


def as_grey(channel):
    return np.repeat(channel[..., None], 3, axis=2)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_every_orientation_is_turned_upright(rgb, orientation, kind):
    turned = rgb.swapaxes(0, 1)
    # EXIF names the sides of the first stored row and column: 6 is right and top.
    stored = {
        1: rgb,
        2: rgb[:, ::-1],
        3: rgb[::-1, ::-1],
        4: rgb[::-1],
        5: turned,
        6: turned[::-1],
        7: turned[::-1, ::-1],
        8: turned[:, ::-1],
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(
        Image.fromarray(np.ascontiguousarray(stored)),
        kind,
        exif=exif,
        **({"lossless": True} if kind == "WEBP" else {}),
    )
    assert np.array_equal(decode_rgb(data), rgb)
    assert image_header(data) == Header((200, 150), orientation)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_an_orientation_in_xmp_alone_is_applied(rgb, kind):
    xmp = b'<rdf:Description tiff:Orientation="6"/>'
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", xmp.decode())
    options = {"pnginfo": info} if kind == "PNG" else {"tiffinfo": {700: xmp}}
    data = encoded(Image.fromarray(np.rot90(rgb)), kind, **options)
    assert np.array_equal(decode_rgb(data), rgb)
    assert image_header(data) == Header((200, 150), 6)
    assert decode_reduced(data, 4).size == (200, 150)


def test_an_orientation_after_the_pixels_of_a_png_is_applied(rgb):
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(Image.fromarray(np.rot90(rgb)), "PNG", exif=exif)
    start = data.index(b"eXIf") - 4
    (length,) = struct.unpack(">I", data[start : start + 4])
    chunk, rest = data[start : start + length + 12], data[:start] + data[start + length + 12 :]
    moved = rest[:-12] + chunk + rest[-12:]
    assert np.array_equal(decode_rgb(moved), rgb)
    assert image_size(moved) == (200, 150)


def test_an_orientation_after_many_pixels_is_found_without_decoding_them():
    exif = Image.Exif()
    exif[0x0112] = 6
    end = chunk(b"IEND", b"")
    data = (
        huge_png(20_000, 100).removesuffix(end)
        + chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))
        + end
    )
    assert image_size(data) == (100, 20_000)  # decoding would fail: the pixels are missing


def test_a_broken_orientation_is_ignored(rgb):
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(Image.fromarray(rgb), "PNG", exif=exif.tobytes()[:6] + b"II\x2a\x00\xff\xff")
    assert np.array_equal(decode_rgb(data), rgb)
    assert image_size(data) == (200, 150)


def jpeg_of_four(planes, transform):
    """A JPEG whose four stored components are `planes`, with Adobe's marker (0: CMYK, 2: YCCK)."""
    data = bytearray(
        encoded(Image.fromarray(255 - planes, "CMYK"), "JPEG", quality=100, subsampling=0)
    )
    marker = data.index(b"Adobe")
    assert data[marker + 11] == 0
    data[marker + 11] = transform
    return bytes(data)


@pytest.mark.parametrize("transform", [0, 2])
def test_inverted_cmyk_and_ycck_are_decoded_correctly(rgb, transform):
    # Adobe stores ink inverted: without black, its C, M and Y are the visible red, green and blue.
    black = np.full((*rgb.shape[:2], 1), 255, np.uint8)
    planes = rgb
    if transform == 2:  # Y, Cb and Cr of the inks
        planes = np.array(Image.fromarray(255 - rgb).convert("YCbCr"))
    shown = decode_rgb(jpeg_of_four(np.concatenate([planes, black], axis=2), transform))
    assert np.abs(shown.astype(int) - rgb).mean() < 2


def test_grey_and_palette_are_rgb(rgb):
    grey = Image.fromarray(rgb).convert("L")
    assert np.array_equal(decode_rgb(encoded(grey, "PNG")), as_grey(np.array(grey)))
    bits = grey.convert("1")
    assert np.array_equal(decode_rgb(encoded(bits, "PNG")), as_grey(np.array(bits) * np.uint8(255)))
    palette = Image.fromarray(rgb).quantize(64)
    assert np.array_equal(decode_rgb(encoded(palette, "PNG")), np.array(palette.convert("RGB")))


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_transparent_pixels_are_white(rgb, kind):
    alpha = np.tile(np.linspace(0, 255, 200).astype(np.uint8), (150, 1))
    image = Image.fromarray(np.dstack([rgb, alpha]))
    data = encoded(image, kind, **({"lossless": True, "exact": True} if kind == "WEBP" else {}))
    assert np.abs(decode_rgb(data) - on_white(rgb, alpha)).max() <= 1
    grey = np.array(Image.fromarray(rgb).convert("L"))
    image = Image.merge("LA", [Image.fromarray(grey), Image.fromarray(alpha)])
    if kind == "PNG":
        assert np.abs(decode_rgb(encoded(image, kind)) - on_white(as_grey(grey), alpha)).max() <= 1


@pytest.mark.parametrize("transparency", [0, bytes([0, 128] + [255] * 62)])
def test_a_transparent_colour_of_a_palette_is_white(rgb, transparency):
    palette = Image.fromarray(rgb).quantize(64)
    shown = decode_rgb(encoded(palette, "PNG", transparency=transparency))
    first = np.array(palette) == 0
    assert first.any()
    assert (shown[first] == 255).all()
    opaque = np.array(palette) > 1
    assert np.array_equal(shown[opaque], np.array(palette.convert("RGB"))[opaque])


def test_sixteen_bits_keep_their_high_byte(rgb):
    expected = as_grey(rgb[:, :, 1])
    assert np.array_equal(decode_rgb(encoded(Image.fromarray(grey16(rgb)), "PNG")), expected)
    assert np.array_equal(decode_rgb(encoded(Image.fromarray(grey16(rgb)), "TIFF")), expected)
    big_endian = Image.frombytes("I;16B", (200, 150), grey16(rgb).astype(">u2").tobytes())
    assert np.array_equal(decode_rgb(encoded(big_endian, "TIFF")), expected)
    _, colours = cv2.imencode(".png", rgb[:, :, ::-1].astype(np.uint16) << 8 | 77)
    assert np.array_equal(decode_rgb(colours.tobytes()), rgb)


def test_sixteen_bits_that_pil_decodes_as_integers(rgb, monkeypatch):
    from PIL import PngImagePlugin

    monkeypatch.setitem(PngImagePlugin._MODES, (16, 0), ("I", "I;16B"))  # as before Pillow 11
    assert np.array_equal(
        decode_rgb(encoded(Image.fromarray(grey16(rgb)), "PNG")), as_grey(rgb[:, :, 1])
    )


@pytest.mark.parametrize(
    ("kind", "reason"), [(np.float32, "floats"), (np.int32, "32-bit integers")]
)
def test_values_without_a_defined_white_are_refused(rgb, kind, reason):
    data = encoded(Image.fromarray(rgb[:, :, 0].astype(kind)), "TIFF")
    with pytest.raises(UnreadableImageError, match=reason):
        decode_rgb(data)
    assert image_size(data) == (200, 150)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_the_first_frame_of_an_animation_is_decoded(rgb, kind):
    frames = [Image.fromarray(rgb), Image.fromarray(rgb[::-1].copy())]
    data = encoded(
        frames[0],
        kind,
        save_all=True,
        append_images=frames[1:],
        **{"lossless": True} if kind == "WEBP" else {},
    )
    assert Image.open(io.BytesIO(data)).n_frames == 2
    tolerance = 12 if kind == "GIF" else 0
    assert np.abs(decode_rgb(data).astype(int) - rgb).mean() <= tolerance


def test_a_profile_is_ignored_and_the_format_is_that_of_the_content(rgb, tmp_path):
    (tmp_path / "png.jpg").write_bytes(
        encoded(Image.fromarray(rgb), "PNG", icc_profile=b"no profile")
    )
    assert np.array_equal(read_rgb(tmp_path / "png.jpg"), rgb)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def huge_png(width, height):
    """The header of a PNG with almost no pixels after it."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


def test_too_many_pixels_are_refused_from_the_header_alone():
    with pytest.raises(
        UnreadableImageError, match=r"400\.0 megapixels, more than images\.max_megapixels allows"
    ):
        decode_rgb(huge_png(20_000, 20_000), max_pixels=100_000_000)
    assert image_size(huge_png(20_000, 20_000)) == (20_000, 20_000)


def test_pils_own_limit_is_off():
    for side in (9_700, 19_000):  # PIL's own limit warns at 90 and raises at 179 megapixels
        with pytest.raises(UnreadableImageError, match="truncated"):
            decode_rgb(huge_png(side, side), max_pixels=400_000_000)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"])
def test_a_truncated_image_is_refused_but_its_size_known(rgb, kind):
    data = encoded(Image.fromarray(rgb), kind)
    with pytest.raises(UnreadableImageError):
        decode_rgb(data[: len(data) // 2])
    if kind in ("JPEG", "PNG", "GIF", "BMP"):
        assert image_size(data[:1000]) == (200, 150)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the file is empty"),
        (b"words in a file named .jpg", "not in a known image format"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not in a known image format"),
        (b"GIF89a" + bytes(7) + b"\x2c" + bytes(9) + b"\x02\x00;", "not in a known image format"),
        (
            struct.pack("<2s3I I2i2H6I", b"BM", 54, 0, 54, 40, 0, 9, 1, 24, *[0] * 6),
            "its header is broken",
        ),
        (huge_png(0, 9), "."),
    ],
)
def test_a_file_that_is_not_an_image_gives_the_reason(data, reason):
    for read in (decode_rgb, image_size):
        with pytest.raises(UnreadableImageError, match=reason):
            read(data)


def test_a_path_that_is_not_a_file_gives_the_reason_and_is_not_opened(tmp_path):
    with pytest.raises(UnreadableImageError, match="missing"):
        read_rgb(tmp_path / "absent.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")  # opening it would wait for a writer
    for path in (tmp_path, tmp_path / "pipe.jpg"):
        with pytest.raises(UnreadableImageError, match="it is not a regular file"):
            read_rgb(path)


@pytest.mark.parametrize("reduction", [2, 4, 8])
@pytest.mark.parametrize("size", [(200, 150), (197, 149)])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_jpeg_is_decoded_reduced(rgb, reduction, size, mode):
    """Each pixel is about the mean of those that it represents."""
    image = Image.fromarray(rgb).crop((0, 0, *size)).convert(mode)
    decoded = decode_reduced(encoded(image, "JPEG", quality=95), reduction)
    assert (decoded.size, decoded.reduction) == (size, reduction)
    assert decoded.rgb.shape == (-(-size[1] // reduction), -(-size[0] // reduction), 3)
    full = decode_rgb(encoded(image, "JPEG", quality=95))
    rows, columns = size[1] // reduction, size[0] // reduction
    means = (
        full[: rows * reduction, : columns * reduction]
        .reshape(rows, reduction, columns, reduction, 3)
        .mean((1, 3))
    )
    assert np.abs(decoded.rgb[:rows, :columns] - means).mean() < 2


def test_other_formats_and_tiny_images_are_decoded_at_full_size(rgb):
    for data in (encoded(Image.fromarray(rgb), "PNG"), encoded(Image.fromarray(rgb[:3]), "JPEG")):
        decoded = decode_reduced(data, 4)
        assert decoded.reduction == 1
        assert np.array_equal(decoded.rgb, decode_rgb(data))


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_rotated_jpeg_is_reduced_only_if_its_sides_are_multiples(rgb, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    for size, reduction in ((200, 148), 4), ((197, 148), 1):
        data = encoded(Image.fromarray(rgb).crop((0, 0, *size)), "JPEG", quality=95, exif=exif)
        decoded, whole = decode_reduced(data, 4), decode_rgb(data)
        assert decoded.reduction == reduction
        assert decoded.size == image_size(data) == whole.shape[1::-1]
        height, width = decoded.rgb.shape[:2]
        means = whole.reshape(height, reduction, width, reduction, 3).mean((1, 3))
        assert np.abs(decoded.rgb - means).mean() < 2


def test_a_truncated_jpeg_is_refused_when_reduced_too(rgb):
    data = encoded(Image.fromarray(rgb), "JPEG")
    for end in (len(data) // 2, len(data) * 9 // 10):
        with pytest.raises(UnreadableImageError, match="truncated"):
            decode_reduced(data[:end], 4)


def test_the_limit_on_pixels_counts_the_whole_image(rgb):
    with pytest.raises(UnreadableImageError, match="megapixels"):
        decode_reduced(encoded(Image.fromarray(rgb), "JPEG"), 8, max_pixels=20_000)
