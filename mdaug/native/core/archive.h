// SPDX-License-Identifier: MIT
// Reader of the zip file of a TorchScript model, with checks of sizes and checksums of its members that torch does not make.
// After PKWARE's APPNOTE.TXT 6.3.10: end records 4.3.14 to 4.3.16, directory 4.3.12, local headers 4.3.7, 64-bit sizes
// 4.5.3. Refuses the files that mdaug/archives.py refuses: those in which torch, which reads the same file elsewhere, may
// find other members than this reader, or which unpack to far more bytes than they have.

#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pickle.h"

namespace mdaug::core {

class Archive {
  public:
    // Reads the whole file. Throws std::runtime_error if it is not a zip file of one folder, or if the checksum of a stored
    // member is wrong; compressed members (the program, which the core does not run) are not read.
    explicit Archive(const std::string& path) : Archive(bytes_of_file(path)) {}

    // The same for a file in memory, such as one inside another.
    explicit Archive(std::vector<char> bytes) : bytes_(std::move(bytes)) {
        const Directory directory = find_directory();
        uint64_t at = directory.begin;
        while (at < directory.end) at = read_entry(at, directory.end);
        if (names_.empty()) fail("its list of members is empty");
        if (names_.size() != directory.count) fail("its list of members has another length than it states");
        if (n_unpacked_ > std::max(ALWAYS_ALLOWED, MAX_RATIO * bytes_.size()))
            fail(std::to_string(bytes_.size()) + " bytes would unpack to " + std::to_string(n_unpacked_));
    }

    // Names without the folder.
    bool contains(const std::string& name) const { return names_.contains(lower(folder_ + "/" + name)); }

    // Throws std::runtime_error if there is no such member, or if it is compressed.
    std::string_view content(const std::string& name) const {
        const auto item = stored_.find(folder_ + "/" + name);
        if (item == stored_.end()) fail(name + (contains(name) ? " is compressed, which torch does not do" : " is missing"));
        return item->second;
    }

    // What follows `prefix` in the names of the stored members that begin with it.
    std::vector<std::string> names_in(const std::string& prefix) const {
        std::vector<std::string> names;
        const std::string start = folder_ + "/" + prefix;
        for (const auto& [name, bytes] : stored_)
            if (name.starts_with(start)) names.push_back(name.substr(start.size()));
        return names;
    }

  private:
    struct Directory {
        uint64_t begin, end, count;
    };

    static constexpr uint32_t END = 0x06054b50, END_64 = 0x06064b50, END_64_LOCATOR = 0x07064b50;
    static constexpr uint32_t DIRECTORY_ENTRY = 0x02014b50, LOCAL_HEADER = 0x04034b50, FULL = 0xffffffff;
    static constexpr uint16_t STORED = 0, DEFLATED = 8;
    static constexpr uint64_t MAX_RATIO = 20, ALWAYS_ALLOWED = uint64_t{1} << 28;

    std::vector<char> bytes_;
    std::map<std::string, std::string_view> stored_;  // members that are not compressed
    std::set<std::string> names_;                     // of all members, in lower case, as torch compares them
    std::string folder_;
    uint64_t n_packed_ = 0, n_unpacked_ = 0;

    [[noreturn]] static void fail(const std::string& reason) { throw std::runtime_error(reason); }

