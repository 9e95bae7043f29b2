"""An unpickled GraphModule has lost the second name of a parameter, and its key."""

import pickle
import sys

import torch

root = torch.nn.Module()
root.weight = root.tied = torch.nn.Parameter(torch.zeros(1))
graph = torch.fx.Graph()
x = graph.placeholder("x")
total = graph.call_function(torch.add, (graph.get_attr("weight"), graph.get_attr("tied")))
graph.output(graph.call_function(torch.mul, (x, total)))
module = torch.fx.GraphModule(root, graph)

observed = list(pickle.loads(pickle.dumps(module)).state_dict())
expected = list(module.state_dict())
print("observed:", observed)
print("expected:", expected)
sys.exit(observed != expected)
