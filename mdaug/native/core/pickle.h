// SPDX-License-Identifier: MIT
// Follows the opcodes of a pickle in the file of a model without making its objects, as mdaug/pickles.py does: torch ends
// the process when it frees containers that are nested too deeply. Opcodes: Lib/pickletools.py of Python.

#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace mdaug::core {

class PickleDepths {
  public:
    static constexpr int MAX_DEPTH = 200;  // containers inside one another

    // Throws std::runtime_error if the pickle is broken, too deep, or has opcodes that torch does not write.
    static void check(std::string_view bytes) {
        PickleDepths pickle(bytes);
        while (!pickle.ended_) pickle.step();
    }

  private:
    explicit PickleDepths(std::string_view bytes) : bytes_(bytes) {}

    std::string_view bytes_;
    size_t at_ = 0;
    uint64_t n_steps_ = 0;
    bool ended_ = false;
    std::vector<int> depth_;      // of each object, by its number
    std::vector<size_t> stack_;   // numbers of objects
    std::vector<size_t> marks_;   // heights of the stack
    std::map<uint64_t, size_t> memo_;
    std::set<size_t> used_;       // objects taken from the memo, whose depth has been counted elsewhere

    [[noreturn]] static void fail(const std::string& reason) { throw std::runtime_error("a pickle " + reason); }

    uint64_t number(int n_bytes) {
        uint64_t value = 0;
        for (int k = 0; k < n_bytes; ++k) value |= uint64_t{static_cast<unsigned char>(next())} << (8 * k);
        return value;
    }

    char next() {
        if (at_ >= bytes_.size()) fail("ends early");
        return bytes_[at_++];
    }

    void skip(uint64_t n) {
        if (n > bytes_.size() - at_) fail("ends early");
        at_ += n;
    }

    void skip_line() {
        while (next() != '\n') continue;
    }

    static int bounded(int depth) {
        if (depth > MAX_DEPTH) fail("of more than " + std::to_string(MAX_DEPTH) + " containers inside one another");
        return depth;
    }

    void push(int depth) {
        stack_.push_back(depth_.size());
        depth_.push_back(bounded(depth));
    }

    size_t top() const {
        if (stack_.empty()) fail("is broken");
        return stack_.back();
    }

    // Takes all objects from `start` on and returns the depth of what contains them.
    int take_from(size_t start) {
        if (start > stack_.size()) fail("is broken");
        int depth = 0;
        for (size_t k = start; k < stack_.size(); ++k) depth = std::max(depth, depth_[stack_[k]]);
        stack_.resize(start);
        return depth + 1;
    }
    int take(size_t n) { return take_from(n > stack_.size() ? SIZE_MAX : stack_.size() - n); }
    int take_to_mark() {
        if (marks_.empty()) fail("is broken");
        const size_t start = marks_.back();
        marks_.pop_back();
        return take_from(start);
    }

    void add(int depth) {
        if (used_.count(top())) fail("that adds to an object in use");
        depth_[top()] = bounded(std::max(depth, depth_[top()]));
    }

    void memorize(uint64_t index) {
        if (index > n_steps_) fail("with the memo index " + std::to_string(index));
        memo_[index] = top();
    }

    void recall(uint64_t index) {
        const auto item = memo_.find(index);
        if (item == memo_.end()) fail("is broken");
        used_.insert(item->second);
        stack_.push_back(item->second);
    }

    void step() {
        const char opcode = next();
        ++n_steps_;
        switch (opcode) {
            case '.': ended_ = true; break;
            case '\x80': skip(1); break;                                                     // protocol
            case 'N': case '\x88': case '\x89': case ']': case ')': case '}': push(0); break;  // None, bool, empty
            case 'K': skip(1), push(0); break;                                               // integers
            case 'M': skip(2), push(0); break;
            case 'J': skip(4), push(0); break;
            case '\x8a': case 'U': skip(number(1)), push(0); break;                          // long integer, text
            case 'X': skip(number(4)), push(0); break;
            case 'G': skip(8), push(0); break;                                               // double
            case 'c': skip_line(), skip_line(), push(0); break;                              // class or function
            case 'q': memorize(number(1)); break;
            case 'r': memorize(number(4)); break;
            case 'h': recall(number(1)); break;
            case 'j': recall(number(4)); break;
            case '(': marks_.push_back(stack_.size()); break;
            case 't': case 'l': case 'd': push(take_to_mark()); break;                       // tuple, list, dict
            case '\x85': case '\x86': case '\x87': push(take(static_cast<unsigned char>(opcode) - 0x84)); break;
            case 'R': case '\x81': push(take(2)); break;                                     // call, new object
            case 'Q': push(take(1)); break;                                                  // storage of a tensor
            case 'e': case 'u': add(take_to_mark()); break;                                  // items of a list, dict
            case 'a': case 'b': add(take(1)); break;                                         // item, state
            case 's': add(take(2)); break;
            case '0': take(1); break;
            default: fail("with the opcode " + std::to_string(static_cast<unsigned char>(opcode)));
        }
    }
};

}  // namespace mdaug::core
