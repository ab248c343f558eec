// SPDX-License-Identifier: MIT
// A JSON reader for manifests. It takes what mdaug/archives.py (parse_json) takes and refuses the rest: text in which a
// key occurs twice, or that is nested too deeply, means different things to two programs, or ends one of them.

#pragma once

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

namespace mdaug::core {

// Text of a file, safe for a terminal: characters beyond printable ASCII as question marks.
inline std::string printable(std::string text) {
    for (char& c : text)
        if (c < ' ' || c > '~') c = '?';
    return text;
}

class JsonReader {
  public:
    static constexpr int MAX_DEPTH = 200;                   // containers inside one another
    static constexpr size_t MAX_BYTES = size_t{1} << 26;    // of the text
    static constexpr const char* INTEGER_LIMIT = "340282366920938463463374607431768211456";  // 2^128

    // The text must outlive the reader.
    explicit JsonReader(const std::string& text) : text_(text) {}

    // Throws std::runtime_error unless the text is one value.
    void check() {
        if (text_.size() > MAX_BYTES) fail("more than " + std::to_string(MAX_BYTES) + " bytes");
        if (!is_utf8()) fail("its text is not UTF-8");
        value();
        if (peek()) fail("something follows its end");
    }

    // Calls visit(key, text of the value) for each member of an object; nothing for other values.
    template <class Visit>
    void each_member(const Visit& visit) {
        if (peek() == '{') members(visit);
    }

    // Calls visit(text of the value) for each item of an array; nothing for other values.
    template <class Visit>
    void each_item(const Visit& visit) {
        if (peek() == '[') items(visit);
    }

    // The decoded characters of a string, in UTF-8.
    std::string string() {
        if (peek() != '"') fail("a string is missing");
        std::string decoded;
        for (++at_;; ++at_) {
            if (at_ >= text_.size()) fail("a string has no end");
            const auto c = static_cast<unsigned char>(text_[at_]);
            if (c == '"') break;
            if (c < 32) fail("a string has a control character");
            if (c == '\\')
                escape(decoded);
            else
                decoded += text_[at_];
        }
        ++at_;
        return decoded;
    }

    char peek() {  // the next character that is no white space; 0 at the end
        while (at_ < text_.size() && is_space(text_[at_])) ++at_;
        return at_ < text_.size() ? text_[at_] : 0;
    }

  private:
    const std::string& text_;
    size_t at_ = 0;
    int depth_ = 0;

    [[noreturn]] static void fail(const std::string& reason) { throw std::runtime_error("no JSON: " + reason); }

    void expect(char c) {
        if (peek() != c) fail(std::string("expected ") + c);
        ++at_;
    }

    void value() {
        const char c = peek();
        if (c == '{')
            members([](const std::string&, const std::string&) {});
        else if (c == '[')
            items([](const std::string&) {});
        else if (c == '"')
            string();
        else if (c == '-' || is_digit(c))
            number();
        else if (!word("true") && !word("false") && !word("null"))
            fail("a value is missing");
    }

    std::string text_of_value() {
        peek();
        const size_t begin = at_;
        value();
        return text_.substr(begin, at_ - begin);
    }

    template <class Visit>
    void members(const Visit& visit) {
        enter();
        std::set<std::string> keys;
        if (peek() != '}') do {
                const auto key = string();
                if (!keys.insert(key).second) fail("the key '" + printable(key) + "' occurs twice");
                expect(':');
                visit(key, text_of_value());
            } while (next());
        expect('}');
        --depth_;
    }

    template <class Visit>
    void items(const Visit& visit) {
        enter();
        if (peek() != ']') do
                visit(text_of_value());
            while (next());
        expect(']');
        --depth_;
    }

    void enter() {
        if (++depth_ > MAX_DEPTH) fail("it nests too deeply");
        ++at_;
    }

    bool next() {
        if (peek() != ',') return false;
        ++at_;
        return true;
    }

    bool word(const std::string& expected) {
        if (text_.compare(at_, expected.size(), expected) != 0) return false;
        at_ += expected.size();
        return true;
    }

    static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
    static bool is_digit(char c) { return c >= '0' && c <= '9'; }
    bool digit_here() const { return at_ < text_.size() && is_digit(text_[at_]); }

    void digits() {
        if (!digit_here()) fail("a digit is missing");
        while (digit_here()) ++at_;
    }

