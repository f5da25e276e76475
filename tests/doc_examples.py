"""Lists public items of the libraries that no example in their documentation shows.

An item is shown by an example of its own, or by its name in one of its type's, module's or crate's. Only examples that
run or compile count, without their hidden lines. Reads rustdoc's JSON, which a stable toolchain gives where
RUSTC_BOOTSTRAP is set; its format may change. Usage, from the root:

    python3 tests/doc_examples.py [CRATE...]
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ITEMS = {"struct", "enum", "union", "trait", "function", "type_alias", "constant", "macro"}
NOT_RUN = re.compile(r"text|ignore|compile_fail|console|json|sh|toml")


def examples(item):
    """The code of all examples of an item, as readers see it."""
    blocks = re.findall(r"```([^\n]*)\n(.*?)```", item["docs"] or "", re.DOTALL)
    lines = [line for tags, code in blocks if not NOT_RUN.search(tags) for line in code.splitlines()]
    return "\n".join(line for line in lines if not line.startswith("# "))


def document(name, target):
    """What rustdoc tells of a crate. Only rustdoc sees RUSTC_BOOTSTRAP: cargo would build every dependency again."""
    with tempfile.TemporaryDirectory() as folder:
        rustdoc = Path(folder) / "rustdoc"
        rustdoc.write_text('#!/bin/sh\nRUSTC_BOOTSTRAP=1 exec rustdoc "$@"\n')
        rustdoc.chmod(0o755)
        flags = "-Zunstable-options --output-format json"
        environment = {**os.environ, "RUSTDOC": str(rustdoc), "RUSTDOCFLAGS": flags}
        subprocess.run(["cargo", "doc", "--quiet", "--package", name, "--no-deps"], env=environment, check=True)
    return json.loads((target / "doc" / f"{name.replace('-', '_')}.json").read_text())


class Crate:
    def __init__(self, document):
        self.index, self.seen, self.without = document["index"], set(), []
        self.visit(document["root"], [], "")

    def visit(self, number, path, above):
        """Looks at an item and all within it; `above` holds the examples of what it is in."""
        item = self.index.get(str(number))
        if item is None or number in self.seen or item["crate_id"] != 0:
            return
        self.seen.add(number)
        kind, inner = next(iter(item["inner"].items()))
        if kind == "use":
            if inner.get("id") is not None:
                self.visit(inner["id"], path, above)
            return
        path, own = [*path, item["name"]], examples(item)
        if kind in ITEMS and not own and not re.search(rf"\b{re.escape(item['name'])}\b", above):
            span = item["span"]
            self.without.append(f"{span['filename']}:{span['begin'][0]}: {kind} {'::'.join(path)}")
        for part in self.parts(kind, inner):
            self.visit(part, path, f"{above}\n{own}")

    def parts(self, kind, inner):
        """The items of a module or trait, and the public functions of a type."""
        if kind in ("module", "trait"):
            yield from inner["items"]
        for number in inner.get("impls", []) if kind in ITEMS - {"trait", "macro", "constant", "function"} else []:
            block = self.index.get(str(number), {}).get("inner", {}).get("impl")
            if block is not None and block["trait"] is None:
                yield from (part for part in block["items"] if self.index[str(part)]["visibility"] == "public")


def main():
    workspace = json.loads(subprocess.check_output(["cargo", "metadata", "--format-version", "1", "--no-deps"]))
    libraries = [package["name"] for package in workspace["packages"] if "/crates/" in package["manifest_path"]]
    target = Path(workspace["target_directory"])
    found = []
    for name in sys.argv[1:] or sorted(libraries):
        found += sorted(Crate(document(name, target)).without)
    print("\n".join(found + [f"{len(found)} public items without an example"]))
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
