// Message Archive Management (XEP-0313) with preferences (XEP-0441): the account's log, as its
// owner reads it page by page.
#include "core/metric.h"
#include "core/namespaces.h"
#include "plugin/plugin.h"
#include "route/account.h"
#include "route/archive_answer.h"
#include "route/archive_request.h"
#include "route/server.h"
#include "route/session.h"
#include "store/stores.h"

#include <algorithm>

namespace epode {
namespace {

constexpr QName query{mam::ns, "query"};
constexpr QName metadata{mam::ns, "metadata"};
constexpr QName prefs{mam::ns, "prefs"};

const Option<std::string> archiveDefault{
    .key = "archive.default",
    .fallback = "always",
    .choices = {"always", "roster", "never"},
    .help = "Whose messages are archived for an account that has not said otherwise.",
};
const Option<std::int64_t> pageMax{
    .key = "archive.page_max",
    .fallback = 100,
    .range = {1, 1000},
    .help = "The most messages in one page of an archive.",
};
const Option<std::int64_t> preferenceMax{
    .key = "archive.preferences_max",
    .fallback = 1000,
    .range = {10, 100000},
    .help = "How many addresses an account may list in its archiving preferences.",
};
const Option<Duration> expireAfter{
    .key = "archive.expire_after",
    .fallback = Duration{},
    .range = {Duration{}, std::chrono::hours{24 * 36500}},
    .help = "How long messages are kept, in the archive of every account; 0: for ever. What waits for a "
            "client that is away is kept until it is delivered.",
    .scope = Scope::Server,
};

// The sweep looks at this many entries at a time and rests in between for some times as long as that
// took, so that it leaves most of the writer to others.
constexpr std::size_t sweepEntries = 1000;
constexpr int restFactor = 4;
constexpr Duration restLeast = std::chrono::milliseconds{100};
constexpr Duration restMost = std::chrono::seconds{10};
constexpr Duration firstSweepAfter = std::chrono::minutes{1};
constexpr Duration sweepEvery = std::chrono::hours{1};

Counter expired{"epode_archive_expired_total", "Archived messages that were deleted for their age"};

using Fallback = ArchivePreferences::Fallback;

std::optional<Fallback> parseFallback(std::string_view text) {
    if (text == "always") return Fallback::Always;
    if (text == "never") return Fallback::Never;
    if (text == "roster") return Fallback::Roster;
    return std::nullopt;
}

std::string_view toText(Fallback fallback) {
    switch (fallback) {
        case Fallback::Always:
            return "always";
        case Fallback::Never:
            return "never";
        case Fallback::Roster:
            return "roster";
    }
    return {};
}

bool contains(const std::vector<std::string>& list, const Jid& jid) {
    return std::find(list.begin(), list.end(), jid.text()) != list.end() ||
           (!jid.isBare() && std::find(list.begin(), list.end(), jid.bareText()) != list.end());
}

class Archive final : public Plugin {
public:
    explicit Archive(PluginContext& context)
        : store_{context.server().stores().archive},
          database_{context.server().database()},
          default_{*parseFallback(context.value(archiveDefault))},
          pageMax_{std::size_t(context.value(pageMax))},
          preferenceMax_{std::size_t(context.value(preferenceMax))},
          expireAfter_{context.value(expireAfter)} {
        context.onIq(StanzaType::Get, query, Addressee::Account, this, &Archive::tellForm);
        context.onIq(StanzaType::Set, query, Addressee::Account, this, &Archive::answerQuery);
        context.onIq(StanzaType::Get, metadata, Addressee::Account, this, &Archive::tellMetadata);
        context.onIq(StanzaType::Get, prefs, Addressee::Account, this, &Archive::tellPreferences);
        context.onIq(StanzaType::Set, prefs, Addressee::Account, this, &Archive::setPreferences);
        context.on(&Services::archive, Phase::Act, this, &Archive::decide);
        context.on(&Services::incoming, Phase::Change, this, &Archive::removeForgedIds);
        context.on(&Services::outgoing, Phase::Change, this, &Archive::removeSentIds);
        context.onBinding(this, &Archive::greet);
        context.accountFeature(mam::ns);
        context.accountFeature("urn:xmpp:mam:2#extended");
        context.accountFeature(ns::stanzaIds);
        context.hostFeature(mam::ns);
        // The log is one for all hosts.
        if (expireAfter_.count() > 0 && context.isFirstHost())
            context.inBackground(firstSweepAfter, this, &Archive::sweep);
    }

private:
    // What the account wants kept; the server's rules have already said that it is worth keeping.
    Verdict decide(ArchiveEvent& event) {
        if (event.keep) return Verdict::Pass;
        const Jid& peer = event.outgoing ? event.message.to() : event.message.from();
        const auto& preferences = event.account.preferences();
        if (preferences && contains(preferences->never, peer)) {
            event.keep = false;
        } else if (preferences && contains(preferences->always, peer)) {
            event.keep = true;
        } else {
            const Fallback fallback = preferences ? preferences->fallback : default_;
            event.keep = fallback == Fallback::Always ||
                         (fallback == Fallback::Roster && isContact(event.account, peer));
        }
        return Verdict::Pass;
    }

