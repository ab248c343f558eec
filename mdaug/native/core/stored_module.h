// SPDX-License-Identifier: MIT
// The tensors and numbers of a TorchScript module as they are stored in its file: data.pkl has the objects, data/KEY the
// numbers of each tensor. The program is not read. Names are those of torch: "network.embedding.weight".

#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "archive.h"
#include "model_file.h"
#include "pickle.h"

namespace mdaug::core {

// A view of the bytes of a storage, which belong to the archive.
struct StoredTensor {
    enum class Type { FLOAT64, FLOAT32, INT64, INT32, BOOL };
    Type type;
    std::string_view storage;
    int64_t offset;                       // in numbers, as the strides
    std::vector<int64_t> shape, strides;

    std::string bytes() const;  // row-major, without gaps
    Array array() const;
};

class StoredModule {
  public:
    // Throws std::runtime_error if the archive is no TorchScript module, or a tensor reads beyond its storage.
    explicit StoredModule(const Archive& archive);

    const std::map<std::string, StoredTensor>& tensors() const { return tensors_; }
    const StoredTensor& tensor(const std::string& name) const;
    double number(const std::string& name) const;
    int64_t integer(const std::string& name) const;

  private:
    void add_members(const PickledValue& object, const std::string& prefix);
    StoredTensor read_tensor(const PickledValue& call, const std::string& name);
    std::string_view read_storage(const PickledValue& storage, StoredTensor::Type& type, const std::string& name);
    void check_stored() const;

    const Archive& archive_;
    std::map<std::string, StoredTensor> tensors_;
    std::map<std::string, double> numbers_;
    std::map<std::string, int64_t> integers_;
    std::set<const PickledValue*> objects_;
    std::map<std::string, StoredTensor::Type> types_;
};

}  // namespace mdaug::core
