"""The script that makes an embedding table, on a small random model."""

from __future__ import annotations

import importlib.util
import json
import random
import subprocess
import sys
from array import array
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from alejo._core import StaticEmbedder

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "##s", *(a + b for a in "bdgklmprst" for b in ("a", "e", "i", "o", "u"))]
SIZE, LAYERS, INNER, LONGEST = 24, 2, 48, 16
TEXTS = [" ".join(random.Random(seed).choices([*WORDS[5:], "bas"], k=1 + seed % 9)) for seed in range(400)]


@pytest.fixture
def teacher() -> ModuleType:
    spec = importlib.util.spec_from_file_location("teacher", SCRIPTS / "teacher.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder as sentence-transformers writes it: a BERT of random numbers, mean pooling."""
    folder = tmp_path / "model"
    (folder / "1_Pooling").mkdir(parents=True)
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode_mean_tokens": true}')
    kinds = ("models.Transformer", "models.Pooling", "models.Normalize")
    (folder / "modules.json").write_text(json.dumps([{"type": f"sentence_transformers.{kind}"} for kind in kinds]))
    about = {"model_type": "bert", "num_hidden_layers": LAYERS, "num_attention_heads": 3}
    (folder / "config.json").write_text(json.dumps(about | {"max_position_embeddings": LONGEST}))
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in WORDS))
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (len(WORDS), SIZE),
        "embeddings.position_embeddings.weight": (LONGEST, SIZE),
        "embeddings.token_type_embeddings.weight": (2, SIZE),
    }
    norms = ["embeddings.LayerNorm"]
    for layer in (f"encoder.layer.{number}" for number in range(LAYERS)):
        norms += [f"{layer}.attention.output.LayerNorm", f"{layer}.output.LayerNorm"]
        sides = {f"attention.self.{part}": (SIZE, SIZE) for part in ("query", "key", "value")}
        sides |= {"attention.output.dense": (SIZE, SIZE), "intermediate.dense": (INNER, SIZE)}
        for part, (out, into) in (sides | {"output.dense": (SIZE, INNER)}).items():
            shapes |= {f"{layer}.{part}.weight": (out, into), f"{layer}.{part}.bias": (out,)}
    for norm in norms:
        shapes |= {f"{norm}.weight": (SIZE,), f"{norm}.bias": (SIZE,)}
    source = np.random.default_rng(7)
    numbers = {
        name: source.normal(0, 1.0 if "word" in name else 0.1, shape).astype("<f4") for name, shape in shapes.items()
    }
    save(folder / "model.safetensors", numbers)
    return folder


def save(file: Path, numbers: dict[str, np.ndarray]) -> None:
    header, end = {}, 0
    for name, each in numbers.items():
        header[name] = {"dtype": "F32", "shape": list(each.shape), "data_offsets": [end, end + each.nbytes]}
        end += each.nbytes
    start = json.dumps(header).encode()
    file.write_bytes(len(start).to_bytes(8, "little") + start + b"".join(each.tobytes() for each in numbers.values()))


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, SCRIPTS / "embedding_table.py", *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)


def test_a_table_comes_near_its_teacher(model: Path, teacher: ModuleType, tmp_path: Path) -> None:
    """Texts that were held out lie as near each other as the teacher has them, and nearer for the training."""
    (tmp_path / "texts").write_text("\n".join(TEXTS))
    done = run(model, tmp_path / "texts", tmp_path / "table", "--dimensions", 16, "--epochs", 40)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["trained"] > max(0.6, found["distilled"])
    embedder = StaticEmbedder(tmp_path / "table")
    assert embedder.dimensions == 16
    ours = np.array(array("f", embedder.embed_many(TEXTS[::20]))).reshape(-1, 16)
    theirs = teacher.Bert(model, model / "vocab.txt").texts(TEXTS[::20])
    theirs = teacher.unit(theirs - theirs.mean(0))
    above = np.triu_indices(len(ours), 1)
    assert np.corrcoef((ours @ ours.T)[above], (theirs @ theirs.T)[above])[0, 1] > 0.5


def test_a_text_alone_is_the_same_as_among_others(model: Path, teacher: ModuleType) -> None:
    """What fills a batch up to its longest text changes nothing, and a text is cut where the model ends."""
    bert = teacher.Bert(model, model / "vocab.txt")
    together = bert.texts(TEXTS[:40])
    assert np.allclose(together, np.concatenate([bert.texts([text]) for text in TEXTS[:40]]), atol=1e-5)
    assert np.array_equal(bert.texts(["ba " * 14]), bert.texts(["ba " * 200]))


def test_the_activation_is_that_of_the_paper(teacher: ModuleType) -> None:
    """GELU at points whose values are known."""
    given = np.array([-3.0, -1.0, 0.0, 0.5, 2.0], np.float32)
    assert np.allclose(teacher.gelu(given), [-0.00404969, -0.15865525, 0.0, 0.34573123, 1.95449974], atol=1e-6)


def test_what_cannot_be_read_is_named(model: Path, tmp_path: Path) -> None:
    """A way of pooling that is not known, too few texts, and a folder that is there already end in a sentence."""
    (tmp_path / "texts").write_text("\n".join(TEXTS))
    (tmp_path / "few").write_text("ba\n")
    assert "at least 40 texts" in run(model, tmp_path / "few", tmp_path / "table").stderr
    assert "not be there yet" in run(model, tmp_path / "texts", model).stderr
    (model / "1_Pooling" / "config.json").write_text('{"pooling_mode_max_tokens": true}')
    assert "pooling_mode_max_tokens" in run(model, tmp_path / "texts", tmp_path / "table").stderr
    assert not (tmp_path / "table").exists()
