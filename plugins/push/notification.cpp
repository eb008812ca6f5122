#include "notification.h"

#include "core/data_form.h"
#include "core/log.h"
#include "core/metric.h"
#include "core/namespaces.h"
#include "route/account.h"
#include "route/asking.h"
#include "route/host.h"
#include "route/message_content.h"
#include "route/server.h"
#include "route/shard.h"

#include <algorithm>
#include <utility>

namespace epode::push {

namespace {

constexpr std::string_view pubsubNs = "http://jabber.org/protocol/pubsub";
constexpr std::string_view pushNs = "urn:xmpp:push:0";
constexpr auto patience = std::chrono::minutes{2};
constexpr std::size_t bodyBytesMax = 200;

const Log pushLog{"push"};
Counter notifications{"epode_push_notifications_total", "Notifications sent to push services"};
Counter refused{"epode_push_errors_total", "Notifications that push services have refused"};
Counter dropped{"epode_push_dropped_total",
                "Push services that are not told any more, for their errors"};

// Of the first words, whole characters.
std::string_view shortened(std::string_view text) {
    if (text.size() <= bodyBytesMax) return text;
    std::size_t end = bodyBytesMax;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
    return text.substr(0, end);
}

std::size_t pendingRequests(const Account& account) {
    const auto& contacts = account.roster().contacts();
    return std::size_t(std::count_if(contacts.begin(), contacts.end(), [](const auto& entry) {
        return entry.second.state.pendingIn;
    }));
}

void addSummary(Element& notification, const Account& account, const Host& host,
                const Registration& registration) {
    DataForm summary{FormKind::Submit, "urn:xmpp:push:summary"};
    summary.addText("message-count", std::to_string(registration.stored.unread));
    if (const auto requests = pendingRequests(account))
        summary.addText("pending-subscription-count", std::to_string(requests));
    if (registration.last) {
        if (host.get(withSender))
            summary.addText("last-message-sender", registration.last->from().text());
        const auto body = registration.last->body();
        const bool isSecret = registration.last->child("encryption", "urn:xmpp:eme:0") != nullptr;
        if (host.get(withBody) && !body.empty() && !isSecret)
            summary.addText("last-message-body", shortened(body));
    }
    summary.addTo(notification);
}

void count(Account& account, const Registration& registration) {
    PushStore store{account.shard().server().database()};
    start(store.count(account.id(), registration.stored), [](std::exception_ptr) {
        // The database is away: a count is wrong until the client comes.
    });
}

// What will not become right by itself (XEP-0357, 7.1).
bool isFinal(const Stanza& error) {
    const auto read = StanzaError::read(error.root());
    if (!read) return false;
    switch (read->condition) {
        case Condition::ItemNotFound:
        case Condition::Gone:
        case Condition::NotAuthorized:
        case Condition::Forbidden:
        case Condition::FeatureNotImplemented:
            return true;
        default:
            return false;
    }
}

void answered(Shard& shard, const Jid& owner, const std::string& service, const std::string& node,
              const StanzaPtr& answer) {
    Account* account = shard.loaded(owner.text());
    auto* registrations = account ? account->slots().find<Registrations>() : nullptr;
    Registration* registration = registrations ? registrations->find(service, node) : nullptr;
    if (!registration || !answer) return;
    if (!answer->isError()) {
        if (std::exchange(registration->stored.failures, 0) != 0) count(*account, *registration);
        return;
    }
    refused.add();
    ++registration->stored.failures;
    if (!isFinal(*answer) && registration->stored.failures < account->host().get(failuresMax)) {
        count(*account, *registration);
        return;
    }
    dropped.add();
    pushLog.info("a push service is not told any more",
                 {{"account", owner.text()}, {"service", service}});
    registrations->remove(service, node);
    PushStore store{shard.server().database()};
    start(store.remove(account->id(), service, node), [](std::exception_ptr) {});
}

void publish(Account& account, Registration& registration) {
    Shard& shard = account.shard();
    const Host& host = account.host();
    registration.sentAt = shard.executor().now();
    auto request = Stanza::iq(StanzaType::Set, host.jid(), registration.service, "push");
    Element& pubsub = request->edit().add("pubsub", pubsubNs);
    Element& publish = pubsub.add("publish");
    publish.set("node", registration.stored.node);
    addSummary(publish.add("item").add("notification", pushNs), account, host, registration);
    if (!registration.stored.options.empty())
        if (const auto options = parseXml(registration.stored.options))
            pubsub.add("publish-options").add(**options);
    notifications.add();
    shard.asking().ask(std::move(request), patience,
                       [&shard, owner = account.jid(), service = registration.stored.service,
                        node = registration.stored.node](const StanzaPtr& answer) {
                           answered(shard, owner, service, node, answer);
                       });
}

}  // namespace

bool isWorthWaking(const Stanza& message) {
    if (message.isError() || message.type() == StanzaType::Headline) return false;
    for (const Element& child : message.root().children()) {
        if (child.is("body", ns::client)) return true;
        const bool isForMachines = child.ns() == "urn:xmpp:receipts" ||
                                   child.ns() == "urn:xmpp:chat-markers:0" ||
                                   child.name() == "retract" || child.name() == "retracted";
        if (!isForMachines && isConversation(child)) return true;
    }
    return false;
}

// By name: whatever has happened to account and registration until then, the timer went with it.
void wake(Account& account, Registration& registration, std::uint32_t messages,
          const StanzaPtr& last, Duration wait) {
    registration.stored.unread += messages;
    registration.last = last;
    count(account, registration);
    if (registration.timer) return;
    Executor& executor = account.shard().executor();
    if (registration.sentAt != SteadyTime{})
        wait = std::max(wait, registration.sentAt + account.host().get(interval) - executor.now());
    if (wait <= Duration{}) {
        publish(account, registration);
        return;
    }
    registration.timer = executor.after(wait, [&account, &registration] {
        registration.timer = {};
        publish(account, registration);
    });
}

void awake(Account& account, Registration& registration) {
    registration.timer = {};
    registration.last = nullptr;
    registration.sentAt = {};
    if (std::exchange(registration.stored.unread, 0) != 0) count(account, registration);
}

}  // namespace epode::push
