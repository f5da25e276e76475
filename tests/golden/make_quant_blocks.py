"""Random blocks of each quantised GGUF type with what gguf-py makes of them.

Run: python make_quant_blocks.py   (versions as written into the file; numpy and gguf from PyPI)
Writes quant_blocks.json: for each type the bytes in hex (finite scales only) and the weights.
"""
import json
import pathlib

import gguf
import numpy as np
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType as T
from gguf.quants import dequantize

rng = np.random.default_rng(7)
SCALES_AT = {T.Q8_0: [0], T.Q4_0: [0], T.Q4_1: [0, 2], T.Q4_K: [0, 2], T.Q6_K: [208]}
out = {}
for kind, places in SCALES_AT.items():
    block_bytes = GGML_QUANT_SIZES[kind][1]
    blocks = rng.integers(0, 256, (3, block_bytes), dtype=np.uint8)
    for block in blocks:
        for at in places:
            block[at : at + 2] = np.frombuffer(np.float16(rng.normal()).tobytes(), np.uint8)
    weights = dequantize(blocks, kind).astype(np.float32).ravel()
    out[kind.name] = {"hex": blocks.tobytes().hex(), "weights": [float(w) for w in weights]}
out["versions"] = {"numpy": np.__version__, "gguf": __import__("importlib.metadata", fromlist=["version"]).version("gguf")}
path = pathlib.Path(__file__).parent / "quant_blocks.json"
path.write_text(json.dumps(out) + "\n")
