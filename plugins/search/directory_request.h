// What clients send to the directory and get from it (XEP-0055, XEP-0077): plain elements, or a
// data form.
#pragma once

#include "core/data_form.h"
#include "core/element.h"
#include "core/stanza_error.h"
#include "directory_store.h"

#include <span>
#include <variant>
#include <vector>

namespace epode::search {

inline constexpr std::string_view searchNs = "jabber:iq:search";
inline constexpr std::string_view registerNs = "jabber:iq:register";
inline constexpr std::size_t fieldBytesMax = 256;
// So many letters stand at least before a `*`: with fewer of them a list of everybody would be had.
inline constexpr std::size_t lettersBeforeStar = 2;

enum class Way : std::uint8_t { Elements, Form };

struct Request {
    Way way = Way::Elements;
    Fields fields;  // without blanks around them
};

// Reads a search or a registration; `formType` is its namespace.
std::variant<Request, StanzaError> readRequest(const Element& query, std::string_view formType);

// What is looked for: each field that is not empty, as a whole, or with a `*` at its end the begin
// of it.
std::variant<Wishes, StanzaError> readWishes(const Fields& fields);

// What somebody tells about himself: at least one field, all of them searchable.
std::optional<StanzaError> problemWith(const Fields& listing);

// Asks for the fields, in both ways; `known` is what they hold already.
void addQuestions(Element& query, std::string_view formType, std::string_view title,
                  std::string_view instructions, const Fields& known = {});

// An empty query when nobody was found (XEP-0055, 2.1).
void addPeople(Element& query, std::span<const Person> people, Way way);

}  // namespace epode::search
