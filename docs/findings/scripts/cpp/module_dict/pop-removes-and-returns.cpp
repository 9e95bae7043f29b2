// pop() leaves the module registered: its parameters are still listed, and its name cannot be used again.
#include <torch/torch.h>

#include <iostream>

int main() {
  torch::nn::ModuleDict dict;
  dict->update({{"a", torch::nn::Linear(1, 1).ptr()}});
  dict->pop("a");

  const size_t observed = dict->parameters().size(), expected = 0;
  std::cout << "observed: " << observed << " parameters\nexpected: " << expected << " parameters\n";
  return observed != expected;
}
