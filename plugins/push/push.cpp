// Push Notifications (XEP-0357): who has no connection is woken by a service that the client has
// named.
#include "core/data_form.h"
#include "core/log.h"
#include "core/namespaces.h"
#include "delivery.h"
#include "mention.h"
#include "notification.h"
#include "plugin/plugin.h"
#include "push_store.h"
#include "registrations.h"

#include <algorithm>

namespace epode {
namespace {

const Log pushLog{"push"};

using push::Registration;
using push::Registrations;

constexpr std::string_view pushNs = "urn:xmpp:push:0";
constexpr std::size_t nodeBytesMax = 1023;
// A client whose connection was lost mostly comes back by itself.
constexpr auto hibernationDelay = std::chrono::seconds{5};

const Option<std::int64_t> registrationsMax{
    .key = "push.registrations_max",
    .fallback = 10,
    .range = {1, 1000},
    .help = "How many push services the clients of an account may name.",
};
const Option<Bytes> optionsBytesMax{
    .key = "push.options_bytes_max",
    .fallback = 4_KiB,
    .range = {256_B, 64_KiB},
    .help = "The largest form that a client gives along for its push service.",
};

StanzaError foreign() {
    return {Condition::Forbidden, "Push services are named by the account's own clients."};
}
StanzaError noService() {
    return {Condition::BadRequest, "A push service has an address ('jid')."};
}

Session* connected(Account& account, const Registration& registration) {
    Session* session = account.session(registration.stored.resource);
    return session && session->outlet() ? session : nullptr;
}

// Registrations, by service and node: they may go while somebody is asked.
using Names = std::vector<std::pair<std::string, std::string>>;

// What the account has said about the chat (XEP-0492).
Task<Notifications> wishFor(ChatSettings* settings, Jid owner, Jid chat) {
    if (!settings) co_return Notifications::Unset;
    try {
        auto asked = settings->notificationsOf(std::move(owner), std::move(chat));
        const auto wish = co_await asked;
        co_return wish;
    } catch (const StoreUnavailable&) {
        co_return Notifications::Unset;  // rather once too often
    }
}

Task<void> wakeFor(Shard& shard, Jid owner, std::vector<StanzaPtr> messages, Names names,
                   Duration wait) {
    std::uint32_t count = 0;
    StanzaPtr last;
    for (const StanzaPtr& message : messages) {
        Account* account = shard.loaded(owner.text());
        if (!account) co_return;
        const auto services = account->host().sharedServices();  // who is asked stays loaded
        auto asked = wishFor(services->chatSettings, owner, message->from().bare());
        const auto wish = co_await asked;
        account = shard.loaded(owner.text());
        if (!account) co_return;
        if (wish == Notifications::Never) continue;
        if (wish == Notifications::OnMention && !push::mentions(*message, *account)) continue;
        ++count;
        last = message;
    }
    Account* account = shard.loaded(owner.text());
    auto* registrations = account ? account->slots().find<Registrations>() : nullptr;
    if (!registrations || !last) co_return;
    for (const auto& [service, node] : names)
        if (Registration* registration = registrations->find(service, node))
            push::wake(*account, *registration, count, last, wait);
}

class Push final : public Plugin {
public:
    explicit Push(PluginContext& context)
        : store_{context.server().database()},
          registrationsMax_{context.value(registrationsMax)},
          optionsBytesMax_{context.value(optionsBytesMax)} {
        for (const auto& text : context.value(push::httpServices))
            if (const auto read = push::readHttpService(text); !read.problem.empty())
                pushLog.error(
                    "push.http_services has an entry that can't be used",
                    {{"host", context.host()}, {"entry", text}, {"problem", read.problem}});
        context.onIq(StanzaType::Set, {pushNs, "enable"}, Addressee::Account, this, &Push::enable);
        context.onIq(StanzaType::Set, {pushNs, "disable"}, Addressee::Account, this,
                     &Push::disable);
        context.on(&Services::delivered, Phase::Act, this, &Push::deliver);
        context.on(&Services::releaseOutput, Phase::Observe, this, &Push::hibernate);
        context.on(&Services::sessionBound, Phase::Act, this, &Push::comeBack);
        context.on(&Services::sessionResumed, Phase::Act, this, &Push::comeBack);
        context.onAccountRead(&Push::read);
        context.accountFeature(pushNs);
    }

private:
    static AccountSetup read(SqlConnection& connection, AccountId id) {
        auto stored = push::readRegistrations(connection, id);
        if (stored.empty()) return {};
        return [stored = std::move(stored)](Account& account) mutable {
            if (account.slots().find<Registrations>()) return;
            auto& registrations = account.state<Registrations>();
            for (auto& one : stored) registrations.put(std::move(one));
        };
    }

    // ---- requests

