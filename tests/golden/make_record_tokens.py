"""Writes `record_tokens.json`: what SmolLM2's tokenizer in Hugging Face's own library makes of a folder's records.

Run: `python make_record_tokens.py SmolLM2-135M-Instruct.Q4_1.gguf RECORDS`, RECORDS being a folder of JSON arrays of
medical-o1 records. For each file: how many texts and tokens there are, and the SHA-256 over the ids of all texts (each
text's count and ids, 32-bit little-endian), record by record in the order Question, Complex_CoT, Response.
"""

import hashlib
import json
import pathlib
import struct
import sys

from make_text import HERE, smollm2

if __name__ == "__main__":
    bpe = smollm2(sys.argv[1])
    bpe.encode_special_tokens = True
    out = {}
    for path in sorted(pathlib.Path(sys.argv[2]).glob("*.json")):
        records = json.loads(path.read_text())
        if not (isinstance(records, list) and records and "Complex_CoT" in records[0]):
            continue
        texts = [record[field] for record in records for field in ("Question", "Complex_CoT", "Response")]
        digest, tokens = hashlib.sha256(), 0
        for text in texts:
            ids = bpe.encode(text, add_special_tokens=False).ids
            digest.update(struct.pack(f"<{len(ids) + 1}I", len(ids), *ids))
            tokens += len(ids)
        out[path.name] = {"texts": len(texts), "tokens": tokens, "sha256": digest.hexdigest()}
    (HERE / "record_tokens.json").write_text(json.dumps(out, indent=1) + "\n")
