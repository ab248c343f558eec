// SPDX-License-Identifier: MIT
// Reader of the zip file of a TorchScript model: sizes and checksums of its members, which torch does not check.
// After PKWARE's APPNOTE.TXT 6.3.10: end records 4.3.14 to 4.3.16, directory 4.3.12, 64-bit sizes 4.5.3.

#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace mdaug::core {

class Archive {
  public:
    struct Member {
        std::string name;
        uint64_t size;
    };

    // Reads the whole file. Throws std::runtime_error if it is not a zip file, or if the checksum of a stored member is
    // wrong; checking compressed members (the program, which the core does not run) is left to torch.
    explicit Archive(const std::string& path) : bytes_(std::filesystem::file_size(path)) {
        std::ifstream file(path, std::ios::binary);
        if (!file.read(bytes_.data(), static_cast<std::streamsize>(bytes_.size()))) fail("it cannot be read");
        uint64_t at = directory();
        while (at + 4 <= bytes_.size() && get<uint32_t>(at) == DIRECTORY_ENTRY) at = read_entry(at);
        if (members_.empty()) fail("its list of members is empty");
    }

    const std::vector<Member>& members() const { return members_; }

  private:
    static constexpr uint32_t END = 0x06054b50, END_64 = 0x06064b50, END_64_LOCATOR = 0x07064b50;
    static constexpr uint32_t DIRECTORY_ENTRY = 0x02014b50, FULL = 0xffffffff;

    std::vector<char> bytes_;
    std::vector<Member> members_;

    [[noreturn]] static void fail(const std::string& reason) { throw std::runtime_error(reason); }

    template <class T>
    T get(uint64_t at) const {  // zip files are little-endian, as are the processors that mdaug runs on
        if (at > bytes_.size() || bytes_.size() - at < sizeof(T)) fail("it ends early");
        T value;
        std::memcpy(&value, bytes_.data() + at, sizeof(T));
        return value;
    }

    uint64_t directory() const {
        constexpr uint64_t END_SIZE = 22, LONGEST_COMMENT = 65535;
        for (uint64_t back = END_SIZE; back <= bytes_.size() && back <= END_SIZE + LONGEST_COMMENT; ++back) {
            const uint64_t end = bytes_.size() - back;
            if (get<uint32_t>(end) != END) continue;
            if (end >= 20 && get<uint32_t>(end - 20) == END_64_LOCATOR) {
                const auto end_64 = get<uint64_t>(end - 12);
                if (get<uint32_t>(end_64) != END_64) fail("its 64-bit end record is missing");
                return get<uint64_t>(end_64 + 48);
            }
            return get<uint32_t>(end + 16);
        }
        fail("it is no zip file, or cut short");
    }

    uint64_t read_entry(uint64_t at) {
        const auto method = get<uint16_t>(at + 10);
        const auto checksum = get<uint32_t>(at + 16);
        const auto name_size = get<uint16_t>(at + 28), extra_size = get<uint16_t>(at + 30),
                   comment_size = get<uint16_t>(at + 32);
        uint64_t size = get<uint32_t>(at + 24), header = get<uint32_t>(at + 42);
        const uint64_t extra = at + 46 + name_size, next = extra + extra_size + comment_size;
        if (next > bytes_.size()) fail("it ends early");
        const std::string name(bytes_.data() + at + 46, name_size);
        widen(size, get<uint32_t>(at + 20) == FULL, header, extra, extra + extra_size);
        if (method == 0 && checksum != crc32(content(header, size), size)) fail("wrong checksum of " + name);
        members_.push_back({name, size});
        return next;
    }

    // Sizes that do not fit in 32 bits are in an extra field: uncompressed, compressed, offset of the member.
    void widen(uint64_t& size, bool compressed_is_wide, uint64_t& header, uint64_t at, uint64_t end) const {
        while (at + 4 <= end && get<uint16_t>(at) != 1) at += 4 + get<uint16_t>(at + 2);
        at += 4;
        if (at > end) return;
        if (size == FULL) size = get<uint64_t>(at), at += 8;
        if (compressed_is_wide) at += 8;
        if (header == FULL) header = get<uint64_t>(at);
    }

    const char* content(uint64_t header, uint64_t size) const {
        const uint64_t start = header + 30 + get<uint16_t>(header + 26) + get<uint16_t>(header + 28);
        if (start > bytes_.size() || bytes_.size() - start < size) fail("it ends early");
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