    void number() {
        const size_t begin = at_;
        if (text_[at_] == '-') ++at_;
        const size_t first = at_;
        digits();
        const size_t n = at_ - first;
        if (n > 1 && text_[first] == '0') fail("a number begins with 0");
        bool is_integer = true;
        if (at_ < text_.size() && text_[at_] == '.') ++at_, digits(), is_integer = false;
        if (at_ < text_.size() && (text_[at_] == 'e' || text_[at_] == 'E')) {
            ++at_;
            if (at_ < text_.size() && (text_[at_] == '+' || text_[at_] == '-')) ++at_;
            digits();
            is_integer = false;
        }
        const std::string limit = INTEGER_LIMIT, text = text_.substr(begin, at_ - begin);
        const bool too_large = is_integer ? n > limit.size() || (n == limit.size() && text_.substr(first, n) >= limit)
                                          : !std::isfinite(std::strtod(text.c_str(), nullptr));
        if (too_large) fail(text.substr(0, 40) + " is too large");
    }

    void escape(std::string& decoded) {
        const std::string from = "\"\\/bfnrt", to = "\"\\/\b\f\n\r\t";
        const char c = ++at_ < text_.size() ? text_[at_] : 0;
        if (c == 'u') {
            uint32_t code = hexadecimal();
            if (code >= 0xd800 && code < 0xdc00 && text_.compare(at_ + 1, 2, "\\u") == 0) {  // half of a pair
                const size_t before = at_;
                at_ += 2;
                const uint32_t low = hexadecimal();
                if (low >= 0xdc00 && low < 0xe000)
                    code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
                else
                    at_ = before;
            }
            append(code, decoded);
        } else {
            const size_t which = c ? from.find(c) : std::string::npos;
            if (which == std::string::npos) fail("a string has an unknown escape");
            decoded += to[which];
        }
    }

    uint32_t hexadecimal() {  // four digits after the present character
        uint32_t code = 0;
        for (int k = 0; k < 4; ++k) {
            const size_t digit = ++at_ < text_.size()
                                     ? std::string("0123456789abcdef").find(static_cast<char>(text_[at_] | 32))
                                     : std::string::npos;
            if (digit == std::string::npos || (digit < 10 && !is_digit(text_[at_]))) fail("a string has an unknown escape");
            code = code << 4 | static_cast<uint32_t>(digit);
        }
        return code;
    }

    static void append(uint32_t code, std::string& text) {
        const int more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
        constexpr uint32_t HEADS[] = {0, 0xc0, 0xe0, 0xf0};
        text += static_cast<char>(HEADS[more] | code >> (6 * more));
        for (int k = more - 1; k >= 0; --k) text += static_cast<char>(0x80 | (code >> (6 * k) & 0x3f));
    }

    bool is_utf8() const {
        constexpr uint32_t SMALLEST[] = {0, 0x80, 0x800, 0x10000};
        for (size_t at = 0; at < text_.size(); ++at) {
            const auto c = static_cast<unsigned char>(text_[at]);
            if (c < 0x80) continue;
            const int more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
            uint32_t code = c & (0x3f >> more);
            if (c < 0xc0 || c >= 0xf8) return false;
            for (int k = 0; k < more; ++k) {
                if (++at >= text_.size() || (text_[at] & 0xc0) != 0x80) return false;
                code = code << 6 | (text_[at] & 0x3f);
            }
            if (code < SMALLEST[more] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return false;
        }
        return true;
    }
};

// The functions below take text that JsonReader::check has passed, or an empty one.

// The text of the value of `key` in an object; empty if there is none.
inline std::string json_value(const std::string& text, const std::string& key) {
    std::string found;
    JsonReader(text).each_member([&](const std::string& name, const std::string& value) {
        if (name == key) found = value;
    });
    return found;
}

// The texts of the objects in an array.
inline std::vector<std::string> json_objects(const std::string& array) {
    std::vector<std::string> objects;
    JsonReader(array).each_item([&](const std::string& item) {
        if (item[0] == '{') objects.push_back(item);
    });
    return objects;
}

// The strings in an array, or the string itself.
inline std::vector<std::string> json_strings(const std::string& value) {
    std::vector<std::string> strings;
    if (!value.empty() && value[0] == '"') strings.push_back(JsonReader(value).string());
    JsonReader(value).each_item([&](const std::string& item) {
        if (item[0] == '"') strings.push_back(JsonReader(item).string());
    });
    return strings;
}

// A number; throws std::runtime_error for another value.
inline double json_number(const std::string& value) {
    const char c = value.empty() ? 0 : value[0];
    if (c != '-' && (c < '0' || c > '9')) throw std::runtime_error("expected a number, found " + printable(value.substr(0, 40)));
    return std::strtod(value.c_str(), nullptr);
}

// The numbers in an array; throws std::runtime_error if another value is among them.
inline std::vector<double> json_numbers(const std::string& array) {
    std::vector<double> numbers;
    JsonReader(array).each_item([&](const std::string& item) { numbers.push_back(json_number(item)); });
    return numbers;
}

}  // namespace mdaug::core
