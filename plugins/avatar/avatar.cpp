// Pictures of people: User Avatar (XEP-0084) and vCard-based avatars (XEP-0153), one kept as the
// other (XEP-0398).
#include "core/base64.h"
#include "core/digest.h"
#include "core/log.h"
#include "image.h"
#include "plugin/plugin.h"
#include "presence.h"
#include "route/presence_rules.h"
#include "store/keyed_store.h"

#include <algorithm>
#include <deque>
#include <memory>
#include <utility>
#include <variant>

namespace epode::avatar {
namespace {

const Log avatarLog{"avatar"};

constexpr std::string_view dataNode = "urn:xmpp:avatar:data";
constexpr std::string_view metadataNode = "urn:xmpp:avatar:metadata";
constexpr std::string_view origin = "avatar";
constexpr std::string_view component = "avatar";
constexpr std::string_view hashKey = "sha1";

const Option<Bytes> bytesMax{
    .key = "avatar.bytes_max",
    .fallback = 96_KiB,
    .range = {1_KiB, 180_KiB},
    .help = "The largest picture that an account may have as its avatar.",
};

// Of an account that has a picture, while it is in memory.
struct AvatarState {
    std::string hash;     // in hexadecimal; empty: no picture
    std::string offered;  // being stored now, with its type
    std::string_view offeredType;
};
// Of a session whose presence says what we have put there.
struct ShowsOurs {};

StanzaError invalid(std::string text) {
    StanzaError error{ErrorType::Modify, Condition::BadRequest, std::move(text)};
    error.application = "invalid-payload";
    error.applicationNs = "http://jabber.org/protocol/pubsub#errors";
    return error;
}
StanzaError noImage() { return invalid("A picture is a PNG, JPEG, GIF or WebP file in base 64."); }

// The picture of the data node that metadata tells of; null when there is none.
const Element* ownInfo(const Element& metadata) {
    for (const Element& info : metadata.children())
        if (info.is("info", metadataNode) && info.get("url").empty()) return &info;
    return nullptr;
}

std::string hashIn(std::string_view metadata) {
    const auto tree = parseXml(metadata);
    const Element* info = tree && (*tree)->is("metadata", metadataNode) ? ownInfo(**tree) : nullptr;
    const auto bytes = info ? decodeHex(info->get("id")) : std::nullopt;
    return bytes && bytes->size() == bytesOf(Hash::Sha1) ? encodeHex(*bytes) : std::string{};
}

// Some clients have other names for these types.
std::string_view plainType(std::string_view type) {
    if (type == "image/jpg" || type == "image/pjpeg") return "image/jpeg";
    if (type == "image/x-png") return "image/png";
    return type;
}

struct Image {
    std::string bytes;
    std::string_view type;
    std::string hash;
};

class Avatar final : public Plugin {
public:
    explicit Avatar(PluginContext& context)
        : server_{context.server()},
          host_{context.host()},
          bytesMax_{context.value(bytesMax)},
          store_{context.server().database(), std::string{component}} {
        context.onAccountRead(&Avatar::readHash);
        context.on(&Services::pepRequested, this, &Avatar::requested);
        context.on(&Services::pepChanged, Phase::Act, this, &Avatar::changed);
        context.on(&Services::vcardShown, this, &Avatar::showInVcard);
        context.on(&Services::vcardGiven, this, &Avatar::takeFromVcard);
        context.on(&Services::outgoing, Phase::Change, this, &Avatar::leaves);
        context.accountFeatureWithPep("urn:xmpp:pep-vcard-conversion:0");
    }

private:
    static AccountSetup readHash(SqlConnection& connection, AccountId id);
    Task<void> requested(PepRequest& request);
    Verdict changed(PepEvent& event);
    Task<void> showInVcard(VcardShown& event);
    Task<void> takeFromVcard(VcardGiven& event);
    Verdict leaves(OutgoingEvent& event);

