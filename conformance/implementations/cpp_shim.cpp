// torch::nn::Module and its containers for Python, name by name: nothing here behaves, it only passes on.
#include <pybind11/functional.h>
#include <torch/extension.h>

#include <sstream>

namespace nn = torch::nn;
using Ptr = std::shared_ptr<nn::Module>;

namespace {

template <typename T>
std::vector<std::pair<std::string, T>> pairs(const torch::OrderedDict<std::string, T>& dict) {
  return dict.pairs();
}

// What a subclass in C++ may reach; the buffers are private even to it.
struct Open : nn::Module {
  using nn::Module::parameters_;
};

// Put the tensor where the layer keeps it, as its own code does: in the registry and in the member of that name.
void place(nn::Module& module, const std::string& name, const torch::Tensor& tensor) {
  (module.*(&Open::parameters_))[name] = tensor;
  auto keep = [&](auto* layer) {
    if (layer) (name == "weight" ? layer->weight : layer->bias) = tensor;
  };
  keep(module.as<nn::LinearImpl>());
  keep(module.as<nn::Conv2dImpl>());
}

template <typename Impl>
void layer(py::module& m, const char* name) {
  py::class_<Impl, nn::Module, std::shared_ptr<Impl>>(m, name, py::module_local(), py::dynamic_attr())
      .def(py::init<>())
      .def("forward", [](Impl& self, const torch::Tensor& x) { return self.forward(x); });
}

}  // namespace

PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) {
  py::class_<nn::Module, Ptr>(m, "Module", py::module_local(), py::dynamic_attr())
      .def(py::init<>())
      .def("_register_parameter", [](nn::Module& self, const std::string& name, const std::optional<torch::Tensor>& tensor) {
        // As its author would: a tensor keeps its own requires_grad, a name without tensor stays undefined.
        const bool wanted = tensor && tensor->requires_grad();
        self.register_parameter(name, tensor ? *tensor : torch::Tensor(), wanted);
      })
      .def("_register_buffer", [](nn::Module& self, const std::string& name, const std::optional<torch::Tensor>& tensor) {
        self.register_buffer(name, tensor ? *tensor : torch::Tensor());
      })
      .def("_register_module", [](nn::Module& self, const std::string& name, Ptr module) {
        self.register_module(name, std::move(module));
      }, py::keep_alive<1, 3>())
      .def("_place", &place)
      .def("_undefined", [](nn::Module& self, const std::string& name) {
        const auto* found = (self.*(&Open::parameters_)).find(name);
        return found && !found->defined();
      })
      .def("_parameters", [](nn::Module& self, bool recurse) { return self.parameters(recurse); })
      .def("_named_parameters", [](nn::Module& self, bool recurse) { return pairs(self.named_parameters(recurse)); })
      .def("_buffers", [](nn::Module& self, bool recurse) { return self.buffers(recurse); })
      .def("_named_buffers", [](nn::Module& self, bool recurse) { return pairs(self.named_buffers(recurse)); })
      .def("_modules", [](nn::Module& self) { return self.modules(); })
      .def("_named_modules", [](nn::Module& self, const std::string& prefix) { return pairs(self.named_modules(prefix)); })
      .def("_children", [](nn::Module& self) { return self.children(); })
      .def("_named_children", [](nn::Module& self) { return pairs(self.named_children()); })
      .def("_train", [](nn::Module& self, bool on) { self.train(on); })
      .def("_eval", [](nn::Module& self) { self.eval(); })
      .def("_is_training", [](nn::Module& self) { return self.is_training(); })
      .def("_to_dtype", [](nn::Module& self, torch::Dtype dtype) { self.to(dtype); })
      .def("_to_device", [](nn::Module& self, torch::Device device) { self.to(device); })
      .def("_to_both", [](nn::Module& self, torch::Device device, torch::Dtype dtype) { self.to(device, dtype); })
      .def("_zero_grad", [](nn::Module& self, bool set_to_none) { self.zero_grad(set_to_none); })
      .def("_apply", [](nn::Module& self, const std::function<void(Ptr)>& function) {
        self.apply([&](const Ptr& module) { function(module); });
      })
      .def("_print", [](const nn::Module& self) {
        std::ostringstream stream;
        stream << self;
        return stream.str();
      });

  py::class_<nn::ModuleListImpl, nn::Module, std::shared_ptr<nn::ModuleListImpl>>(m, "ModuleList", py::module_local(), py::dynamic_attr())
      .def(py::init<>())
      .def("_push_back", [](nn::ModuleListImpl& self, Ptr module) { self.push_back(std::move(module)); }, py::keep_alive<1, 2>())
      .def("_insert", [](nn::ModuleListImpl& self, size_t index, Ptr module) { self.insert(index, std::move(module)); }, py::keep_alive<1, 3>())
      .def("_ptr", [](nn::ModuleListImpl& self, size_t index) { return self.ptr(index); })
      .def("_size", [](nn::ModuleListImpl& self) { return self.size(); });

  py::class_<nn::ModuleDictImpl, nn::Module, std::shared_ptr<nn::ModuleDictImpl>>(m, "ModuleDict", py::module_local(), py::dynamic_attr())
      .def(py::init<>())
      .def("_update", [](nn::ModuleDictImpl& self, const std::string& key, Ptr module) {
        self.update(std::vector<std::pair<std::string, Ptr>>{{key, std::move(module)}});
      }, py::keep_alive<1, 3>())
      .def("_at", [](nn::ModuleDictImpl& self, const std::string& key) { return self[key]; })
      .def("_pop", [](nn::ModuleDictImpl& self, const std::string& key) { return self.pop(key); })
      .def("_clear", [](nn::ModuleDictImpl& self) { self.clear(); })
      .def("_contains", [](nn::ModuleDictImpl& self, const std::string& key) { return self.contains(key); })
      .def("_items", [](nn::ModuleDictImpl& self) { return self.items(); });

  py::class_<nn::ParameterListImpl, nn::Module, std::shared_ptr<nn::ParameterListImpl>>(m, "ParameterList", py::module_local(), py::dynamic_attr())
      .def(py::init<>())
      .def("_push_back", [](nn::ParameterListImpl& self, const torch::Tensor& tensor) { self.append(tensor); })
      .def("_ptr", [](nn::ParameterListImpl& self, size_t index) { return self.at(index); })
      .def("_size", [](nn::ParameterListImpl& self) { return self.size(); });

  py::class_<nn::ParameterDictImpl, nn::Module, std::shared_ptr<nn::ParameterDictImpl>>(m, "ParameterDict", py::module_local(), py::dynamic_attr())
      .def(py::init<>())
      .def("_update", [](nn::ParameterDictImpl& self, const std::string& key, const torch::Tensor& tensor) { self.insert(key, tensor); })
      .def("_assign", [](nn::ParameterDictImpl& self, const std::string& key, const torch::Tensor& tensor) { self[key] = tensor; })
      .def("_at", [](nn::ParameterDictImpl& self, const std::string& key) { return self[key]; })
      .def("_pop", [](nn::ParameterDictImpl& self, const std::string& key) { return self.pop(key); })
      .def("_clear", [](nn::ParameterDictImpl& self) { self.clear(); })
      .def("_contains", [](nn::ParameterDictImpl& self, const std::string& key) { return self.contains(key); })
      .def("_items", [](nn::ParameterDictImpl& self) {
        std::vector<std::pair<std::string, torch::Tensor>> found;
        for (const auto& item : self) found.emplace_back(item.key(), item.value());
        return found;
      });

  layer<nn::IdentityImpl>(m, "Identity");
  layer<nn::ReLUImpl>(m, "ReLU");
  py::class_<nn::DropoutImpl, nn::Module, std::shared_ptr<nn::DropoutImpl>>(m, "Dropout", py::module_local(), py::dynamic_attr())
      .def(py::init([](double p) { return std::make_shared<nn::DropoutImpl>(nn::DropoutOptions(p)); }), py::arg("p") = 0.5)
      .def("forward", [](nn::DropoutImpl& self, const torch::Tensor& x) { return self.forward(x); });
  py::class_<nn::LinearImpl, nn::Module, std::shared_ptr<nn::LinearImpl>>(m, "Linear", py::module_local(), py::dynamic_attr())
      .def(py::init([](int64_t in, int64_t out, bool bias) {
        return std::make_shared<nn::LinearImpl>(nn::LinearOptions(in, out).bias(bias));
      }), py::arg("in_features"), py::arg("out_features"), py::arg("bias") = true)
      .def("forward", [](nn::LinearImpl& self, const torch::Tensor& x) { return self.forward(x); });
  py::class_<nn::Conv2dImpl, nn::Module, std::shared_ptr<nn::Conv2dImpl>>(m, "Conv2d", py::module_local(), py::dynamic_attr())
      .def(py::init([](int64_t in, int64_t out, int64_t kernel) {
        return std::make_shared<nn::Conv2dImpl>(nn::Conv2dOptions(in, out, kernel));
      }))
      .def("forward", [](nn::Conv2dImpl& self, const torch::Tensor& x) { return self.forward(x); });
  py::class_<nn::MaxPool2dImpl, nn::Module, std::shared_ptr<nn::MaxPool2dImpl>>(m, "MaxPool2d", py::module_local(), py::dynamic_attr())
      .def(py::init([](int64_t kernel, int64_t stride) {
        return std::make_shared<nn::MaxPool2dImpl>(nn::MaxPool2dOptions(kernel).stride(stride));
      }))
      .def("forward", [](nn::MaxPool2dImpl& self, const torch::Tensor& x) { return self.forward(x); });
}
