// A tied parameter is in parameters() twice, so that an optimizer takes each of its steps twice.
#include <torch/torch.h>

#include <iostream>

struct Net : torch::nn::Module {
  Net() {
    weight = register_parameter("weight", torch::ones(1));
    register_parameter("tied", weight);
  }
  torch::Tensor weight;
};

int main() {
  Net net;
  torch::optim::SGD sgd(net.parameters(), /*lr=*/1);
  net.weight.sum().backward();
  sgd.step();

  const float observed = net.weight.item<float>(), expected = 0;
  std::cout << "observed: " << observed << "\nexpected: " << expected << "\n";
  return observed != expected;
}