    static bool isContact(const Account& account, const Jid& peer) {
        const Contact* contact = account.roster().find(peer.bare());
        return contact && contact->listed;
    }

    // Ids that claim to be ours are removed, else anybody could forge them (XEP-0359, 6). What the
    // account itself sends is kept in its archive too.
    Verdict removeForgedIds(IncomingEvent& event) {
        return removeIdsBy(event.account.jid(), event.stanza);
    }
    Verdict removeSentIds(OutgoingEvent& event) {
        return removeIdsBy(event.session.account().jid(), event.stanza);
    }

    static Verdict removeIdsBy(const Jid& own, StanzaEdit& stanza) {
        const auto isForged = [&own](const Element& child) {
            if (!child.is("stanza-id", ns::stanzaIds)) return false;
            if (child.get("by") == own.text()) return true;
            // Clients compare addresses, not their spelling.
            const auto by = Jid::parse(child.get("by"));
            return by && by->bareText() == own.text();
        };
        for (const Element& child : stanza->root().children()) {
            if (!isForged(child)) continue;
            stanza.change().edit().removeChildren(isForged);
            break;
        }
        return Verdict::Pass;
    }

    static StanzaError foreign() {
        return {Condition::Forbidden, "An archive is read by its owner alone."};
    }

    // ---- queries

    // Waits until what has been delivered can be read: a client may ask for what is behind a
    // message that it got a moment ago.
    Task<void> settle(const Account& account) {
        if (account.isLogSettled()) co_return;
        auto nothing = [](SqlConnection&) { return true; };
        auto write = database_.write(nothing);
        try {
            const auto settled = co_await write;
            (void)settled;
        } catch (const std::exception&) {
            // Nothing can be stored at the moment; what there is can still be read.
        }
    }

    Task<Reply> tellForm(const Iq& iq) {
        if (!iq.isToOwnAccount()) co_return foreign();
        Document answer{query.name, query.ns};
        mam::addForm(*answer);
        co_return Reply{std::move(answer)};
    }

    Task<Reply> answerQuery(const Iq& iq) {
        if (!iq.isToOwnAccount()) co_return foreign();
        auto read = mam::readRequest(iq.payload(), pageMax_);
        if (const auto* error = std::get_if<StanzaError>(&read)) co_return *error;
        auto& request = std::get<mam::Request>(read);
        request.query.account = iq.account()->id();

        co_await settle(*iq.account());
        const auto page = co_await store_.query(request.query);
        if (page.isIdUnknown)
            co_return StanzaError{Condition::ItemNotFound,
                                  "An id of the query is not in the archive."};
        Session* session = iq.sender();
        if (!session) co_return Reply::none();
        sendPage(*session, page, request);
        noteFetched(*iq.account(), page, request);
        co_return Reply{mam::fin(page)};
    }

    // The result goes along as text: what is stored is not parsed to be sent.
    static void sendPage(Session& session, const ArchivePage& page, const mam::Request& request) {
        const Jid own = session.jid().bare();
        const std::string head = mam::resultHead(request.queryId);
        std::string result;
        const auto send = [&](const ArchiveEntry& entry) {
            result.clear();
            mam::appendResult(result, head, entry, entry.stanza);
            session.deliver(Stanza::message(StanzaType::Normal, own, session.jid()), result);
        };
        if (request.isFlipped)
            std::for_each(page.entries.rbegin(), page.entries.rend(), send);
        else
            std::for_each(page.entries.begin(), page.entries.end(), send);
    }

    // A client that has read its messages here needs no offline delivery of them. A page holds all
    // that is in the archive from its one end to the other, and behind the begin of the query up to
    // there.
    static void noteFetched(Account& account, const ArchivePage& page,
                            const mam::Request& request) {
        const ArchiveQuery& query = request.query;
        if (page.entries.empty() || !query.with.empty() || !query.ids.empty()) return;
        std::int64_t first = toMilliseconds(page.entries.front().stamp());
        if (!query.isBackwards || page.isComplete) {
            first = query.start ? toMilliseconds(*query.start) : 0;
            for (const auto* after : {&query.afterId, &query.after})
                if (*after) first = std::max(first, toMilliseconds((*after)->stamp()) + 1);
        }
        account.fetched(first, toMilliseconds(page.entries.back().stamp()));
    }

