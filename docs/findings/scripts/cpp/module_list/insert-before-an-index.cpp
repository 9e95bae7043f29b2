// insert() into a ModuleList leaves a module unregistered: its parameters are not listed, hence neither trained nor saved.
#include <torch/torch.h>

#include <iostream>

int main() {
  torch::nn::ModuleList list(torch::nn::Linear(1, 1), torch::nn::Identity(), torch::nn::Identity());
  list->insert(0, torch::nn::Identity());

  const size_t observed = list->parameters().size(), expected = 2;
  std::cout << "observed: " << observed << " parameters\nexpected: " << expected << " parameters\n";
  return observed != expected;
}
