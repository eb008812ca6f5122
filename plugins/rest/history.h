// Queries of archives (XEP-0313), and what comes of them.
#pragma once

#include "client.h"

#include "core/jid.h"
#include "core/time.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace epode::rest {

struct Span {
    Jid with{};  // nobody: all
    std::optional<WallTime> start{};
    std::optional<WallTime> end{};
    std::string after{};  // ids
    std::string before{};
    std::size_t limit = 50;
    bool isFromStart = false;  // the oldest page first, when no id is given
};

// `archive`: a room, or nobody for the own account.
MutableStanzaPtr archiveRequest(const Jid& archive, const Span& span, std::string_view queryId);

// Views into what was answered.
struct ArchivePiece {
    struct Entry {
        std::string_view id;
        const Element* message;
        std::optional<WallTime> at;
    };
    std::vector<Entry> entries;  // oldest first
    bool isComplete = false;
};
ArchivePiece readArchive(const Client::Answered& answered);

}  // namespace epode::rest
