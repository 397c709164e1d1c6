"""Photos made here, and every defect that the doctor knows planted among any photos."""

import io
import os
import pathlib
import shutil
import struct
import zlib

import numpy as np
from PIL import Image

# What a name is found as; those of one file each.
EXPECTED = {
    "trainA/empty.jpg": {"empty"},
    "trainA/text.jpg": {"no_image"},
    "trainA/cut.jpg": {"truncated"},
    "trainA/damaged.png": {"damaged"},
    "trainA/float.tif": {"unsupported"},
    "trainA/bomb.png": {"too_large"},
    "trainA/thin.png": {"too_thin"},
    "trainA/black.png": {"constant"},
    "trainA/gray.png": {"gray"},
    "trainA/renamed.jpg": {"misnamed"},
    "trainA/animated.gif": {"animated"},
    "trainA/cmyk.jpg": {"cmyk"},
    "trainA/deep.png": {"deep", "gray"},
    "trainA/see_through.png": {"transparent"},
    "trainA/phone.jpg": {"turned"},
    "trainA/big.jpg": {"oversized"},
    "trainA/long.png": {"elongated"},
    "trainA/tiny.png": {"enlarged"},
    "trainA/notes.heic": {"passed_over"},
}
# Copies: (kind, what is the same, the files).
COPIES = {
    ("repeated", "the same bytes", ("trainA/copy.jpg", "trainA/{0}")),
    ("repeated", "the same pixels", ("trainA/pixels.png", "trainA/{1}")),
    ("repeated", "nearly the same picture", ("trainA/larger.jpg", "trainA/{2}")),
    ("train_and_test", "the same bytes", ("testA/leak.jpg", "trainA/{3}")),
    ("train_and_test", "nearly the same picture", ("testB/leak.jpg", "trainB/{0}")),
    ("both_domains", "the same bytes", ("trainA/{4}", "trainB/both.jpg")),
}


def photo(rng, height, width):
    """A smooth colored picture with some noise."""
    coarse = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.int16)
    noisy = smooth + rng.integers(-8, 9, smooth.shape)
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def make_photos(folder, count=12, height=64, width=80):
    """trainA, trainB, testA and testB with `count` JPEGs each, no two alike."""
    rng = np.random.default_rng(0)
    for split in ("trainA", "trainB", "testA", "testB"):
        (folder / split).mkdir(parents=True)
        for i in range(count):
            photo(rng, height, width).save(folder / split / f"{i:03d}.jpg", quality=95)
    return folder


def png_header(width, height):
    """A PNG file that announces a size and holds no pixels."""

    def chunk(kind, body):
        crc = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + crc

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def plant(folder, resize):
    """Puts every kind of defect among the photos of a folder with trainA trainB testA testB.

    Args:
        folder: pathlib.Path.
        resize: the `--resize` that the photos are right for, in pixels.

    Returns:
        COPIES with the names of this folder's photos filled in.
    """
    a = folder / "trainA"
    names = sorted(os.listdir(a))
    names_b = sorted(os.listdir(folder / "trainB"))
    rng = np.random.default_rng(2)

    def encoded(image, format, **options):
        buffer = io.BytesIO()
        image.save(buffer, format, **options)
        return buffer.getvalue()

    def other():
        return photo(rng, resize, resize + resize // 4)

    (a / "empty.jpg").write_bytes(b"")
    (a / "text.jpg").write_text("<html>404 Not Found</html>")
    whole = encoded(other(), "JPEG")
    (a / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    whole = bytearray(encoded(other(), "PNG"))
    whole[len(whole) // 2] ^= 1
    (a / "damaged.png").write_bytes(whole)
    Image.fromarray(np.ones((resize, resize), np.float32)).save(a / "float.tif")
    (a / "bomb.png").write_bytes(png_header(60_000, 60_000))
    photo(rng, 1, 200_000_000 // resize**2).save(a / "thin.png")
    Image.new("RGB", (resize, resize)).save(a / "black.png")
    other().convert("L").save(a / "gray.png")
    other().save(a / "renamed.jpg", "PNG")
    other().save(a / "animated.gif", save_all=True, append_images=[other()])
    other().convert("CMYK").save(a / "cmyk.jpg", quality=95)
    levels = np.asarray(other().convert("L"), np.uint16) * 257
    Image.fromarray(levels).save(a / "deep.png")
    translucent = other()
    translucent.putalpha(100)
    translucent.save(a / "see_through.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    other().save(a / "phone.jpg", exif=exif)
    photo(rng, 4 * resize, 4 * resize).save(a / "big.jpg")
    photo(rng, resize, 4 * resize).save(a / "long.png")
    photo(rng, resize // 3, resize // 2).save(a / "tiny.png")
    (a / "notes.heic").write_bytes(b"\0\0\0\x18ftypheic")
    shutil.copy(a / names[0], a / "copy.jpg")
    Image.open(a / names[1]).save(a / "pixels.png")
    image = Image.open(a / names[2])
    image.resize((image.width * 5 // 4, image.height * 5 // 4)).save(a / "larger.jpg", quality=60)
    shutil.copy(a / names[3], folder / "testA" / "leak.jpg")
    Image.open(folder / "trainB" / names_b[0]).save(folder / "testB" / "leak.jpg", quality=60)
    shutil.copy(a / names[4], folder / "trainB" / "both.jpg")
    filled = set()
    for kind, detail, files in COPIES:
        pool = names_b if any("trainB/{" in file for file in files) else names
        filled.add((kind, detail, tuple(sorted(file.format(*pool) for file in files))))
    return filled


def relative(path, folder):
    """A finding's file as EXPECTED names it."""
    return str(pathlib.PurePath(path).relative_to(folder))
