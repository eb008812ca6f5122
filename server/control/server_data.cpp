#include "control/server_data.h"

#include "control/account_file.h"
#include "core/base64.h"
#include "core/namespaces.h"
#include "core/sasl/credentials.h"
#include "core/time_format.h"
#include "route/server.h"
#include "store/stores.h"

#include <charconv>

namespace epode {

namespace {

// Our own elements within the file; others ignore them, as XEP-0227 (4) asks them to.
constexpr std::string_view ownNs = "urn:epode:account:0";
constexpr std::string_view archiveNs = "urn:xmpp:mam:2";
constexpr std::size_t componentBytesMax = 100;
constexpr std::size_t saltBytesMax = 1024;
constexpr std::string_view scramPrefix = "SCRAM-";

// ---- contacts

constexpr std::string_view subscriptionNames[] = {"none", "to", "from", "both"};

std::string_view toText(Subscription subscription) {
    return subscriptionNames[std::size_t(subscription)];
}

std::optional<Subscription> parseSubscription(std::string_view text) {
    for (std::size_t i = 0; i < std::size(subscriptionNames); ++i)
        if (text == subscriptionNames[i]) return Subscription(i);
    if (text.empty()) return Subscription::None;
    return std::nullopt;
}

Task<std::int64_t> writeContacts(AccountRef account, AccountSink& sink) {
    const auto roster = co_await account.server.stores().rosters.load(account.id);
    if (roster.items.empty()) co_return 0;
    Document query{"query", ns::roster};
    for (const RosterItem& contact : roster.items) {
        Element& item = query->add("item").set("jid", contact.jid);
        if (!contact.name.empty()) item.set("name", contact.name);
        item.set("subscription", toText(contact.subscription));
        if (contact.isAsking) item.set("ask", "subscribe");
        if (contact.isApproved) item.set("approved", "true");
        for (const auto& group : contact.groups) item.addWithText("group", group);
    }
    std::string xml = toXml(*query);
    co_await sink.write(std::move(xml));
    co_return std::int64_t(roster.items.size());
}

std::optional<RosterItem> readContact(const Element& item) {
    const auto jid = Jid::parse(item.get("jid"));
    const auto subscription = parseSubscription(item.get("subscription"));
    if (!item.is("item", ns::roster) || !jid || !jid->isBare() || !subscription)
        return std::nullopt;
    RosterItem contact{.jid = jid->text(), .name = std::string{item.get("name")}};
    contact.subscription = *subscription;
    contact.isAsking = item.get("ask") == "subscribe";
    contact.isApproved = item.get("approved") == "true" || item.get("approved") == "1";
    for (const Element& group : item.children())
        if (group.is("group", ns::roster) && !group.text().empty())
            contact.groups.emplace_back(group.text());
    return contact;
}

Task<DataCount> readContacts(AccountRef account, const Element& element) {
    DataCount count;
    for (const Element& item : element.children()) {
        auto contact = readContact(item);
        if (!contact) {
            ++count.refused;
            continue;
        }
        co_await account.server.stores().rosters.put(account.id, std::move(*contact));
        ++count.done;
    }
    co_return count;
}

Task<std::int64_t> writeRequests(AccountRef account, AccountSink& sink) {
    const auto requests = co_await account.server.stores().rosters.requests(account.id);
    for (const SubscriptionRequest& request : requests) {
        const auto stanza = parseXml(request.stanza, ns::client);
        if (!stanza) continue;
        std::string xml = toXml(**stanza);
        co_await sink.write(std::move(xml));
    }
    co_return std::int64_t(requests.size());
}

Task<DataCount> readRequest(AccountRef account, const Element& element) {
    DataCount count;
    const auto from = Jid::parse(element.get("from"));
    std::string xml = toXml(element, ns::client);
    if (!from || element.get("type") != "subscribe" || !parseXml(xml, ns::client)) {
        ++count.refused;
        co_return count;
    }
    SubscriptionRequest request{from->bare().text(), std::move(xml)};
    const WallTime now = account.server.here().executor().wallNow();
    co_await account.server.stores().rosters.putRequest(account.id, std::move(request), now);
    ++count.done;
    co_return count;
}

// ---- preferences of the archive, in the words of XEP-0441

using Fallback = ArchivePreferences::Fallback;
constexpr std::string_view fallbackNames[] = {"always", "never", "roster"};

void addAddresses(Element& prefs, std::string_view name,
                  const std::vector<std::string>& addresses) {
    Element& list = prefs.add(name);
    for (const auto& address : addresses) list.addWithText("jid", address);
}

std::vector<std::string> addressesIn(const Element* list, DataCount& count) {
    std::vector<std::string> addresses;
    if (!list) return addresses;
    for (const Element& entry : list->children()) {
        const auto jid = Jid::parse(entry.text());
        if (jid)
            addresses.push_back(jid->text());
        else
            ++count.refused;
    }
    return addresses;
}

Task<std::int64_t> writePreferences(AccountRef account, AccountSink& sink) {
    const auto preferences = co_await account.server.stores().archive.preferences(account.id);
    if (!preferences) co_return 0;
    Document prefs{"prefs", archiveNs};
    prefs->set("default", fallbackNames[std::size_t(preferences->fallback)]);
    addAddresses(*prefs, "always", preferences->always);
    addAddresses(*prefs, "never", preferences->never);
    std::string xml = toXml(*prefs);
    co_await sink.write(std::move(xml));
    co_return 1;
}

Task<DataCount> readPreferences(AccountRef account, const Element& element) {
    DataCount count;
    ArchivePreferences preferences;
    const auto name =
        std::find(std::begin(fallbackNames), std::end(fallbackNames), element.get("default"));
    if (name == std::end(fallbackNames)) {
        ++count.refused;
        co_return count;
    }
    preferences.fallback = Fallback(name - std::begin(fallbackNames));
    preferences.always = addressesIn(element.child("always"), count);
    preferences.never = addressesIn(element.child("never"), count);
    co_await account.server.stores().archive.setPreferences(account.id, std::move(preferences));
    ++count.done;
    co_return count;
}

}  // namespace

std::vector<OwnedData> serverData() {
    return {
        {"server",
         {.what = "contacts",
          .elements = {{ns::roster, "query"}},
          .write = writeContacts,
          .read = readContacts}},
        {"server",
         {.what = "requests of contacts",
          .elements = {{ns::client, "presence"}},
          .write = writeRequests,
          .read = readRequest}},
        {"server",
         {.what = "preferences of the archive",
          .elements = {{archiveNs, "prefs"}},
          .write = writePreferences,
          .read = readPreferences}},
    };
}

// ---- the account itself

namespace {

std::optional<StoredKeys> readKeys(const Element& element) {
    const auto hash = sasl::scramHash(element.get("mechanism"));
    const auto salt = decodeBase64(element.childText("salt"));
    const auto storedKey = decodeBase64(element.childText("stored-key"));
    const auto serverKey = decodeBase64(element.childText("server-key"));
    const auto text = element.childText("iter-count");
    std::int64_t iterations = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), iterations);
    const bool isNumber = error == std::errc{} && end == text.data() + text.size();
    if (!hash || !salt || !storedKey || !serverKey || !isNumber || iterations < 1 ||
        iterations > 10'000'000 || salt->empty() || salt->size() > saltBytesMax ||
        storedKey->size() != bytesOf(*hash) || serverKey->size() != bytesOf(*hash))
        return std::nullopt;
    // Stored by the mechanism's name without "SCRAM-".
    const auto name = element.get("mechanism").substr(scramPrefix.size());
    return StoredKeys{std::string{name}, *salt, iterations, *storedKey, *serverKey};
}

}  // namespace

