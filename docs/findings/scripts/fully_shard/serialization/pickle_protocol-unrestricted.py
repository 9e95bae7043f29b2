"""Saving the state_dict of a module that fully_shard changed aborts the process with pickle_protocol=1."""

import subprocess
import sys

SAVING = """
import io, tempfile, torch
from torch import distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

distributed.init_process_group("gloo", init_method=f"file://{tempfile.mkdtemp()}/group", rank=0, world_size=1)
module = fully_shard(nn.Linear(2, 2), mesh=init_device_mesh("cpu", (1,)))
torch.save(module.state_dict(), io.BytesIO(), pickle_protocol=1)
"""

observed = subprocess.run([sys.executable, "-c", SAVING], capture_output=True).returncode
expected = 0
print("observed:", observed)
print("expected:", expected)
sys.exit(observed != expected)
