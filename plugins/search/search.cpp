// User search (XEP-0055): a directory of those who want to be found. Who wants to registers with it
// (XEP-0077), as with the user directories of old, and tells as much as he likes.
#include "core/quota.h"
#include "directory_request.h"
#include "directory_store.h"
#include "plugin/plugin.h"
#include "route/served_domain.h"
#include "store/keyed_store.h"
#include "store/stores.h"

namespace epode {
namespace {

using namespace search;

const Option<std::string> domain{
    .key = "search.domain",
    .fallback = "search.{host}",
    .help = "The address of the user directory.",
};
const Option<bool> everybody{
    .key = "search.everybody",
    .fallback = false,
    .help =
        "Whether accounts that never said anything are found by the name in their address (for a "
        "company, say). "
        "Who doesn't want that removes his registration.",
};
const Option<bool> strangers{
    .key = "search.strangers",
    .fallback = false,
    .help = "Whether users of other domains may search.",
};
const Option<std::int64_t> resultsMax{
    .key = "search.results_max",
    .fallback = 50,
    .range = {1, 1000},
    .help = "How many people one search finds at most.",
};
const Option<std::int64_t> perMinuteMax{
    .key = "search.per_minute_max",
    .fallback = 20,
    .range = {1, 10000},
    .help = "How many searches an account may make in a minute.",
};

constexpr QName searchQuery{searchNs, "query"};
constexpr QName registerQuery{registerNs, "query"};
constexpr std::int64_t registrationsPerHour = 20;
constexpr std::string_view searchHelp =
    "Fill in one or more fields. A * at the end stands for the rest. Found are people who have "
    "registered here.";
constexpr std::string_view registerHelp =
    "What you tell here can be found by others. Leave out what you don't want to tell.";

class Search final : public Plugin {
public:
    explicit Search(PluginContext& context)
        : server_{context.server()},
          host_{context.host()},
          store_{context.server().database()},
          vcards_{context.server().database(), "vcard"},
          isForEverybody_{context.value(everybody)},
          isForStrangers_{context.value(strangers)},
          resultsMax_{std::size_t(context.value(resultsMax))},
          searches_{context.value(perMinuteMax), std::chrono::minutes{1}},
          registrations_{registrationsPerHour, std::chrono::hours{1}} {
        ServedDomain& served = context.serve(context.value(domain));
        served.disco.identities.push_back({"directory", "user", "User directory"});
        served.disco.features.emplace_back(searchNs);
        served.disco.features.emplace_back(registerNs);
        context.onIq(StanzaType::Get, searchQuery, Addressee::Domain, served, this, &Search::ask);
        context.onIq(StanzaType::Set, searchQuery, Addressee::Domain, served, this, &Search::find);
        context.onIq(StanzaType::Get, registerQuery, Addressee::Domain, served, this,
                     &Search::tell);
        context.onIq(StanzaType::Set, registerQuery, Addressee::Domain, served, this,
                     &Search::change);
    }

private:
    Task<Reply> ask(const Iq& iq);
    Task<Reply> find(const Iq& iq);
    Task<Reply> tell(const Iq& iq);
    Task<Reply> change(const Iq& iq);
    Task<Fields> fromVcard(AccountId account);
    bool isOwn(const Jid& asker) const { return asker.hasLocal() && asker.domain() == host_; }
    bool maySearch(const Jid& asker) const { return isForStrangers_ || isOwn(asker); }

