"""A bfloat16 tensor that was saved comes back as float16, large numbers as infinity."""

import io
import sys

import mindtorch

file = io.BytesIO()
mindtorch.save(mindtorch.tensor([131072.0, 1.0], dtype=mindtorch.bfloat16), file)
file.seek(0)
loaded = mindtorch.load(file)

observed = (str(loaded.dtype), loaded.tolist())
expected = (str(mindtorch.bfloat16), [131072.0, 1.0])
print("observed:", observed)
print("expected:", expected)
sys.exit(observed != expected)
