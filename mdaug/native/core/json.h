// SPDX-License-Identifier: MIT
// A minimal JSON reader for manifests: values of the outermost object, as mdaug writes it.

#pragma once

#include <string>
#include <vector>

namespace mdaug::core {

// The text of the value of `key` in the outermost object; empty if there is none.
inline std::string json_value(const std::string& text, const std::string& key) {
    int depth = 0;
    for (size_t at = 0; at < text.size(); ++at) {
        const char c = text[at];
        if (c == '{' || c == '[') ++depth;
        if (c == '}' || c == ']') --depth;
        if (c != '"') continue;
        size_t end = at + 1;
        while (end < text.size() && text[end] != '"') end += text[end] == '\\' ? 2 : 1;
        const size_t colon = text.find_first_not_of(" \t\r\n", end + 1);
        if (depth == 1 && colon < text.size() && text[colon] == ':' && text.compare(at + 1, end - at - 1, key) == 0) {
            const size_t begin = text.find_first_not_of(" \t\r\n", colon + 1);
            size_t stop = begin;
            for (int inner = 0; stop < text.size(); ++stop) {
                if (text[stop] == '"')
                    while (++stop < text.size() && text[stop] != '"') stop += text[stop] == '\\';
                else if (text[stop] == '{' || text[stop] == '[') ++inner;
                else if (inner == 0 && (text[stop] == ',' || text[stop] == '}' || text[stop] == '\n')) break;
                else if (text[stop] == '}' || text[stop] == ']') --inner;
            }
            return text.substr(begin, stop - begin);
        }
        at = end;
    }
    return {};
}

// The texts of the objects in a JSON array of objects.
inline std::vector<std::string> json_objects(const std::string& array) {
    std::vector<std::string> objects;
    size_t begin = 0;
    int depth = 0;
    for (size_t at = 0; at < array.size(); ++at) {
        if (array[at] == '"')
            while (++at < array.size() && array[at] != '"') at += array[at] == '\\';
        else if (array[at] == '{' && depth++ == 0) begin = at;
        else if (array[at] == '}' && --depth == 0) objects.push_back(array.substr(begin, at + 1 - begin));
    }
    return objects;
}

// The strings in a JSON string or array of strings (without escapes, which symbols and names do not need).
inline std::vector<std::string> json_strings(const std::string& value) {
    std::vector<std::string> strings;
    for (size_t at = value.find('"'); at != std::string::npos; at = value.find('"', at)) {
        const size_t end = value.find('"', at + 1);
        if (end == std::string::npos) break;
        strings.push_back(value.substr(at + 1, end - at - 1));
        at = end + 1;
    }
    return strings;
}

}  // namespace mdaug::core
