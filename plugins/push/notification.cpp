#include "notification.h"

#include "core/log.h"
#include "core/metric.h"
#include "core/namespaces.h"
#include "delivery.h"
#include "route/account.h"
#include "route/host.h"
#include "route/message_content.h"
#include "route/server.h"
#include "route/shard.h"

#include <algorithm>
#include <utility>

namespace epode::push {

namespace {

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

Notification notificationOf(Account& account, const Registration& registration) {
    const Host& host = account.host();
    Notification told{.service = registration.service,
                      .node = registration.stored.node,
                      .options = registration.stored.options,
                      .messages = registration.stored.unread,
                      .requests = pendingRequests(account)};
    if (!registration.last) return told;
    if (host.get(withSender)) told.sender = registration.last->from().text();
    const bool isSecret = registration.last->child("encryption", "urn:xmpp:eme:0") != nullptr;
    if (host.get(withBody) && !isSecret) told.body = shortened(registration.last->body());
    return told;
}

void count(Account& account, const Registration& registration) {
    PushStore store{account.shard().server().database()};
    start(store.count(account.id(), registration.stored), [](std::exception_ptr) {
        // The database is away: a count is wrong until the client comes.
    });
}

void answered(Shard& shard, const Jid& owner, const std::string& service, const std::string& node,
              Outcome outcome) {
    Account* account = shard.loaded(owner.text());
    auto* registrations = account ? account->slots().find<Registrations>() : nullptr;
    Registration* registration = registrations ? registrations->find(service, node) : nullptr;
    if (!registration || outcome == Outcome::Unknown) return;
    if (outcome == Outcome::Taken) {
        if (std::exchange(registration->stored.failures, 0) != 0) count(*account, *registration);
        return;
    }
    refused.add();
    ++registration->stored.failures;
    if (outcome != Outcome::Gone &&
        registration->stored.failures < account->host().get(failuresMax)) {
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
    registration.sentAt = shard.executor().now();
    notifications.add();
    deliver(shard, account.host(), notificationOf(account, registration),
            [&shard, owner = account.jid(), service = registration.stored.service,
             node = registration.stored.node, keep = account.host().sharedServices()](
                Outcome outcome) { answered(shard, owner, service, node, outcome); });
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
