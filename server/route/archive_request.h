// What a client asks of an archive (XEP-0313, 4): the form, the page, the order. For archives of
// accounts and of rooms.
#pragma once

#include "core/stanza_error.h"
#include "store/archive_store.h"

#include <cstddef>
#include <optional>
#include <string>
#include <variant>

namespace epode::mam {

inline constexpr std::string_view ns = "urn:xmpp:mam:2";

struct Request {
    ArchiveQuery query;
    std::optional<std::string> queryId;
    bool isFlipped = false;  // the page is sent newest first
};

// Reads <query/>; `pageMax` is the most that a page holds, whatever was asked. An unknown field or id is
// an error, never "everything".
std::variant<Request, StanzaError> readRequest(const Element& query, std::size_t pageMax);

// The form that tells which fields are understood.
void addForm(Element& query);

}  // namespace epode::mam
