"""A tensor of bfloat16 can be saved, and is then lost: it cannot be loaded."""

import sys
import tempfile

import oneflow

with tempfile.TemporaryDirectory() as folder:
    oneflow.save(oneflow.ones(2, dtype=oneflow.bfloat16), folder)
    try:
        observed = str(oneflow.load(folder).dtype)
    except NotImplementedError as error:
        observed = repr(error)

expected = "oneflow.bfloat16"
print("observed:", observed)
print("expected:", expected)
sys.exit(observed != expected)
