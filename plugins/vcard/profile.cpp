#include "profile.h"

#include "core/log.h"
#include "mapping.h"

#include <utility>

namespace epode::vcard {

namespace {

const Log vcardLog{"vcard"};

constexpr std::string_view onlyKey = "vcard";
constexpr std::string_view itemId = "current";

// Nobody: who may read what he may, may do so as anybody.
const Jid& stranger() {
    static const Jid jid = *Jid::parse("stranger.invalid");
    return jid;
}

std::string_view nickOf(const Element& vcard) {
    const Element* nick = vcard.child("NICKNAME", oldNs);
    return nick ? nick->text() : std::string_view{};
}

// The first nickname becomes this one, or goes.
void setNick(Element& vcard, std::string_view nick) {
    if (nickOf(vcard) == nick) return;
    Element* before = vcard.child("NICKNAME", oldNs);
    vcard.removeChildren([before](const Element& child) { return &child == before; });
    if (nick.empty()) return;
    // It stays the first.
    Document others{"vCard", oldNs};
    for (const Element& child : vcard.children())
        if (child.is("NICKNAME", oldNs)) others->add(child);
    vcard.removeChildren([](const Element& child) { return child.is("NICKNAME", oldNs); });
    vcard.addWithText("NICKNAME", nick);
    for (const Element& other : others->children()) vcard.add(other);
}

std::string nickIn(std::string_view payload) {
    const auto nick = parseXml(payload);
    return nick && (*nick)->is("nick", nickNode) ? std::string{(*nick)->text()} : std::string{};
}

}  // namespace

Profile::Profile(Server& server, std::string host)
    : server_{server}, host_{std::move(host)}, store_{server.database(), "vcard"} {}

Pep* Profile::pep() const { return server_.here().host(host_)->services().pep; }

Task<Turns::Turn> Profile::turn(Jid account) const {
    Account* loaded = server_.here().loaded(account.text());
    const Turns turns = loaded ? loaded->state<Slot>().turns : Turns();
    auto taken = co_await turns.take();
    co_return taken;
}

Task<std::optional<std::string>> Profile::stored(Jid account) {
    const Account* loaded = server_.here().loaded(account.text());
    if (!loaded) co_return std::nullopt;
    const AccountId id = loaded->id();
    std::string key{onlyKey};
    auto found = co_await store_.get(id, std::move(key));
    co_return found;
}

Task<void> Profile::store(Jid account, std::string vcard) {
    const Account* loaded = server_.here().loaded(account.text());
    // What could not be read again isn't kept.
    if (!loaded || !parseXml(vcard)) co_return;
    const AccountId id = loaded->id();
    std::string key{onlyKey};
    co_await store_.put(id, std::move(key), std::move(vcard));
}

Task<std::optional<std::string>> Profile::newest(Jid account, std::string_view node) const {
    std::string name{node};
    auto items = co_await pep()->items(account, std::move(name), 1);
    std::optional<std::string> found;
    if (!items.empty()) found = std::move(items.back().payload);
    co_return found;
}

Task<bool> Profile::isPublic(Jid account, std::string_view node) const {
    std::string name{node};
    return pep()->mayRead(std::move(account), std::move(name), stranger());
}

// ---- reading

Task<std::optional<std::string>> Profile::vcard(Jid account, Jid who) {
    auto found = co_await stored(account);
    if (!found || !pep()) co_return found;
    if (who.bareText() != account.text()) {
        std::string node{newNode};
        const auto may = co_await pep()->mayRead(account, std::move(node), who);
        if (!may) {
            const auto other = co_await newest(account, newNode);
            if (other) co_return std::nullopt;
        }
    }
    std::string node{nickNode};
    const auto mayNick = co_await pep()->mayRead(account, std::move(node), who);
    if (!mayNick) co_return found;
    const auto payload = co_await newest(account, nickNode);
    auto vcard = parseXml(*found);
    if (!payload || !vcard) co_return found;
    setNick(**vcard, nickIn(*payload));
    co_return toXml(**vcard);
}

Task<std::optional<std::string>> Profile::vcard4(Jid account, Jid who) {
    if (pep()) {
        auto found = co_await newest(account, newNode);
        if (found) {
            std::string node{newNode};
            const auto may = co_await pep()->mayRead(account, std::move(node), who);
            if (!may) found.reset();
            co_return found;
        }
    }
    const auto old = co_await vcard(account, who);
    const auto from = old ? parseXml(*old) : std::nullopt;
    if (!from) co_return std::nullopt;
    Document made{"vcard", newNs};
    carry(**from, *made);
    co_return toXml(*made);
}

// ---- changing

Task<void> Profile::keep(Jid account, std::string vcard) {
    const auto turn = co_await this->turn(account);
    co_await store(account, vcard);
    if (!pep()) co_return;
    co_await carryToVcard4(account, vcard);
    co_await carryToNick(account, vcard);
}

Task<void> Profile::vcard4Changed(Jid account, std::string payload) {
    const auto turn = co_await this->turn(account);
    // The newest one counts: another may have come while this waited.
    const auto current = co_await newest(account, newNode);
    const auto from = parseXml(current.value_or(payload));
    const Document nothing{"vcard", newNs};
    const bool isVcard = from && (*from)->is("vcard", newNs);
    if (!isVcard && !payload.empty()) co_return;
    const auto old = co_await stored(account);
    auto into = old ? parseXml(*old) : std::nullopt;
    if (!into) into = Document{"vCard", oldNs};
    if (!carry(isVcard ? **from : *nothing, **into)) co_return;
    std::string vcard = toXml(**into);
    co_await store(account, vcard);
    co_await carryToNick(account, std::move(vcard));
}

Task<void> Profile::nickChanged(Jid account, std::string payload) {
    const auto turn = co_await this->turn(account);
    const auto isNickPublic = co_await isPublic(account, nickNode);
    const auto isVcardPublic = co_await isPublic(account, newNode);
    const auto other = co_await newest(account, newNode);
    // A vCard without a node is one for everybody.
    if (!isNickPublic && (isVcardPublic || !other)) co_return;
    const auto old = co_await stored(account);
    auto vcard = old ? parseXml(*old) : std::nullopt;
    if (!vcard) vcard = Document{"vCard", oldNs};
    const std::string nick = nickIn(payload);
    if (nickOf(**vcard) == nick) co_return;
    setNick(**vcard, nick);
    std::string xml = toXml(**vcard);
    co_await store(account, xml);
    co_await carryToVcard4(account, std::move(xml));
}

Task<void> Profile::ensureVcard4(Jid account) {
    const auto turn = co_await this->turn(account);
    const auto there = co_await newest(account, newNode);
    if (there) co_return;
    auto old = co_await stored(account);
    if (old) co_await carryToVcard4(account, std::move(*old));
}

Task<void> Profile::carryToVcard4(Jid account, std::string vcard) {
    const auto there = co_await newest(account, newNode);
    const auto from = parseXml(vcard);
    auto into = there ? parseXml(*there) : std::nullopt;
    if (!from) co_return;
    if (!into || !(*into)->is("vcard", newNs)) into = Document{"vcard", newNs};
    if (!carry(**from, **into)) co_return;
    std::string payload = toXml(**into);
    co_await publish(account, newNode, std::move(payload), "open");
}

Task<void> Profile::carryToNick(Jid account, std::string vcard) {
    const auto from = parseXml(vcard);
    if (!from) co_return;
    const auto there = co_await newest(account, nickNode);
    const std::string_view nick = nickOf(**from);
    if (there ? nickIn(*there) == nick : nick.empty()) co_return;
    const auto isVcardPublic = co_await isPublic(account, newNode);
    const auto isNickPublic = co_await isPublic(account, nickNode);
    if (!isVcardPublic && isNickPublic) co_return;
    Document made{"nick", nickNode};
    if (!nick.empty()) made->addText(nick);
    std::string payload = toXml(*made);
    const std::string_view access = isVcardPublic ? "open" : "whitelist";
    co_await publish(account, nickNode, std::move(payload), access);
}

Task<void> Profile::publish(Jid account, std::string_view node, std::string payload,
                            std::string_view access) {
    PepPublication publication;
    publication.node = node;
    publication.id = itemId;
    publication.payload = std::move(payload);
    publication.config.emplace_back("pubsub#access_model", access);
    publication.origin = origin;
    const auto refused = co_await pep()->publish(account, std::move(publication));
    if (refused)
        vcardLog.warning("a change of a vCard could not be published", {{"why", refused->text}});
}

}  // namespace epode::vcard
