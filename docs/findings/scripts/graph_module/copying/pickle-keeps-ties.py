"""An unpickled GraphModule has lost the second name of a module, with its keys."""

import pickle
import sys

import torch

root = torch.nn.Module()
root.encoder = root.decoder = torch.nn.Linear(1, 1)
graph = torch.fx.Graph()
x = graph.placeholder("x")
graph.output(graph.call_module("decoder", (graph.call_module("encoder", (x,)),)))
module = torch.fx.GraphModule(root, graph)

observed = list(pickle.loads(pickle.dumps(module)).state_dict())
expected = list(module.state_dict())
print("observed:", observed)
print("expected:", expected)
sys.exit(observed != expected)
