"""Rebuild the bundled image file from the full Fashion-MNIST: python tools/build_bundled_images.py FOLDER [OUTPUT]

FOLDER holds the four IDX files (train-images-idx3-ubyte.gz, ...), as in Debian's package dataset-fashion-mnist or under
github.com/zalandoresearch/fashion-mnist. The result holds the first 1,000 training images of each class, in file order,
and all 10,000 test images, and is the same byte for byte wherever Python is built with the usual zlib.
"""

import argparse
import gzip
import io
import zipfile
from pathlib import Path

import numpy as np

from replicate.data.checksums import checksum
from replicate.data.sources import BUNDLED_FILE

IMAGES_PER_CLASS = 1000
FIRST_DOS_DATE = (1980, 1, 1, 0, 0, 0)  # a zip member must have a date; the true one would change the file


def read_idx(path: Path) -> np.ndarray:
    """An IDX file of unsigned bytes: a zero word's type and rank, the sizes as big-endian int32, the values."""
    content = gzip.decompress(path.read_bytes())
    rank = content[3]
    shape = np.frombuffer(content, ">i4", count=rank, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(shape)


def first_of_each_class(labels: np.ndarray, count: int) -> np.ndarray:
    """Where the first `count` images of each class stand, in file order."""
    return np.sort(np.concatenate([np.flatnonzero(labels == label)[:count] for label in np.unique(labels)]))


def select(folder: Path) -> dict[str, np.ndarray]:
    """The four arrays of the bundled file, uint8: images (n, 28, 28) and labels (n,) of both parts."""
    arrays = {
        f"{part}_{kind}": read_idx(folder / f"{prefix}-{kind}-{idx}-ubyte.gz")
        for part, prefix in (("train", "train"), ("test", "t10k"))
        for kind, idx in (("images", "idx3"), ("labels", "idx1"))
    }
    chosen = first_of_each_class(arrays["train_labels"], IMAGES_PER_CLASS)
    return arrays | {name: arrays[name][chosen] for name in ("train_images", "train_labels")}


def write(arrays: dict[str, np.ndarray], output: Path) -> None:
    """Write a compressed .npz in which no byte depends on the day, the user or the system."""
    with zipfile.ZipFile(output, "w") as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy", FIRST_DOS_DATE)
            member.create_system = 3  # Unix, also when built elsewhere
            member.compress_type = zipfile.ZIP_DEFLATED
            content = io.BytesIO()
            np.lib.format.write_array(content, np.ascontiguousarray(array), version=(1, 0))
            archive.writestr(member, content.getvalue(), compresslevel=6)  # 9 takes ten times as long and saves 1 %


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("output", type=Path, nargs="?", default=BUNDLED_FILE)
    arguments = parser.parse_args()
    write(select(arguments.folder), arguments.output)
    print(f"{arguments.output}: {arguments.output.stat().st_size:,} bytes, SHA-256 {checksum(arguments.output)}")


if __name__ == "__main__":
    main()
