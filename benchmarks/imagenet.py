"""python -m benchmarks.imagenet: decoding with Pillow and with torchvision, and reading the headers of tar shards."""

import argparse
import io
import os
import tarfile
import tempfile
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from PIL import Image

from benchmarks.__main__ import alternate, line
from benchmarks.loading import epoch_speed
from replicate.data.config import DataConfig
from replicate.data.imagenet import ImageFileLoader, imagenet_loaders
from replicate.data.imagenet_files import list_images
from replicate.runs.provenance import cpu_name

WIDTH, HEIGHT, BATCH = 256, 192, 32
PER_SHARD = 1250  # images, as 1024 shards of ImageNet have them


def jpeg(noise: np.random.Generator) -> bytes:
    """A picture with large and small structure, so that it takes the bytes of a photograph: about 21 kB."""
    blobs = Image.fromarray(noise.integers(0, 256, (HEIGHT // 8, WIDTH // 8, 3), dtype=np.uint8))
    smooth = np.asarray(blobs.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC), dtype=np.int16)
    grainy = smooth + noise.integers(-12, 12, smooth.shape)
    file = io.BytesIO()
    Image.fromarray(grainy.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=90)
    return file.getvalue()


def write_shard(path: Path, first: int, images: Sequence[bytes]) -> None:
    with tarfile.open(path, "w") as tar:
        for number, image in enumerate(images, first):
            for name, data in ((f"{number:08}.jpg", image), (f"{number:08}.cls", b"%d" % (number % 10))):
                member = tarfile.TarInfo(name)
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))


def write_shards(root: Path, count: int) -> None:
    noise = np.random.default_rng(0)
    for part, images in (("train", count), ("val", 10)):
        write_shard(root / f"{part}-0.tar", 0, [jpeg(noise) for _ in range(images)])


def training_loader(root: Path, decoder: Literal["torchvision"] | None, workers: int) -> ImageFileLoader:
    config = DataConfig(name="imagenet", root=str(root), augmentation="scale_aspect", decoder=decoder)
    return imagenet_loaders(config, BATCH, workers=workers).train


def compare_decoders(root: Path, workers: int) -> None:
    fast, plain = (training_loader(root, decoder, workers) for decoder in ("torchvision", None))  # type: ignore[arg-type]
    decoded, by_pillow, gain = alternate(lambda: epoch_speed(fast), lambda: epoch_speed(plain), rounds=3)
    line(f"Pillow, {WIDTH} px wide, 224 crop, workers: {workers}", f"{by_pillow:,.0f} images/s")
    line("torchvision, the same", f"{decoded:,.0f} images/s")
    line("torchvision / Pillow, median of pairs", f"{gain:.2f}")


def indexing_seconds(root: Path, images: int) -> float:
    """Processor seconds to list `images` tiny images in shards."""
    for number, first in enumerate(range(0, images, PER_SHARD)):
        write_shard(root / f"train-{number}.tar", first, [bytes(400)] * min(PER_SHARD, images - first))
    started = time.process_time()
    found, _ = list_images(root, "train")
    assert len(found) == images
    return time.process_time() - started


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.imagenet", description=__doc__)
    parser.add_argument("--images", type=int, default=400, help="JPEG files to decode")
    parser.add_argument("--members", type=int, default=100_000, help="images in shards to list")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    print(f"{date.today()}  {cpu_name()}, {len(os.sched_getaffinity(0))} cores, torch {torch.__version__}")
    with tempfile.TemporaryDirectory() as folder:
        write_shards(Path(folder), chosen.images)
        for workers in (1, 2):
            compare_decoders(Path(folder), workers)
    with tempfile.TemporaryDirectory() as folder:
        spent = indexing_seconds(Path(folder), chosen.members)
        line(f"headers of {chosen.members:,} images in shards", f"{spent:.1f} s of CPU time")


if __name__ == "__main__":
    main()
