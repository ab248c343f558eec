// SPDX-License-Identifier: MIT
// Reads the pickles in the file of a model as plain values; classes and functions that they name are kept as text, and
// nothing is called. Opcodes: Lib/pickletools.py of Python. Refuses what mdaug/pickles.py refuses: torch, which reads the
// same file elsewhere, ends the process when it frees containers that are nested too deeply.

#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace mdaug::core {

struct PickledValue;
using Pickled = std::shared_ptr<PickledValue>;

struct PickledValue {
    enum class Kind {
        NONE, INTEGER, NUMBER, TEXT,  // INTEGER: also true and false
        NAME,                         // of a class or function, "module name"
        TUPLE,                        // or a list; items
        MAP,                          // items: key, value, key, value …
        CALL,                         // items: function, arguments
        OBJECT,                       // items: class, arguments, and state if it has one
        STORAGE,                      // items: the tuple that describes the numbers of a tensor
    };
    Kind kind = Kind::NONE;
    int64_t integer = 0;
    double number = 0;
    std::string_view text;  // in the pickle's bytes
    std::vector<Pickled> items;
    int depth = 0;          // containers inside one another
    bool in_use = false;    // taken from the memo, so that its depth has been counted elsewhere
};

class PickleReader {
  public:
    static constexpr int MAX_DEPTH = 200;  // containers inside one another
    static constexpr uint64_t MAX_STEPS = 1'000'000;

    // The value of a pickle, whose bytes must outlive it. Throws std::runtime_error if the pickle is broken, too deep or too
    // long, or has opcodes that torch does not write.
    static Pickled read(std::string_view bytes) {
        PickleReader pickle(bytes);
        while (!pickle.ended_) pickle.step();
        return pickle.top();
    }

  private:
    using Kind = PickledValue::Kind;

    explicit PickleReader(std::string_view bytes) : bytes_(bytes) {}

    std::string_view bytes_;
    size_t at_ = 0;
    uint64_t n_steps_ = 0;
    bool ended_ = false;
    std::vector<Pickled> stack_;
    std::vector<size_t> marks_;  // heights of the stack
    std::map<uint64_t, Pickled> memo_;

    [[noreturn]] static void fail(const std::string& reason) { throw std::runtime_error("a pickle " + reason); }

    uint64_t number(int n_bytes) {
        uint64_t value = 0;
        for (int k = 0; k < n_bytes; ++k) value |= uint64_t{static_cast<unsigned char>(next())} << (8 * k);
        return value;
    }

    uint64_t big_endian() {
        uint64_t value = 0;
        for (int k = 0; k < 8; ++k) value = value << 8 | static_cast<unsigned char>(next());
        return value;
    }

    char next() {
        if (at_ >= bytes_.size()) fail("ends early");
        return bytes_[at_++];
    }

    std::string_view skip(uint64_t n) {
        if (n > bytes_.size() - at_) fail("ends early");
        at_ += n;
        return bytes_.substr(at_ - n, n);
    }

    // The module and the name of a class or function, a line each.
    std::string_view two_lines() {
        const size_t start = at_;
        for (int n = 0; n < 2; ++n)
            while (next() != '\n') continue;
        return bytes_.substr(start, at_ - start);
    }

    static int bounded(int depth) {
        if (depth > MAX_DEPTH) fail("of more than " + std::to_string(MAX_DEPTH) + " containers inside one another");
        return depth;
    }

    PickledValue& push(Kind kind) {
        stack_.push_back(std::make_shared<PickledValue>());
        stack_.back()->kind = kind;
        return *stack_.back();
    }
    void push_integer(int64_t value) { push(Kind::INTEGER).integer = value; }
    void push_text(Kind kind, std::string_view text) { push(kind).text = text; }

    const Pickled& top() const {
        if (stack_.empty()) fail("is broken");
        return stack_.back();
    }