    Task<Reply> enable(const Iq& iq) {
        if (!iq.isToOwnAccount()) co_return foreign();
        const auto service = Jid::parse(iq.payload().get("jid"));
        if (!service) co_return noService();
        push::StoredRegistration registration{.service = service->text(),
                                              .node = std::string{iq.payload().get("node")},
                                              .resource = std::string{iq.from().resource()},
                                              .options = {}};
        if (registration.node.size() > nodeBytesMax)
            co_return StanzaError{Condition::NotAcceptable, "The name of the node is too long."};
        if (const Element* form = iq.payload().child("x", ns::dataForms)) {
            const auto read = DataForm::read(*form);
            if (!read || read->kind() != FormKind::Submit ||
                read->formType() != "http://jabber.org/protocol/pubsub#publish-options")
                co_return StanzaError{Condition::BadRequest,
                                      "The form has to hold publish-options."};
            registration.options = toXml(*form);
            if (registration.options.size() > optionsBytesMax_)
                co_return StanzaError{Condition::NotAcceptable, "The form is too large."};
        }
        const AccountId account = iq.account()->id();
        auto copy = registration;
        const auto isStored = co_await store_.put(account, std::move(copy), registrationsMax_);
        if (!isStored)
            co_return StanzaError{
                ErrorType::Wait, Condition::ResourceConstraint,
                "The clients of this account have named as many push services as they may."};
        if (Account* found = iq.account())
            found->state<Registrations>().put(std::move(registration));
        co_return Reply{};
    }

    Task<Reply> disable(const Iq& iq) {
        if (!iq.isToOwnAccount()) co_return foreign();
        const auto service = Jid::parse(iq.payload().get("jid"));
        if (!service) co_return noService();
        const auto node = iq.payload().find("node");
        const AccountId account = iq.account()->id();
        std::string name = service->text();
        if (node) {
            std::string nodeName{*node};
            co_await store_.remove(account, std::move(name), std::move(nodeName));
        } else {
            co_await store_.removeAll(account, std::move(name));
        }
        Account* found = iq.account();
        auto* registrations = found ? found->slots().find<Registrations>() : nullptr;
        if (registrations && node) registrations->remove(service->text(), *node);
        if (registrations && !node) registrations->removeAll(service->text());
        if (registrations && registrations->all().empty()) found->slots().drop<Registrations>();
        co_return Reply{};
    }

    // ---- what happens

    // What a client that has no connection gets, or would get if it were there.
    Verdict deliver(DeliveredEvent& event) {
        if (event.outgoing || event.isFromLog) return Verdict::Pass;
        auto* registrations = event.account.slots().find<Registrations>();
        if (!registrations || event.message->from().bareText() == event.account.jid().text() ||
            !push::isWorthWaking(*event.message))
            return Verdict::Pass;
        Names names;
        for (const auto& registration : registrations->all()) {
            if (connected(event.account, *registration)) continue;
            // What a room says is for the client that is in it.
            const auto& got = event.sessions;
            const bool isMeant =
                event.message->type() != StanzaType::Groupchat ||
                std::any_of(got.begin(), got.end(), [&](const Session* session) {
                    return session->jid().resource() == registration->stored.resource;
                });
            if (isMeant)
                names.emplace_back(registration->stored.service, registration->stored.node);
        }
        if (!names.empty()) tell(event.account, {event.message}, std::move(names));
        return Verdict::Pass;
    }

    // The connection is lost, and what the client has not acknowledged may not have come through.
    Verdict hibernate(ReleaseEvent& event) {
        Session& session = event.session;
        auto* registrations = session.account().slots().find<Registrations>();
        if (!registrations || event.reason != ReleaseEvent::Reason::Detached || !session.sm() ||
            session.outlet())
            return Verdict::Pass;
        std::vector<StanzaPtr> messages;
        for (const Unacknowledged& entry : session.sm()->queue())
            if (entry.stanza->isMessage() && push::isWorthWaking(*entry.stanza))
                messages.push_back(entry.stanza);
        if (messages.empty()) return Verdict::Pass;
        Names names;
        for (const auto& registration : registrations->all())
            // Not a second time when the session ends that has lost its connection before.
            if (registration->stored.resource == session.jid().resource() &&
                registration->stored.unread == 0)
                names.emplace_back(registration->stored.service, registration->stored.node);
        if (!names.empty())
            tell(session.account(), std::move(messages), std::move(names), hibernationDelay);
        return Verdict::Pass;
    }

    Verdict comeBack(SessionEvent& event) {
        Account& account = event.session.account();
        const auto* registrations = account.slots().find<Registrations>();
        if (!registrations) return Verdict::Pass;
        for (const auto& registration : registrations->all())
            if (registration->stored.resource == event.session.jid().resource())
                push::awake(account, *registration);
        return Verdict::Pass;
    }

    // At once, when nobody has to be asked.
    void tell(Account& account, std::vector<StanzaPtr> messages, Names names, Duration wait = {}) {
        start(wakeFor(account.shard(), account.jid(), std::move(messages), std::move(names), wait),
              [keep = account.host().sharedServices()](std::exception_ptr) {});
    }

    push::PushStore store_;
    const std::int64_t registrationsMax_;
    const std::uint64_t optionsBytesMax_;
};

const PluginInfo info{
    .name = "push",
    .summary = "Wakes clients that have no connection, by a service of their own",
    .implements = {{"XEP-0357", "0.4.1"}},
    .options = {&registrationsMax, &optionsBytesMax, &push::interval, &push::withSender,
                &push::withBody, &push::failuresMax, &push::httpServices},
    .migrations = push::PushStore::migrations(),
    .accountTables = {push::PushStore::table()},
};

}  // namespace

DECLARE_PLUGIN(Push, info)

}  // namespace epode
