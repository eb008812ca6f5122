// What an archive answers (XEP-0313, 4 and 5): results, the end of a page, metadata. For accounts
// and for rooms.
#pragma once

#include "core/element.h"
#include "store/archive_store.h"

#include <optional>
#include <string>
#include <string_view>

namespace epode::mam {

// The begin of each <result/>, which is the same for all of a query.
std::string resultHead(const std::optional<std::string>& queryId);

// Appends the <result/> of an entry; `stanza` is its message as the asker may see it. What is
// stored is not parsed to be sent.
void appendResult(std::string& out, std::string_view head, const ArchiveEntry& entry,
                  std::string_view stanza);

// <fin/> of a page.
Document fin(const ArchivePage& page);

// <start/> and <end/>; nothing of an empty archive.
void addMetadata(Element& answer, const std::optional<ArchiveMetadata>& range);

}  // namespace epode::mam
