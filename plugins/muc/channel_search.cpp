// Extended Channel Search (XEP-0433): the rooms of this service by words, by address or by how many
// people are in them.
#include "service.h"

#include "errors.h"
#include "names.h"

#include "core/data_form.h"
#include "core/namespaces.h"
#include "core/precis.h"
#include "core/rsm.h"

#include <algorithm>
#include <charconv>

namespace epode::muc {

namespace {

constexpr std::string_view byUsers = "{urn:xmpp:channel-search:0:order}nusers";
constexpr std::string_view byAddress = "{urn:xmpp:channel-search:0:order}address";
constexpr std::string_view openToAll = "{urn:xmpp:channel-search:0:anonymity}none";
// What is looked through when the store can't answer by itself.
constexpr std::size_t lookedThroughMax = 2000;

StanzaError searchError(ErrorType type, Condition condition, std::string_view element,
                        std::string text) {
    StanzaError error{type, condition, std::move(text)};
    error.application = element;
    error.applicationNs = names::channelSearchErrors;
    return error;
}

// What a search asks for.
struct Wish {
    std::string words;
    bool inNames = true;
    bool inDescriptions = true;
    bool inAddresses = true;
    bool isByUsers = false;
    std::int64_t usersMin = 0;

    bool isSimple() const {
        return inNames && inDescriptions && inAddresses && !isByUsers && usersMin == 0;
    }
    bool fits(const RoomSummary& room, const std::string& key) const {
        if (room.occupants < usersMin) return false;
        const auto holds = [&key](const std::string& text) {
            const auto own = precis::nicknameKey(text);
            return own && own->find(key) != std::string::npos;
        };
        return key.empty() || (inNames && holds(room.config.name)) ||
               (inDescriptions && holds(room.config.description)) ||
               (inAddresses && holds(room.name));
    }
};

std::variant<Wish, StanzaError> readWish(const DataForm& form, std::size_t bytesMax) {
    Wish wish;
    const FormField* words = form.find("q");
    wish.words = form.text("q");
    const bool isAll = form.boolean("all").value_or(false);
    const bool hasWords = words && !wish.words.empty();
    if (isAll && hasWords)
        return searchError(ErrorType::Modify, Condition::BadRequest, "conflicting-fields",
                           "All rooms can't be searched for words as well.");
    if (!isAll && !words)
        return searchError(ErrorType::Cancel, Condition::BadRequest, "no-search-conditions",
                           "Say what you search for.");
    const bool isSearchable = precis::nicknameKey(wish.words).has_value();
    if (words && (!isSearchable || wish.words.size() > bytesMax) && !isAll)
        return searchError(ErrorType::Modify, Condition::BadRequest, "invalid-search-terms",
                           "There is no word in this that can be searched for.");
    const std::string_view key = form.text("key");
    if (!key.empty() && key != byUsers && key != byAddress)
        return searchError(ErrorType::Modify, Condition::FeatureNotImplemented, "invalid-sort-key",
                           "Rooms are sorted by address or by occupants.");
    wish.isByUsers = key == byUsers;
    if (hasWords) {
        wish.inNames = form.boolean("sinname").value_or(true);
        wish.inDescriptions = form.boolean("sindescription").value_or(true);
        wish.inAddresses =
            form.boolean("sinaddress").value_or(true) && form.boolean("sinaddr").value_or(true);
    }
    wish.usersMin = form.number("min_users").value_or(0);
    return wish;
}

Document formOfSearch() {
    Document answer{"search", names::channelSearch};
    DataForm form{FormKind::Form, names::channelSearchParams};
    form.add({.var = "q", .label = "Search for"});
    form.addBoolean("all", false, "All rooms (whatever is searched for)");
    form.addBoolean("sinname", true, "Search in names");
    form.addBoolean("sindescription", true, "Search in descriptions");
    form.addBoolean("sinaddress", true, "Search in addresses");
    form.addText("min_users", "0", "The least number of occupants");
    form.add({.var = "types",
              .type = FieldType::ListMulti,
              .label = "Kinds of services",
              .values = {"xep-0045"},
              .options = {{"xep-0045", "Rooms (XEP-0045)"}}});
    form.add(
        {.var = "key",
         .type = FieldType::ListSingle,
         .label = "Sort by",
         .values = {std::string{byAddress}},
         .options = {{std::string{byAddress}, "Address"}, {std::string{byUsers}, "Occupants"}}});
    form.addTo(*answer);
    return answer;
}

void addResult(Element& result, const RoomSummary& room, const std::string& address) {
    Element& item = result.add("item").set("address", address);
    item.addWithText("name", room.config.name.empty() ? room.name : room.config.name);
    if (!room.config.description.empty()) item.addWithText("description", room.config.description);
    if (!room.config.lang.empty()) item.addWithText("language", room.config.lang);
    item.addWithText("nusers", std::to_string(room.occupants));
    item.addWithText("service-type", "xep-0045");
    const bool isOpen = !room.config.isMembersOnly && !room.config.isPasswordProtected;
    item.addWithText("is-open", isOpen ? "true" : "false");
    item.addWithText("anonymity-mode",
                     room.config.isNonAnonymous() ? openToAll : "muc_semianonymous");
}

}  // namespace

Task<Reply> Service::searchChannels(const Iq& iq) {
    const Element* x = iq.payload().child("x", ns::dataForms);
    if (!x) co_return Reply{formOfSearch()};
    auto read = readPageRequest(iq.payload());
    if (const auto* error = std::get_if<StanzaError>(&read)) co_return *error;
    const auto& page = std::get<PageRequest>(read);
    const auto form = DataForm::read(*x);
    if (!form || form->formType() != names::channelSearchParams)
        co_return badRequest("This is no form of a search.");
    auto wished = readWish(*form, limits_.nameBytesMax);
    if (const auto* error = std::get_if<StanzaError>(&wished)) co_return *error;
    const auto& wish = std::get<Wish>(wished);
    const FormField* types = form->find("types");
    const bool isOurs =
        !types || types->values.empty() ||
        std::find(types->values.begin(), types->values.end(), "xep-0045") != types->values.end();

    Document answer{"result", names::channelSearch};
    if (!isOurs) co_return Reply{std::move(answer)};
    const std::size_t most =
        std::min<std::size_t>(page.max.value_or(std::uint32_t(limits_.pageMax)), limits_.pageMax);
    const auto addressOf = [this](const RoomSummary& room) { return room.name + "@" + domain_; };
    Page set;
    Store::Listing listing{.domain = domain_, .matching = wish.words};
    if (wish.isSimple()) {
        const auto after = page.after ? Jid::parse(*page.after) : std::nullopt;
        if (after) listing.after = after->local();
        listing.most = most;
        const auto listed = co_await store_.list(std::move(listing));
        for (const RoomSummary& room : listed.rooms) addResult(*answer, room, addressOf(room));
        if (!listed.rooms.empty()) {
            set.first = addressOf(listed.rooms.front());
            set.last = addressOf(listed.rooms.back());
            set.index = std::uint64_t(listed.index);
        }
        set.count = std::uint64_t(listed.count);
    } else {
        // Pages are places in the list as it is now.
        std::size_t begin = 0;
        if (page.after) {
            const std::string& text = *page.after;
            const auto [end, problem] =
                std::from_chars(text.data(), text.data() + text.size(), begin);
            if (problem != std::errc{} || end != text.data() + text.size())
                co_return StanzaError{Condition::ItemNotFound, "There is no such page."};
            ++begin;
        }
        listing.most = lookedThroughMax;
        auto listed = co_await store_.list(std::move(listing));
        const std::string key = precis::nicknameKey(wish.words).value_or(std::string{});
        std::erase_if(listed.rooms, [&](const RoomSummary& room) { return !wish.fits(room, key); });
        if (wish.isByUsers)
            std::stable_sort(listed.rooms.begin(), listed.rooms.end(),
                             [](const RoomSummary& a, const RoomSummary& b) {
                                 return a.occupants > b.occupants;
                             });
        const std::size_t end = std::min(listed.rooms.size(), begin + most);
        for (std::size_t i = begin; i < end; ++i)
            addResult(*answer, listed.rooms[i], addressOf(listed.rooms[i]));
        if (begin < end) {
            set.first = std::to_string(begin);
            set.last = std::to_string(end - 1);
            set.index = begin;
        }
        set.count = listed.rooms.size();
    }
    addPage(*answer, set);
    co_return Reply{std::move(answer)};
}

}  // namespace epode::muc