    static std::vector<char> bytes_of_file(const std::string& path) {
        std::vector<char> bytes(std::filesystem::file_size(path));
        std::ifstream file(path, std::ios::binary);
        if (!file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()))) fail("it cannot be read");
        return bytes;
    }

    template <class T>
    T get(uint64_t at) const {  // zip files are little-endian, as are the processors that mdaug runs on
        if (at > bytes_.size() || bytes_.size() - at < sizeof(T)) fail("it ends early");
        T value;
        std::memcpy(&value, bytes_.data() + at, sizeof(T));
        return value;
    }

    // The list of members ends where the end records begin, and nothing follows these.
    Directory find_directory() const {
        constexpr uint64_t END_SIZE = 22, LOCATOR_SIZE = 20, END_64_SIZE = 56;
        if (bytes_.size() < END_SIZE) fail("it is no zip file, or cut short");
        const uint64_t end = bytes_.size() - END_SIZE;
        if (get<uint32_t>(end) != END || get<uint16_t>(end + 20) != 0) fail("it is no zip file, or cut short");
        Directory place{get<uint32_t>(end + 16), end, get<uint16_t>(end + 10)};
        uint64_t size = get<uint32_t>(end + 12);
        if (end >= LOCATOR_SIZE && get<uint32_t>(end - LOCATOR_SIZE) == END_64_LOCATOR) {
            const uint64_t end_64 = end - LOCATOR_SIZE - END_64_SIZE;
            if (end < LOCATOR_SIZE + END_64_SIZE || get<uint64_t>(end - 12) != end_64 || get<uint32_t>(end_64) != END_64)
                fail("its 64-bit end record is missing");
            place = {get<uint64_t>(end_64 + 48), end_64, get<uint64_t>(end_64 + 32)};
            size = get<uint64_t>(end_64 + 40);
        }
        if (place.begin > place.end || place.end - place.begin != size) fail("its list of members is not where it states");
        return place;
    }

    uint64_t read_entry(uint64_t at, uint64_t end) {
        if (get<uint32_t>(at) != DIRECTORY_ENTRY) fail("its list of members is damaged");
        const auto flags = get<uint16_t>(at + 8), method = get<uint16_t>(at + 10);
        const auto checksum = get<uint32_t>(at + 16);
        const auto name_size = get<uint16_t>(at + 28), extra_size = get<uint16_t>(at + 30),
                   comment_size = get<uint16_t>(at + 32);
        uint64_t packed = get<uint32_t>(at + 20), size = get<uint32_t>(at + 24), header = get<uint32_t>(at + 42);
        const uint64_t extra = at + 46 + name_size, next = extra + extra_size + comment_size;
        if (next > end) fail("it ends early");
        const std::string name(bytes_.data() + at + 46, name_size);
        check_name(name);
        widen({&size, &packed, &header}, extra, extra + extra_size);
        if (flags & 1 || (method != STORED && method != DEFLATED)) fail(name + " is encrypted or packed in an unknown way");
        if (method == STORED && packed != size) fail(name + " has other sizes than it states");
        const char* data = bytes_of(header, packed, name);
        if (size > UINT64_MAX - n_unpacked_) fail(name + " is too large");
        n_packed_ += packed, n_unpacked_ += size;
        if (n_packed_ > bytes_.size()) fail("its members overlap");  // before their bytes are read again and again
        if (method == STORED && checksum != crc32(data, size)) fail("wrong checksum of " + name);
        check_pickle(name, method, {data, size});
        if (method == STORED) stored_[name] = {data, size};
        return next;
    }

    // The pickles of objects must be stored, so that they can be read; those of source ranges are read by torch only to
    // explain an error.
    static void check_pickle(const std::string& name, uint16_t method, std::string_view bytes) {
        const auto ends_in = [&](const std::string& end) {
            return name.size() >= end.size() && name.compare(name.size() - end.size(), end.size(), end) == 0;
        };
        if (method == STORED && ends_in("pkl")) PickleReader::read(bytes);
        if (method != STORED && ends_in(".pkl")) fail(name + " is compressed, which torch does not do");
    }

    // Names without distinction of upper and lower case, in one folder.
    void check_name(const std::string& name) {
        for (const char c : name)
            if (c < ' ' || c > '~') fail("the name of a member has characters beyond ASCII");
        const std::string folder = name.substr(0, name.find('/'));
        if (names_.empty()) folder_ = folder;
        if (!names_.insert(lower(name)).second) fail("2 members are named " + name + "; expected one");
        if (folder != folder_) fail("its members are in several folders, expected one folder");
    }

    static std::string lower(std::string name) {
        for (char& c : name)
            if (c >= 'A' && c <= 'Z') c += 'a' - 'A';
        return name;
    }

    // Numbers that do not fit in 32 bits are in an extra field, in the order size, packed size, offset of the member.
    void widen(const std::array<uint64_t*, 3>& numbers, uint64_t at, uint64_t end) const {
        while (at + 4 <= end && get<uint16_t>(at) != 1) at += 4 + get<uint16_t>(at + 2);
        if (at + 4 > end) return;
        const uint64_t field_end = at + 4 + get<uint16_t>(at + 2);
        at += 4;
        for (uint64_t* number : numbers) {
            if (*number != FULL) continue;
            if (field_end > end || at + 8 > field_end) fail("a 64-bit size is missing");
            *number = get<uint64_t>(at), at += 8;
        }
    }

    const char* bytes_of(uint64_t header, uint64_t size, const std::string& name) const {
        if (header > bytes_.size() || get<uint32_t>(header) != LOCAL_HEADER) fail(name + " is missing");
        const auto name_size = get<uint16_t>(header + 26);
        const uint64_t start = header + 30 + name_size + get<uint16_t>(header + 28);
        if (start > bytes_.size() || bytes_.size() - start < size) fail("it ends early");
        if (name != std::string(bytes_.data() + header + 30, name_size)) fail(name + " has another name in its header");
        return bytes_.data() + start;
    }

    // IEEE 802.3, four bytes at a time.
    static uint32_t crc32(const char* data, uint64_t n) {
        static const auto table = crc_table();
        uint32_t crc = FULL;
        for (; n >= 4; n -= 4, data += 4) {
            uint32_t word;
            std::memcpy(&word, data, 4);
            crc ^= word;
            crc = table[3][crc & 255] ^ table[2][crc >> 8 & 255] ^ table[1][crc >> 16 & 255] ^ table[0][crc >> 24];
        }
        for (; n > 0; --n, ++data) crc = crc >> 8 ^ table[0][(crc ^ static_cast<uint8_t>(*data)) & 255];
        return ~crc;
    }

    static std::array<std::array<uint32_t, 256>, 4> crc_table() {
        std::array<std::array<uint32_t, 256>, 4> table{};
        for (uint32_t i = 0; i < 256; ++i) {
            uint32_t crc = i;
            for (int bit = 0; bit < 8; ++bit) crc = crc & 1 ? crc >> 1 ^ 0xedb88320 : crc >> 1;
            table[0][i] = crc;
        }
        for (uint32_t i = 0; i < 256; ++i)
            for (int k = 1; k < 4; ++k) table[k][i] = table[k - 1][i] >> 8 ^ table[0][table[k - 1][i] & 255];
        return table;
    }
};

}  // namespace mdaug::core