    // The picture in this text, or why it is none.
    std::variant<Image, StanzaError> read(std::string_view base64) const;
    std::optional<StanzaError> checkData(const Jid& account, const Element& item);
    Task<std::optional<StanzaError>> checkMetadata(Jid account, const Element& metadata);
    Task<std::optional<StanzaError>> publish(Jid account, std::string_view node, std::string id,
                                             std::string payload);
    Task<std::string> hashOf(Jid account);
    Task<std::string> newest(Jid account) const;
    void set(const Jid& account, std::string hash);
    Task<void> store(AccountId account, std::string hash);
    void showAgain(Account& account);
    Pep* pep() const { return server_.here().host(host_)->services().pep; }
    std::shared_ptr<const Services> services() const {
        return server_.here().host(host_)->sharedServices();
    }

    Server& server_;
    const std::string host_;
    const std::uint64_t bytesMax_;
    KeyedStore store_;  // the hash, for who comes online
};

// ---- what clients publish

std::variant<Image, StanzaError> Avatar::read(std::string_view base64) const {
    auto bytes = decodeLoosely(base64);
    const auto type = bytes ? typeOf(*bytes) : std::nullopt;
    if (!type) return noImage();
    if (bytes->size() > bytesMax_)
        return StanzaError{Condition::NotAcceptable,
                           "A picture has at most " + toText(Bytes{bytesMax_}) + "."};
    std::string hash = encodeHex(digest(Hash::Sha1, *bytes));
    return Image{std::move(*bytes), *type, std::move(hash)};
}

Task<void> Avatar::requested(PepRequest& request) {
    if (request.kind != PepRequest::Kind::Publish) co_return;
    const bool isData = request.node == dataNode;
    if (!isData && request.node != metadataNode) co_return;
    const Element* item = request.action.child("item");
    const Element* payload = item ? item->firstChild() : nullptr;
    if (!payload) co_return;  // it is refused anyway
    if (isData) {
        request.refusal = checkData(request.account, *item);
        co_return;
    }
    const Jid account = request.account;
    request.refusal = co_await checkMetadata(account, *payload);
}

std::optional<StanzaError> Avatar::checkData(const Jid& account, const Element& item) {
    const Element& payload = *item.firstChild();
    if (!payload.is("data", dataNode)) return invalid("A picture is in a <data/> of XEP-0084.");
    const auto read = this->read(payload.text());
    if (const auto* refusal = std::get_if<StanzaError>(&read)) return *refusal;
    const Image& image = std::get<Image>(read);
    const auto id = decodeHex(item.get("id"));
    if (!id || encodeHex(*id) != image.hash)
        return invalid("The item's id is the SHA-1 of the picture.");
    // Metadata may come before this is stored.
    if (Account* loaded = server_.here().loaded(account.text())) {
        auto& state = loaded->state<AvatarState>();
        state.offered = image.hash;
        state.offeredType = image.type;
    }
    return std::nullopt;
}

// The picture that it tells of is there, and is what it is said to be.
Task<std::optional<StanzaError>> Avatar::checkMetadata(Jid account, const Element& metadata) {
    if (!metadata.is("metadata", metadataNode))
        co_return invalid("What is told of a picture is a <metadata/> of XEP-0084.");
    const Element* info = ownInfo(metadata);
    if (!info) co_return std::nullopt;
    const auto id = decodeHex(info->get("id"));
    if (!id || id->size() != bytesOf(Hash::Sha1))
        co_return invalid("The id of a picture is its SHA-1.");
    const std::string hash = encodeHex(*id);
    std::string_view type;
    Account* loaded = server_.here().loaded(account.text());
    const auto* state = loaded ? loaded->slots().find<AvatarState>() : nullptr;
    if (state && state->offered == hash) {
        type = state->offeredType;
    } else {
        std::string node{dataNode};
        std::string itemId{info->get("id")};
        const auto found = co_await pep()->item(account, std::move(node), std::move(itemId));
        const auto data = found ? parseXml(found->payload) : std::nullopt;
        if (!data)
            co_return StanzaError{ErrorType::Modify, Condition::NotAcceptable,
                                  "There is no picture of this id; publish it first."};
        const auto bytes = decodeLoosely((*data)->text());
        const auto sniffed = bytes ? typeOf(*bytes) : std::nullopt;
        if (!sniffed) co_return noImage();
        type = *sniffed;
    }
    if (const auto said = info->find("type"); said && plainType(*said) != type)
        co_return invalid("The picture is a file of type " + std::string{type} + ".");
    co_return std::nullopt;
}

Verdict Avatar::changed(PepEvent& event) {
    if (event.node != metadataNode) return Verdict::Pass;
    if (event.kind == PepEvent::Kind::Published)
        set(event.account, hashIn(event.payload));
    else if (event.kind != PepEvent::Kind::Retracted)
        set(event.account, {});
    else
        start(newest(event.account), [this, account = event.account, keep = services()](
                                         std::optional<std::string> hash, std::exception_ptr) {
            if (hash) set(account, std::move(*hash));
        });
    return Verdict::Pass;
}

Task<std::string> Avatar::newest(Jid account) const {
    std::string node{metadataNode};
    const auto items = co_await pep()->items(account, std::move(node), 1);
    co_return items.empty() ? std::string() : hashIn(items.back().payload);
}

// ---- the hash

Task<std::string> Avatar::hashOf(Jid account) {
    Account* loaded = server_.here().loaded(account.text());
    if (!loaded) {
        auto hash = co_await newest(account);
        co_return hash;
    }
    const auto* state = loaded->slots().find<AvatarState>();
    co_return state ? state->hash : std::string();
}

// The first presence of its clients shows it already. What is there is at least as new.
AccountSetup Avatar::readHash(SqlConnection& connection, AccountId id) {
    auto hash = KeyedStore::read(connection, id, component, hashKey);
    if (!hash || hash->empty()) return {};
    return [hash = std::move(*hash)](Account& account) {
        if (!account.slots().find<AvatarState>()) account.state<AvatarState>().hash = hash;
    };
}

void Avatar::set(const Jid& account, std::string hash) {
    Account* loaded = server_.here().loaded(account.text());
    if (!loaded) {
        // Who is not in memory has no clients; the store is told when it is.
        server_.here().withAccount(
            account,
            [this, account, hash, keep = services()](Account* found) {
                if (found) set(account, hash);
            },
            [] {});
        return;
    }
    start(store(loaded->id(), hash), [keep = services()](std::exception_ptr failure) {
        if (failure) avatarLog.warning("the hash of an avatar could not be stored");
    });
    auto& state = loaded->state<AvatarState>();
    const bool isNew = state.hash != hash;
    state.hash = std::move(hash);
    state.offered.clear();
    state.offered.shrink_to_fit();
    if (isNew) showAgain(*loaded);
}

Task<void> Avatar::store(AccountId account, std::string hash) {
    std::string key{hashKey};
    if (hash.empty())
        (void)co_await store_.remove(account, std::move(key));
    else
        co_await store_.put(account, std::move(key), std::move(hash));
}

// ---- presence

Verdict Avatar::leaves(OutgoingEvent& event) {
    StanzaEdit& presence = event.stanza;
    if (!presence->isPresence()) return Verdict::Pass;
    if (presence->type() != StanzaType::None || !pep()) return Verdict::Pass;
    const auto* state = event.session.account().slots().find<AvatarState>();
    const std::string hash = state ? state->hash : std::string();
    const bool isOurs = showHash(presence, hash, EmptyPhoto::IsClients);
    if (presence->to().empty()) {
        if (isOurs)
            event.session.state<ShowsOurs>();
        else
            event.session.slots().drop<ShowsOurs>();
    }
    return Verdict::Pass;
}

// The picture is another one: those who see the clients are told.
void Avatar::showAgain(Account& account) {
    const std::string hash = account.state<AvatarState>().hash;
    std::vector<Jid> sessions;
    for (const auto& session : account.sessions())
        if (session->isAvailable()) sessions.push_back(session->jid());
    for (const Jid& jid : sessions) {
        Session* session = account.session(jid.resource());
        if (!session || !session->isAvailable()) continue;
        StanzaEdit edit{session->presence()};
        const bool isOurs = session->slots().find<ShowsOurs>() != nullptr;
        const bool shows =
            showHash(edit, hash, isOurs ? EmptyPhoto::IsOurs : EmptyPhoto::IsClients);
        if (!shows || !edit.isChanged()) continue;
        session->state<ShowsOurs>();
        PresenceRules{account}.send(*session, edit.share(), {});
    }
}

// ---- vCards

Task<void> Avatar::showInVcard(VcardShown& event) {
    if (!pep()) co_return;
    const Jid account = event.account;
    const Jid who = event.who;
    std::string hash = co_await hashOf(account);
    if (hash.empty()) co_return;
    std::string node{dataNode};
    const auto may = co_await pep()->mayRead(account, std::move(node), who);
    if (!may) co_return;
    std::string dataName{dataNode};
    const auto found = co_await pep()->item(account, std::move(dataName), std::move(hash));
    const auto data = found ? parseXml(found->payload) : std::nullopt;
    if (!data) co_return;
    const std::string_view text = (*data)->text();
    const auto bytes = decodeLoosely(text);
    const auto type = bytes ? typeOf(*bytes) : std::nullopt;
    if (!type) co_return;
    Element& vcard = event.vcard;
    vcard.removeChildren([&](const Element& child) { return child.is("PHOTO", vcard.ns()); });
    Element& photo = vcard.add("PHOTO");
    photo.addWithText("TYPE", *type);
    photo.addWithText("BINVAL", text);
}

Task<void> Avatar::takeFromVcard(VcardGiven& event) {
    if (!pep()) co_return;
    const Jid account = event.account;
    Element& vcard = event.vcard;
    const Element* photo = vcard.child("PHOTO");
    const std::string_view binary = photo ? photo->childText("BINVAL") : std::string_view{};
    const std::string hash = co_await hashOf(account);
    if (binary.find_first_not_of(" \t\r\n") == std::string_view::npos) {
        // A vCard without a picture is one of somebody who shows none (XEP-0153, 4.3).
        if (!hash.empty()) {
            std::string empty = toXml(*Document{"metadata", metadataNode});
            event.refusal = co_await publish(account, metadataNode, hash, std::move(empty));
        }
        vcard.removeChildren([&](const Element& child) {
            return child.is("PHOTO", vcard.ns()) && !child.child("EXTVAL");
        });
        co_return;
    }
    const auto read = this->read(binary);
    if (const auto* refusal = std::get_if<StanzaError>(&read)) {
        event.refusal = *refusal;
        co_return;
    }
    const Image& image = std::get<Image>(read);
    const std::string_view said = plainType(photo->childText("TYPE"));
    if (said.starts_with("image/") && said != image.type) {
        event.refusal = invalid("The picture is a file of type " + std::string{image.type} + ".");
        co_return;
    }
    if (image.hash != hash) {
        Document data{"data", dataNode};
        data->addText(encodeBase64(image.bytes));
        event.refusal = co_await publish(account, dataNode, image.hash, toXml(*data));
        if (event.refusal) co_return;
        Document metadata{"metadata", metadataNode};
        Element& info = metadata->add("info");
        info.set("bytes", std::to_string(image.bytes.size()));
        info.set("id", image.hash);
        info.set("type", image.type);
        if (const auto size = dimensionsOf(image.bytes)) {
            info.set("width", std::to_string(size->width));
            info.set("height", std::to_string(size->height));
        }
        event.refusal = co_await publish(account, metadataNode, image.hash, toXml(*metadata));
    }
    vcard.removeChildren([&](const Element& child) { return child.is("PHOTO", vcard.ns()); });
}

// A vCard is public, and so is its picture, unless its owner has made the node something else.
Task<std::optional<StanzaError>> Avatar::publish(Jid account, std::string_view node, std::string id,
                                                 std::string payload) {
    PepPublication publication;
    publication.node = node;
    publication.id = std::move(id);
    publication.payload = std::move(payload);
    publication.config.emplace_back("pubsub#access_model", "open");
    publication.origin = origin;
    return pep()->publish(std::move(account), std::move(publication));
}

const PluginInfo avatarInfo{
    .name = "avatar",
    .summary = "Pictures of people, the same in personal eventing and in vCards",
    .implements = {{"XEP-0084", "1.1.4"}, {"XEP-0153", "1.1.1",
                    "tests/plugins/avatar_test.cpp: a picture that is published is in the vCard, with the hash in presence"},
                   {"XEP-0398", "1.0.0",
                    "tests/plugins/avatar_test.cpp: a picture in a vCard is published, for those who want to know"}},
    .options = {&bytesMax},
};

}  // namespace
}  // namespace epode::avatar

namespace epode {
using avatar::Avatar;
using avatar::avatarInfo;
DECLARE_PLUGIN(Avatar, avatarInfo)
}  // namespace epode
