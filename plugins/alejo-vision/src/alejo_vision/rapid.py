"""The reader RapidOCR: the models of PaddleOCR, which ship in its wheel, run by onnxruntime on one core."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import rapidocr
from PIL import Image
from rapidocr.utils.process_img import get_rotate_crop_image

from .reading import Piece, Reading, bounded, lines

_SURE = 0.5  # what is less sure is mostly no text
_MODELS = Path(rapidocr.__file__).parent / "models"
_SHIPPED = {"Det": "PP-OCRv6_det_small.onnx", "Rec": "PP-OCRv6_rec_small.onnx"}
_PARAMETERS = {
    "Global.log_level": "critical",
    "Global.use_preprocess_img": False,  # it comes in the size it is read in
    "Global.text_score": 0.0,
    "EngineConfig.onnxruntime.intra_op_num_threads": 1,
    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
    "Rec.rec_batch_num": 1,  # of a batch all lines would be as wide as the widest
    # With its path given a model is never looked for anywhere else.
    **{f"{part}.model_path": str(_MODELS / name) for part, name in _SHIPPED.items() if (_MODELS / name).exists()},
}


class Rapid:
    """Finds the pieces of text, and reads them one by one in reading order, so that it can end early."""

    def __init__(self) -> None:
        self._engine: Any = rapidocr.RapidOCR(params=_PARAMETERS)

    def read(self, picture: Image.Image, until: float) -> Reading:
        """What is written there; the pieces that there was no time for are left out."""
        pixels = np.asarray(picture)[:, :, ::-1]
        boxes = self._engine(pixels, use_det=True, use_cls=False, use_rec=False).boxes
        if boxes is None:
            return Reading()
        told: list[str] = []
        sure, count = 0.0, 0
        for line in lines([_piece(box) for box in boxes]):
            words: list[str] = []
            for place in line:
                if time.monotonic() >= until:
                    told.append(" ".join(words))
                    return Reading(bounded(told), sure / count if count else 0.0, complete=False)
                crop = get_rotate_crop_image(pixels, np.asarray(boxes[place], dtype=np.float32))
                found = self._engine(crop, use_det=False, use_cls=False, use_rec=True)
                if found.txts and found.scores[0] >= _SURE:
                    words.append(found.txts[0])
                    sure += float(found.scores[0]) * len(found.txts[0])
                    count += len(found.txts[0])
            told.append(" ".join(words))
        return Reading(bounded(told), sure / count if count else 0.0)


def _piece(box: np.ndarray) -> Piece:
    """A piece by its four corners, clockwise from the upper left."""
    (left, top), (right, end), *_ = box.tolist()
    x, y = box.mean(axis=0).tolist()
    width, height = math.dist((left, top), (right, end)), math.dist(box[0].tolist(), box[3].tolist())
    return Piece(x, y, width, height, math.atan2(end - top, right - left))
