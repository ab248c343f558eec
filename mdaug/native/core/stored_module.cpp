// SPDX-License-Identifier: MIT

#include "stored_module.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace mdaug::core {

namespace {

using Kind = PickledValue::Kind;
using Type = StoredTensor::Type;

struct Storage {
    std::string_view name;
    Type type;
    int64_t size;  // bytes of a number
};

constexpr Storage STORAGES[] = {{"torch\nDoubleStorage\n", Type::FLOAT64, 8},
                                {"torch\nFloatStorage\n", Type::FLOAT32, 4},
                                {"torch\nLongStorage\n", Type::INT64, 8},
                                {"torch\nIntStorage\n", Type::INT32, 4},
                                {"torch\nBoolStorage\n", Type::BOOL, 1}};

constexpr std::string_view TENSOR = "torch._utils\n_rebuild_tensor_v2\n";
constexpr int64_t MAX_COUNT = int64_t{1} << 40;  // numbers of a tensor, so that products do not wrap

constexpr size_t MAX_NAME = 200;  // characters

[[noreturn]] void fail(const std::string& reason) { throw std::runtime_error(reason); }

int64_t size_of(Type type) {
    return std::find_if(std::begin(STORAGES), std::end(STORAGES), [&](const auto& s) { return s.type == type; })->size;
}

bool is(const PickledValue& value, Kind kind, size_t n_items) {
    return value.kind == kind && value.items.size() >= n_items;
}

std::vector<int64_t> integers(const PickledValue& tuple, const std::string& name) {
    std::vector<int64_t> values;
    for (const auto& item : tuple.items) {
        if (item->kind != Kind::INTEGER || item->integer < 0 || item->integer > MAX_COUNT)
            fail(name + " has an impossible shape");
        values.push_back(item->integer);
    }
    return values;
}

// Calls visit(place) for each number of a tensor in the order of its indices, the last one fastest; its place is in numbers
// from the start of the storage.
template <typename Visit>
void each_place(const StoredTensor& tensor, const Visit& visit) {
    std::vector<int64_t> index(tensor.shape.size(), 0);
    if (std::find(tensor.shape.begin(), tensor.shape.end(), 0) != tensor.shape.end()) return;
    for (int64_t place = tensor.offset;;) {
        visit(place);
        size_t k = tensor.shape.size();
        for (; k > 0; --k) {
            place += tensor.strides[k - 1];
            if (++index[k - 1] < tensor.shape[k - 1]) break;
            place -= index[k - 1] * tensor.strides[k - 1];
            index[k - 1] = 0;
        }
        if (k == 0) return;
    }
}

template <typename T>
Array array_of(const StoredTensor& tensor) {
    Array array{{}, tensor.shape};
    each_place(tensor, [&](int64_t place) {
        T value;
        std::memcpy(&value, tensor.storage.data() + place * static_cast<int64_t>(sizeof(T)), sizeof(T));
        array.data.push_back(static_cast<double>(value));
    });
    return array;
}

}  // namespace

std::string StoredTensor::bytes() const {
    const int64_t size = size_of(type);
    std::string text;
    each_place(*this, [&](int64_t place) { text.append(storage.substr(place * size, size)); });
    return text;
}

Array StoredTensor::array() const {
    switch (type) {
        case Type::FLOAT64: return array_of<double>(*this);
        case Type::FLOAT32: return array_of<float>(*this);
        case Type::INT64: return array_of<int64_t>(*this);
        case Type::INT32: return array_of<int32_t>(*this);
        case Type::BOOL: return array_of<int8_t>(*this);
    }
    fail("a tensor of unknown type");
}

StoredModule::StoredModule(const Archive& archive) : archive_(archive) {
    const Pickled root = PickleReader::read(archive.content("data.pkl"));
    add_members(*root, "");
    check_stored();
}

const StoredTensor& StoredModule::tensor(const std::string& name) const {
    const auto item = tensors_.find(name);
    if (item == tensors_.end()) fail("the tensor " + name + " is missing");
    return item->second;
}

double StoredModule::number(const std::string& name) const {
    const auto item = numbers_.find(name);
    if (item == numbers_.end()) fail("the number " + name + " is missing");
    return item->second;
}

int64_t StoredModule::integer(const std::string& name) const {
    const auto item = integers_.find(name);
    if (item == integers_.end()) fail("the integer " + name + " is missing");
    return item->second;
}

