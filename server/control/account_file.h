// Files of exported accounts (XEP-0227, Portable Import/Export Format for XMPP-IM Servers): read
// and written in pieces, because an archive may be larger than memory. Everything here blocks: call
// it on a worker.
#pragma once

#include "core/element.h"

#include <deque>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace epode {

inline constexpr std::string_view pieNs = "urn:xmpp:pie:0";
inline constexpr std::string_view pieScramNs = "urn:xmpp:pie:0#scram";
inline constexpr std::string_view pieArchiveNs = "urn:xmpp:pie:0#mam";

// The file can't be opened, read or written, or is no such file. The text names it.
class AccountFileError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

class AccountFileReader {
public:
    struct Item {
        enum class Kind {
            Host,     // <host/> begins
            User,     // <user/> begins
            Child,    // a child of <user/>, whole
            Offline,  // a message of <offline-messages/>
            Archive,  // a <result/> of <archive/>
            UserEnd,
            Unknown,  // something else at a place where it says nothing to us
        };
        Kind kind;
        Document element;  // of a host or user with its attributes alone; none at the end
    };

    explicit AccountFileReader(std::filesystem::path file);
    ~AccountFileReader();

    // The next items; none: the file has been read. Files that it includes by XInclude are read in
    // the place of their <include/>; they lie in the folder of the first file or below it.
    std::vector<Item> next();

private:
    struct Open;
    void open(const std::filesystem::path& file);
    void include(const Element& element);

    std::filesystem::path folder_;
    std::vector<std::unique_ptr<Open>> files_;  // the last is being read
};

// Writes a file that nobody else may read. It must not exist before, and is removed again unless
// `finish` was called.
class AccountFileWriter {
public:
    explicit AccountFileWriter(std::filesystem::path file);
    ~AccountFileWriter();
    AccountFileWriter(const AccountFileWriter&) = delete;
    AccountFileWriter& operator=(const AccountFileWriter&) = delete;

    void write(std::string_view text);
    void finish();  // to the disk
    std::uint64_t size() const { return size_; }

private:
    [[noreturn]] void fail() const;
    const std::filesystem::path file_;
    int descriptor_ = -1;
    std::uint64_t size_ = 0;
    bool isFinished_ = false;
};

}  // namespace epode
