"""What is looked for besides text: barcodes, and how many faces there seem to be. Nobody is recognised."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from alejo.types import Barcode

from .reading import bounded

BARCODES = "pip install 'alejo-vision[barcodes]'"
FACES = "pip install 'alejo-vision[faces]'"
_MOST = 16
_CHARACTERS = 1024
_SIDE = 800
_CASCADE = "haarcascade_frontalface_alt2.xml"


def barcodes(picture: Image.Image) -> Sequence[Barcode]:
    """The barcodes of a picture, at most 16. Raises ImportError without the extra."""
    import zxingcpp  # noqa: PLC0415  # an extra

    found = zxingcpp.read_barcodes(picture.convert("L"))[:_MOST]
    return [Barcode(str(each.format).rpartition(".")[2], bounded([each.text])[:_CHARACTERS]) for each in found]


def faces(picture: Image.Image) -> int:
    """How many faces there seem to be, seen from the front: a hint, often one too many or too few.

    P. Viola, M. Jones, "Rapid object detection using a boosted cascade of simple features", CVPR 2001. Raises
    ImportError without the extra.
    """
    import cv2  # noqa: PLC0415  # an extra
    import numpy as np  # noqa: PLC0415

    cv2.setNumThreads(1)
    grey = picture.convert("L")
    grey.thumbnail((_SIDE, _SIDE), Image.Resampling.BOX)
    cascade = cv2.CascadeClassifier(str(Path(cv2.__file__).parent / "data" / _CASCADE))
    return len(cascade.detectMultiScale(np.asarray(grey), 1.1, 5, minSize=(32, 32)))