// Objects, tensors and numbers of an object; lists and texts are left out.
void StoredModule::add_members(const PickledValue& object, const std::string& prefix) {
    if (!is(object, Kind::OBJECT, 3) || object.items[2]->kind != Kind::MAP) fail("data.pkl is not the pickle of a module");
    if (!objects_.insert(&object).second) fail("the module at " + prefix + " is also elsewhere");
    const auto& state = object.items[2]->items;
    std::set<std::string> names;
    for (size_t k = 0; k + 1 < state.size(); k += 2) {
        if (state[k]->kind != Kind::TEXT) fail("data.pkl has a member without a name");
        if (state[k]->text.size() > MAX_NAME || state[k]->text.find('.') != std::string_view::npos)
            fail("data.pkl has a member whose name is too long or has a dot");  // a.b would be the member b of a
        const std::string name = prefix + std::string(state[k]->text);
        const auto& value = *state[k + 1];
        if (!names.insert(name).second) fail("2 members are named " + name);
        if (is(value, Kind::OBJECT, 0)) add_members(value, name + ".");
        if (value.kind == Kind::NUMBER) numbers_[name] = value.number;
        if (value.kind == Kind::INTEGER) integers_[name] = value.integer;
        if (is(value, Kind::CALL, 2) && value.items[0]->text == TENSOR)
            tensors_.insert_or_assign(name, read_tensor(*value.items[1], name));
    }
}

// The arguments of torch._utils._rebuild_tensor_v2: storage, offset, shape, strides, …
StoredTensor StoredModule::read_tensor(const PickledValue& arguments, const std::string& name) {
    if (!is(arguments, Kind::TUPLE, 4) || arguments.items[1]->kind != Kind::INTEGER) fail(name + " is no tensor");
    StoredTensor tensor{};
    tensor.storage = read_storage(*arguments.items[0], tensor.type, name);
    tensor.offset = arguments.items[1]->integer;
    tensor.shape = integers(*arguments.items[2], name), tensor.strides = integers(*arguments.items[3], name);
    const int64_t n_stored = static_cast<int64_t>(tensor.storage.size()) / size_of(tensor.type);
    if (tensor.strides.size() != tensor.shape.size() || tensor.offset < 0 || tensor.offset > n_stored)
        fail(name + " has an impossible shape");
    if (std::find(tensor.shape.begin(), tensor.shape.end(), 0) != tensor.shape.end()) return tensor;
    int64_t count = 1, last = tensor.offset;
    for (size_t k = 0; k < tensor.shape.size(); ++k) {
        const int64_t n = tensor.shape[k];
        if (count > n_stored / n) fail(name + " has more numbers than its storage");
        count *= n;
        if (n > 1 && tensor.strides[k] > (n_stored - last) / (n - 1)) fail(name + " reads beyond its storage");
        last += (n - 1) * tensor.strides[k];
    }
    if (last >= n_stored) fail(name + " reads beyond its storage");
    return tensor;
}

// The persistent ID of a storage: "storage", type, key, device, number of numbers.
std::string_view StoredModule::read_storage(const PickledValue& storage, Type& type, const std::string& name) {
    if (!is(storage, Kind::STORAGE, 1) || !is(*storage.items[0], Kind::TUPLE, 5)) fail(name + " has no storage");
    const auto& id = storage.items[0]->items;
    const auto known = std::find_if(std::begin(STORAGES), std::end(STORAGES),
                                    [&](const auto& s) { return id[1]->kind == Kind::NAME && s.name == id[1]->text; });
    if (known == std::end(STORAGES) || id[2]->kind != Kind::TEXT || id[4]->kind != Kind::INTEGER)
        fail(name + " is of a type that no model of mdaug has");
    type = known->type;
    const std::string key(id[2]->text);
    const std::string_view bytes = archive_.content("data/" + key);
    if (id[4]->integer < 0 || id[4]->integer > MAX_COUNT ||
        static_cast<uint64_t>(id[4]->integer * known->size) != bytes.size())
        fail("its tensors have other sizes than the bytes stored for them");
    if (!types_.try_emplace(key, type).second && types_[key] != type) fail(name + " is of two types");
    return bytes;
}

void StoredModule::check_stored() const {
    for (const auto& name : archive_.names_in("data/"))
        if (!types_.contains(name)) fail("data/" + name + " belongs to no tensor");
}

}  // namespace mdaug::core