bool readAccountElement(const Element& element, ImportedAccount& account) {
    if (element.is("scram-credentials", pieScramNs)) {
        auto keys = readKeys(element);
        if (!keys) return false;
        for (const auto& known : account.keys)
            if (known.hash == keys->hash) return false;
        account.keys.push_back(std::move(*keys));
        return true;
    }
    if (!element.is("account", ownNs)) return false;
    account.isDisabled = element.get("disabled") == "true";
    account.created = parseDateTime(element.get("created"));
    return true;
}

std::string writeAccountElements(const AccountSummary& summary,
                                 const AccountCredentials& credentials) {
    Document own{"account", ownNs};
    own->set("created", formatDateTime(summary.created));
    if (summary.isDisabled) own->set("disabled", "true");
    std::string xml = toXml(*own);
    for (const StoredKeys& keys : credentials.keys) {
        Document element{"scram-credentials", pieScramNs};
        element->set("mechanism", std::string{scramPrefix} + keys.hash);
        element->addWithText("iter-count", std::to_string(keys.iterations));
        element->addWithText("salt", encodeBase64(keys.salt));
        element->addWithText("server-key", encodeBase64(keys.serverKey));
        element->addWithText("stored-key", encodeBase64(keys.storedKey));
        xml += '\n';
        writeXml(xml, *element);
    }
    return xml;
}

// ---- values without a form of their own

std::string writeValues(std::string_view component,
                        const std::vector<std::pair<std::string, std::string>>& values) {
    Document element{"values", ownNs};
    element->set("component", component);
    for (const auto& [key, value] : values)
        element->addWithText("value", encodeBase64(value)).set("key", key);
    return toXml(*element);
}

std::optional<ImportedValues> readValues(const Element& element) {
    if (!element.is("values", ownNs)) return std::nullopt;
    ImportedValues read{.component = std::string{element.get("component")}};
    const bool isNamed = !read.component.empty() && read.component.size() <= componentBytesMax;
    for (const Element& entry : element.children()) {
        auto value = decodeBase64(entry.text());
        if (!isNamed || !value || !entry.find("key"))
            ++read.refused;
        else
            read.values.emplace_back(entry.get("key"), std::move(*value));
    }
    return read;
}

}  // namespace epode
