// A room's archive (XEP-0313, 3.3.2 and 6.1.2): the same store as accounts', under the room's id.
//
// What is stored of a message ends with an <x xmlns='…muc#user'/> that says who has sent it.
// Clients can't put one there, so that its last one is ours and can be cut off for those who must
// not see addresses.
#include "service.h"

#include "errors.h"
#include "names.h"

#include "core/namespaces.h"
#include "route/archive_answer.h"
#include "route/archive_request.h"
#include "store/stores.h"

#include <algorithm>

namespace epode::muc {

namespace {

std::string_view withoutAuthor(std::string_view stanza, std::string& scratch) {
    static const std::string begin = "<x xmlns='" + std::string{names::user} + "'>";
    const auto at = stanza.rfind(begin);
    if (at == std::string_view::npos) return stanza;
    static constexpr std::string_view end = "</x>";
    const auto behind = stanza.find(end, at);
    if (behind == std::string_view::npos) return stanza;
    scratch.assign(stanza.substr(0, at)).append(stanza.substr(behind + end.size()));
    return scratch;
}

}  // namespace

// Who may enter now may read (6.1.2).
std::optional<StanzaError> Service::whyNotRead(const Room& room, const Jid& bare) const {
    const Affiliation affiliation = room.affiliationOf(bare);
    if (affiliation == Affiliation::Outcast) return forbidden("You are banned from this room.");
    if (affiliation >= Affiliation::Member || !room.byBare(bare).empty()) return std::nullopt;
    if (room.config.isMembersOnly) return forbidden("Only members read this archive.");
    if (room.config.isPasswordProtected)
        return forbidden("Enter the room with its password to read its archive.");
    return std::nullopt;
}

Task<Reply> Service::tellArchiveForm(const Iq& iq) {
    const auto room = co_await roomOf(iq);
    if (!room) co_return noSuchRoom();
    if (auto refusal = whyNotRead(*room, iq.from().bare())) co_return *refusal;
    Document answer{"query", mam::ns};
    mam::addForm(*answer);
    co_return Reply{std::move(answer)};
}

Task<Reply> Service::queryArchive(const Iq& iq) {
    const auto room = co_await roomOf(iq);
    if (!room) co_return noSuchRoom();
    const Jid bare = iq.from().bare();
    if (auto refusal = whyNotRead(*room, bare)) co_return *refusal;
    auto read = mam::readRequest(iq.payload(), limits_.pageMax);
    if (const auto* error = std::get_if<StanzaError>(&read)) co_return *error;
    auto& request = std::get<mam::Request>(read);
    request.query.account = room->id;
    bool seesAuthors =
        room->config.isNonAnonymous() || room->affiliationOf(bare) >= Affiliation::Admin;
    if (const Occupant* own = room->byClient(iq.from()))
        seesAuthors = seesAuthors || own->role == Role::Moderator;
    if (!request.query.with.empty()) {
        const auto with = Jid::parse(request.query.with);
        if (with && with->bareText() == room->address.text()) {
            // Whoever has the nickname now, or has reserved it: his messages have one occupant id,
            // so that this tells nobody more than he sees.
            const Occupant* named = room->byNick(with->resource());
            const auto nick =
                named ? std::nullopt : readNick(with->resource(), limits_.nickBytesMax);
            const Jid person = named ? named->bare : nick ? room->reserver(nick->key) : Jid{};
            if (person.empty())
                co_return StanzaError{Condition::ItemNotFound, "Nobody here has this nickname."};
            request.query.with = person.text();
        } else if (!seesAuthors) {
            co_return forbidden("Addresses are secret in this room.");
        } else if (with) {
            request.query.with = std::string{with->bareText()};
        }
    }
    // What has been told is stored: nothing has to be waited for.
    const auto page = co_await server_.stores().archive.query(request.query);
    if (page.isIdUnknown)
        co_return StanzaError{Condition::ItemNotFound, "An id of the query is not in the archive."};
    const std::string head = mam::resultHead(request.queryId);
    std::string scratch;
    const auto send = [&](const ArchiveEntry& entry) {
        std::string result;
        mam::appendResult(
            result, head, entry,
            seesAuthors ? std::string_view{entry.stanza} : withoutAuthor(entry.stanza, scratch));
        auto message = Stanza::message(StanzaType::Normal, room->address, iq.from());
        message->edit().add("result", mam::ns);
        message->setInner(result);
        server_.route(message);
    };
    if (request.isFlipped)
        std::for_each(page.entries.rbegin(), page.entries.rend(), send);
    else
        std::for_each(page.entries.begin(), page.entries.end(), send);
    co_return Reply{mam::fin(page)};
}

Task<Reply> Service::tellArchiveMetadata(const Iq& iq) {
    const auto room = co_await roomOf(iq);
    if (!room) co_return noSuchRoom();
    if (auto refusal = whyNotRead(*room, iq.from().bare())) co_return *refusal;
    const std::int64_t id = room->id;
    const auto found = co_await server_.stores().archive.metadata(id);
    Document answer{"metadata", mam::ns};
    mam::addMetadata(*answer, found);
    co_return Reply{std::move(answer)};
}

Task<void> Service::forget(std::int64_t room) {
    constexpr std::int64_t step = 500;
    co_await store_.remove(room);
    for (bool isMore = true; isMore;) {
        const WallTime everything = Executor::current()->wallNow() + std::chrono::hours{24 * 365};
        const auto deleted =
            co_await server_.stores().archive.purge(room, everything, std::size_t(step));
        isMore = deleted == step;
    }
}

// What is older than a room's owner wants it to be, bit by bit.
Task<Duration> Service::expire() {
    constexpr std::size_t step = 500;
    std::string domain = domain_;
    const auto rooms = co_await store_.limited(std::move(domain));
    const WallTime now = Executor::current()->wallNow();
    bool isMore = false;
    for (const auto& [id, days] : rooms) {
        const std::int64_t room = id;
        const WallTime before = now - std::chrono::hours{24 * days};
        const auto deleted = co_await server_.stores().archive.purge(room, before, step);
        isMore = isMore || deleted == std::int64_t(step);
    }
    const WallTime forgotten = now - std::chrono::hours{24 * limits_.auditDays};
    const auto entries = co_await store_.forgetAudit(domain_, forgotten, std::int64_t(step));
    isMore = isMore || entries == std::int64_t(step);
    co_return isMore ? Duration{std::chrono::seconds{1}} : Duration{std::chrono::hours{1}};
}

}  // namespace epode::muc
