#include "registrations.h"

#include <algorithm>

namespace epode::push {

Registration* Registrations::find(std::string_view service, std::string_view node) const {
    for (const auto& entry : all_)
        if (entry->stored.service == service && entry->stored.node == node) return entry.get();
    return nullptr;
}

void Registrations::put(StoredRegistration stored) {
    auto service = Jid::parse(stored.service);
    if (!service) return;
    Registration* entry = find(stored.service, stored.node);
    if (!entry) entry = all_.emplace_back(std::make_unique<Registration>()).get();
    entry->stored = std::move(stored);
    entry->service = std::move(*service);
    entry->last = nullptr;
    entry->timer = {};
}

void Registrations::remove(std::string_view service, std::string_view node) {
    std::erase_if(all_, [&](const auto& entry) {
        return entry->stored.service == service && entry->stored.node == node;
    });
}

void Registrations::removeAll(std::string_view service) {
    std::erase_if(all_, [&](const auto& entry) { return entry->stored.service == service; });
}

}  // namespace epode::push