    std::vector<Pickled> take_from(size_t start) {
        if (start > stack_.size()) fail("is broken");
        std::vector<Pickled> items(stack_.begin() + static_cast<int64_t>(start), stack_.end());
        stack_.resize(start);
        return items;
    }
    std::vector<Pickled> take(size_t n) { return take_from(n > stack_.size() ? SIZE_MAX : stack_.size() - n); }
    std::vector<Pickled> take_to_mark() {
        if (marks_.empty()) fail("is broken");
        const size_t start = marks_.back();
        marks_.pop_back();
        return take_from(start);
    }

    static void append(PickledValue& container, std::vector<Pickled>&& items) {
        int depth = 0;
        for (const auto& item : items) depth = std::max(depth, item->depth);
        container.depth = bounded(std::max(container.depth, depth + 1));
        container.items.insert(container.items.end(), items.begin(), items.end());
    }

    void push_container(Kind kind, std::vector<Pickled>&& items) { append(push(kind), std::move(items)); }

    void add(std::vector<Pickled>&& items) {
        if (top()->in_use) fail("that adds to an object in use");
        append(*top(), std::move(items));
    }

    void memorize(uint64_t index) {
        if (index > n_steps_) fail("with the memo index " + std::to_string(index));
        memo_[index] = top();
    }

    void recall(uint64_t index) {
        const auto item = memo_.find(index);
        if (item == memo_.end()) fail("is broken");
        item->second->in_use = true;
        stack_.push_back(item->second);
    }

    // Little-endian with a sign, of up to eight bytes.
    int64_t long_integer() {
        const auto n = number(1);
        if (n > 8) fail("with an integer of more than 64 bits");
        const uint64_t value = number(static_cast<int>(n));
        const int unused = static_cast<int>(64 - 8 * n);
        return n == 0 ? 0 : static_cast<int64_t>(value << unused) >> unused;
    }

    void step() {
        const char opcode = next();
        if (++n_steps_ > MAX_STEPS) fail("has more than " + std::to_string(MAX_STEPS) + " steps");
        switch (opcode) {
            case '.': ended_ = true; break;
            case '\x80': skip(1); break;  // protocol
            case 'N': push(Kind::NONE); break;
            case '\x88': case '\x89': push_integer(opcode == '\x88'); break;  // true, false
            case 'K': push_integer(static_cast<int64_t>(number(1))); break;
            case 'M': push_integer(static_cast<int64_t>(number(2))); break;
            case 'J': push_integer(static_cast<int32_t>(number(4))); break;
            case '\x8a': push_integer(long_integer()); break;
            case 'G': push(Kind::NUMBER).number = std::bit_cast<double>(big_endian()); break;
            case 'U': push_text(Kind::TEXT, skip(number(1))); break;
            case 'X': push_text(Kind::TEXT, skip(number(4))); break;
            case 'c': push_text(Kind::NAME, two_lines()); break;
            case ']': case ')': push(Kind::TUPLE); break;
            case '}': push(Kind::MAP); break;
            case 'q': memorize(number(1)); break;
            case 'r': memorize(number(4)); break;
            case 'h': recall(number(1)); break;
            case 'j': recall(number(4)); break;
            case '(': marks_.push_back(stack_.size()); break;
            case 't': case 'l': push_container(Kind::TUPLE, take_to_mark()); break;
            case 'd': push_container(Kind::MAP, take_to_mark()); break;
            case '\x85': case '\x86': case '\x87':
                push_container(Kind::TUPLE, take(static_cast<unsigned char>(opcode) - 0x84));
                break;
            case 'R': push_container(Kind::CALL, take(2)); break;
            case '\x81': push_container(Kind::OBJECT, take(2)); break;
            case 'Q': push_container(Kind::STORAGE, take(1)); break;
            case 'e': case 'u': add(take_to_mark()); break;  // items of a list, of a map
            case 'a': case 'b': add(take(1)); break;         // item of a list, state of an object
            case 's': add(take(2)); break;
            case '0': take(1); break;
            default: fail("with the opcode " + std::to_string(static_cast<unsigned char>(opcode)));
        }
    }
};

}  // namespace mdaug::core