    Task<Reply> tellMetadata(const Iq& iq) {
        if (!iq.isToOwnAccount()) co_return foreign();
        const AccountId account = iq.account()->id();
        co_await settle(*iq.account());
        const auto found = co_await store_.metadata(account);
        Document answer{metadata.name, metadata.ns};
        mam::addMetadata(*answer, found);
        co_return Reply{std::move(answer)};
    }

    // Bind 2 (XEP-0386, 3.2) tells the state of the archive, and its client reads what it hasn't got
    // here: nothing of that waits for it any more.
    Task<void> greet(Login& login) {
        Account* account = login.shard->loaded(login.account.text());
        if (!account) co_return;
        co_await settle(*account);
        const auto found = co_await store_.metadata(login.id);
        mam::addMetadata(login.bound->add(metadata.name, metadata.ns), found);
        if (!found) co_return;
        login.whenBound.push_back([last = toMilliseconds(found->last.stamp())](Session& session) {
            session.account().fetched(0, last);
        });
    }

    // ---- preferences

    Task<Reply> tellPreferences(const Iq& iq) {
        if (!iq.isToOwnAccount()) co_return foreign();
        co_return Reply{toElement(iq.account()->preferences())};
    }

    Task<Reply> setPreferences(const Iq& iq) {
        if (!iq.isToOwnAccount()) co_return foreign();
        const auto fallback = parseFallback(iq.payload().get("default"));
        if (!fallback)
            co_return StanzaError{Condition::BadRequest,
                                  "The attribute 'default' is always, never or roster."};
        ArchivePreferences wanted{.fallback = *fallback};
        const bool valid = readList(iq.payload().child("always"), wanted.always) &&
                           readList(iq.payload().child("never"), wanted.never);
        if (!valid)
            co_return StanzaError{Condition::JidMalformed, "One of the addresses is not valid."};
        if (wanted.always.size() + wanted.never.size() > preferenceMax_)
            co_return StanzaError{Condition::ResourceConstraint, "These are too many addresses."};
        const AccountId id = iq.account()->id();
        co_await store_.setPreferences(id, wanted);
        if (Account* account = iq.account()) account->setPreferences(wanted);
        co_return Reply{toElement(wanted)};
    }

    static bool readList(const Element* list, std::vector<std::string>& into) {
        if (!list) return true;
        for (const Element& item : list->children()) {
            if (item.name() != "jid") continue;
            const auto jid = Jid::parse(item.text());
            if (!jid) return false;
            into.push_back(jid->text());
        }
        return true;
    }

    Document toElement(const std::optional<ArchivePreferences>& preferences) const {
        Document answer{prefs.name, prefs.ns};
        answer->set("default", toText(preferences ? preferences->fallback : default_));
        Element& always = answer->add("always");
        Element& never = answer->add("never");
        if (preferences) {
            for (const auto& jid : preferences->always) always.addWithText("jid", jid);
            for (const auto& jid : preferences->never) never.addWithText("jid", jid);
        }
        return answer;
    }

    // ---- expiry

    Task<Duration> sweep() {
        Executor& executor = *Executor::current();
        const SteadyTime begin = executor.now();
        const auto age = std::chrono::duration_cast<std::chrono::milliseconds>(expireAfter_);
        const WallTime before = executor.wallNow() - age;
        const auto step = co_await store_.expire(before, position_, sweepEntries);
        expired.add(std::uint64_t(step.deleted));
        position_ = step.next.value_or(0);
        if (!step.next) co_return sweepEvery;
        const Duration took = executor.now() - begin;
        co_return std::clamp<Duration>(took * restFactor, restLeast, restMost);
    }

    ArchiveStore& store_;
    Database& database_;
    const Fallback default_;
    const std::size_t pageMax_;
    const std::size_t preferenceMax_;
    const Duration expireAfter_;
    std::int64_t position_ = 0;  // of the sweep, on its shard alone
};

const PluginInfo info{
    .name = "mam",
    .summary = "Archives messages and gives them back page by page",
    .implements = {{"XEP-0313", "1.1.3"},
                   {"XEP-0059", "1.0"},
                   {"XEP-0359", "0.7.0"},
                   {"XEP-0441", "0.2.0"}},
    .options = {&archiveDefault, &pageMax, &preferenceMax, &expireAfter},
};

}  // namespace

DECLARE_PLUGIN(Archive, info)

}  // namespace epode