    Server& server_;
    const std::string host_;
    DirectoryStore store_;
    KeyedStore vcards_;  // of the plugin vcard: what people told there is suggested here
    const bool isForEverybody_;
    const bool isForStrangers_;
    const std::size_t resultsMax_;
    Quota searches_;
    Quota registrations_;
};

StanzaError foreign() {
    return {Condition::Forbidden, "This directory is for the users of this server."};
}
StanzaError tooOften() {
    return {ErrorType::Wait, Condition::ResourceConstraint,
            "This was done too often; try again later."};
}

Task<Reply> Search::ask(const Iq& iq) {
    if (!maySearch(iq.from())) co_return foreign();
    Document answer{searchQuery.name, searchQuery.ns};
    addQuestions(*answer, searchNs, "User search", searchHelp);
    co_return Reply{std::move(answer)};
}

Task<Reply> Search::find(const Iq& iq) {
    if (!maySearch(iq.from())) co_return foreign();
    const auto read = readRequest(iq.payload(), searchNs);
    if (const auto* problem = std::get_if<StanzaError>(&read)) co_return *problem;
    const auto& request = std::get<Request>(read);
    const auto wanted = readWishes(request.fields);
    if (const auto* problem = std::get_if<StanzaError>(&wanted)) co_return *problem;
    const auto& wishes = std::get<Wishes>(wanted);
    if (!searches_.take(iq.from().bareText(), iq.shard().executor().now())) co_return tooOften();

    auto people = co_await store_.find(host_, wishes, resultsMax_);
    const Wish& nick = wishes[std::size_t(Field::Nick)];
    const bool isByNickAlone =
        std::count_if(wishes.begin(), wishes.end(),
                      [](const Wish& wish) { return !wish.key.empty(); }) == 1 &&
        !nick.key.empty();
    if (isForEverybody_ && isByNickAlone && people.size() < resultsMax_) {
        const std::size_t room = resultsMax_ - people.size();
        const auto more = co_await store_.findUnlisted(host_, nick, room);
        people.insert(people.end(), more.begin(), more.end());
    }
    Document answer{searchQuery.name, searchQuery.ns};
    addPeople(*answer, people, request.way);
    co_return Reply{std::move(answer)};
}

// What somebody has told elsewhere already, for the form: it is told here only when he sends it.
Task<Fields> Search::fromVcard(AccountId account) {
    const std::string key = "vcard";
    const auto stored = co_await vcards_.get(account, key);
    const auto vcard = stored ? parseXml(*stored) : std::nullopt;
    Fields fields;
    if (!vcard) co_return fields;
    const Element* name = (*vcard)->child("N");
    const Element* email = (*vcard)->child("EMAIL");
    fields[std::size_t(Field::First)] = name ? name->childText("GIVEN") : std::string_view{};
    fields[std::size_t(Field::Last)] = name ? name->childText("FAMILY") : std::string_view{};
    fields[std::size_t(Field::Nick)] = (*vcard)->childText("NICKNAME");
    fields[std::size_t(Field::Email)] = email ? email->childText("USERID") : std::string_view{};
    for (auto& field : fields)
        if (field.size() > fieldBytesMax) field.clear();
    co_return fields;
}

Task<Reply> Search::tell(const Iq& iq) {
    if (!isOwn(iq.from())) co_return foreign();
    std::string jid{iq.from().bareText()};
    const auto account = co_await server_.stores().accounts.find(std::move(jid));
    if (!account) co_return foreign();
    const auto listing = co_await store_.find(*account);
    const bool isListed = listing && !listing->isHidden;
    Fields known;
    if (isListed) {
        known = listing->fields;
    } else {
        auto suggested = co_await fromVcard(*account);
        known = std::move(suggested);
    }
    Document answer{registerQuery.name, registerQuery.ns};
    if (isListed) answer->add("registered");
    addQuestions(*answer, registerNs, "User directory", registerHelp, known);
    co_return Reply{std::move(answer)};
}

Task<Reply> Search::change(const Iq& iq) {
    if (!isOwn(iq.from())) co_return foreign();
    const bool isRemoval = iq.payload().child("remove") != nullptr;
    if (isRemoval && iq.payload().children().size() != 1)
        co_return StanzaError{Condition::BadRequest, "A removal stands alone."};
    const auto read = readRequest(iq.payload(), registerNs);
    if (const auto* problem = std::get_if<StanzaError>(&read)) co_return *problem;
    Listing listing{.fields = std::get<Request>(read).fields, .isHidden = isRemoval};
    if (!isRemoval) {
        if (const auto problem = problemWith(listing.fields)) co_return *problem;
    }
    if (!registrations_.take(iq.from().bareText(), iq.shard().executor().now()))
        co_return tooOften();
    std::string jid{iq.from().bareText()};
    const auto account = co_await server_.stores().accounts.find(std::move(jid));
    if (!account) co_return foreign();
    if (isRemoval && !isForEverybody_) {
        const bool was = co_await store_.remove(*account);
        if (!was)
            co_return StanzaError{Condition::RegistrationRequired,
                                  "You are not in this directory."};
    } else {
        co_await store_.put(*account, host_, std::move(listing));
    }
    co_return Reply{};
}

const PluginInfo info{
    .name = "search",
    .summary = "A directory of those who want to be found",
    .implements = {{"XEP-0055", "1.3"}},
    .options = {&domain, &everybody, &strangers, &resultsMax, &perMinuteMax},
    .migrations = {&DirectoryStore::migration},
    .accountTables = {DirectoryStore::table},
};

}  // namespace

DECLARE_PLUGIN(Search, info)

}  // namespace epode
