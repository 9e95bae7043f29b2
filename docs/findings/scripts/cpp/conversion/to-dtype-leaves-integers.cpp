// to(dtype) casts an integer buffer too: a count of 16777217 becomes 16777216.
#include <torch/torch.h>

#include <iostream>

struct Net : torch::nn::Module {
  Net() { register_buffer("count", torch::tensor({16777217L})); }
};

int main() {
  Net net;
  net.to(torch::kFloat32);

  const auto observed = net.buffers()[0].to(torch::kLong).item<int64_t>(), expected = int64_t(16777217);
  std::cout << "observed: " << observed << "\nexpected: " << expected << "\n";
  return observed != expected;
}
