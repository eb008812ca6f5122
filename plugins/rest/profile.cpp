// What people tell about themselves: vCard4 (XEP-0292) and pictures (XEP-0084), read and written as
// their clients do.
#include "pubsub.h"
#include "service.h"

#include "core/base64.h"
#include "core/digest.h"
#include "core/json_writer.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace epode::rest {

namespace {

constexpr std::string_view vcardNode = "urn:xmpp:vcard4";
constexpr std::string_view vcardNs = "urn:ietf:params:xml:ns:vcard-4.0";
constexpr std::string_view metadataNs = "urn:xmpp:avatar:metadata";
constexpr std::string_view dataNs = "urn:xmpp:avatar:data";
constexpr std::string_view onlyItem = "current";
// Nothing in a picture runs, whatever a browser takes it for.
constexpr std::string_view picturePolicy = "default-src 'none'; sandbox";

// A field of ours, and the property of RFC 6351 that has it.
struct Property {
    std::string_view name;
    std::string_view element;
    std::string_view kind;
};
constexpr std::array properties{
    Property{"full_name", "fn", "text"},     Property{"nickname", "nickname", "text"},
    Property{"birthday", "bday", "date"},    Property{"email", "email", "text"},
    Property{"phone", "tel", "text"},        Property{"url", "url", "uri"},
    Property{"organization", "org", "text"}, Property{"title", "title", "text"},
    Property{"role", "role", "text"},        Property{"note", "note", "text"},
};

// The first value, of whatever kind.
std::string_view valueOf(const Element& property) {
    for (const Element& child : property.children())
        if (child.name() != "parameters") return child.text();
    return {};
}

void change(Element& vcard, const Property& property, std::string_view value) {
    bool isFirst = true;
    vcard.removeChildren([&](const Element& child) {
        return child.is(property.element, vcardNs) && std::exchange(isFirst, false);
    });
    if (!value.empty()) vcard.add(property.element).addWithText(property.kind, value);
}

struct PictureInfo {
    std::string id;
    std::string type;
    std::string bytes;
};

std::optional<PictureInfo> infoOf(const Client::Answered& answered) {
    const auto items = itemsOf(answered);
    const Element* metadata = items.empty() ? nullptr : items.back()->child("metadata", metadataNs);
    if (!metadata) return std::nullopt;
    // Of several forms the one that is here, not somewhere in the web.
    for (const Element& info : metadata->children())
        if (info.name() == "info" && info.get("url").empty())
            return PictureInfo{std::string{info.get("id")}, std::string{info.get("type")},
                               std::string{info.get("bytes")}};
    return std::nullopt;
}

std::string_view typeOf(std::string_view bytes) {
    if (bytes.starts_with("\x89PNG\r\n\x1a\n")) return "image/png";
    if (bytes.starts_with("\xff\xd8\xff")) return "image/jpeg";
    if (bytes.starts_with("GIF87a") || bytes.starts_with("GIF89a")) return "image/gif";
    if (bytes.size() > 12 && bytes.starts_with("RIFF") && bytes.substr(8, 4) == "WEBP")
        return "image/webp";
    return {};
}

// Base 64 as others write it, with white space.
std::optional<std::string> decode(std::string_view text) {
    std::string plain;
    for (const char c : text)
        if (c != ' ' && c != '\n' && c != '\r' && c != '\t') plain += c;
    return decodeBase64(plain);
}

void writePicture(JsonWriter& json, const PictureInfo& info, const std::string& path) {
    json.open('{').key("id").value(std::string_view{info.id});
    json.key("type").value(std::string_view{info.type});
    std::int64_t bytes = 0;
    std::from_chars(info.bytes.data(), info.bytes.data() + info.bytes.size(), bytes);
    json.key("bytes").value(bytes).key("path").value(std::string_view{path}).close('}');
}

}  // namespace

Task<Outcome> Service::profileOf(Call& call, Jid whose) {
    auto found = co_await clientOf(call);
    if (found.problem) co_return *found.problem;
    const bool isOwn = whose == call.who.account;
    const Jid asked = isOwn ? Jid{} : whose;
    auto vcardRequest = askForItems(asked, vcardNode);
    const auto vcards = co_await ask(found.client, std::move(vcardRequest));
    // Of somebody else nobody learns whether he has none, isn't there, or doesn't show it.
    if (auto problem = problemWith(vcards); problem && !(isOwn && isAbsent(vcards)))
        co_return *problem;
    auto pictureRequest = askForItems(asked, metadataNs);
    const auto pictures = co_await ask(found.client, std::move(pictureRequest));

    JsonWriter json;
    json.open('{').key("address").value(std::string_view{whose.text()});
    const auto items = itemsOf(vcards);
    if (const Element* vcard = items.empty() ? nullptr : items.back()->child("vcard", vcardNs))
        for (const Property& property : properties)
            if (const Element* element = vcard->child(property.element))
                json.key(property.name).value(valueOf(*element));
    if (const auto info = infoOf(pictures)) {
        json.key("picture");
        writePicture(json, *info,
                     std::string{basePath} +
                         (isOwn ? "/profile/picture" : "/profiles/" + whose.text() + "/picture"));
    }
    co_return jsonAnswer(json.close('}').take());
}

Task<Outcome> Service::showOwnProfile(Call& call) {
    auto outcome = co_await profileOf(call, call.who.account);
    co_return outcome;
}

Task<Outcome> Service::showProfile(Call& call) {
    auto outcome = co_await profileOf(call, call.address("address"));
    co_return outcome;
}

Task<Outcome> Service::setProfile(Call& call) {
    auto found = co_await clientOf(call);
    if (found.problem) co_return *found.problem;
    auto request = askForItems({}, vcardNode);
    const auto before = co_await ask(found.client, std::move(request));
    if (auto problem = problemWith(before); problem && !isAbsent(before)) co_return *problem;

    const auto items = itemsOf(before);
    const Element* known = items.empty() ? nullptr : items.back()->child("vcard", vcardNs);
    auto publishing = publication(vcardNode, onlyItem);
    Element& vcard = known ? publishing.item->add(*known) : publishing.item->add("vcard", vcardNs);
    for (const Property& property : properties)
        if (call.has(property.name)) change(vcard, property, call.text(property.name));
    const auto published = co_await ask(found.client, std::move(publishing.stanza));
    if (auto problem = problemWith(published)) co_return *problem;
    auto outcome = co_await profileOf(call, call.who.account);
    co_return outcome;
}

Task<Outcome> Service::pictureOf(Call& call, Jid whose) {
    auto found = co_await clientOf(call);
    if (found.problem) co_return *found.problem;
    const Jid asked = whose == call.who.account ? Jid{} : whose;
    auto request = askForItems(asked, metadataNs);
    const auto told = co_await ask(found.client, std::move(request));
    const auto info = infoOf(told);
    if (!info) {
        auto problem = problemWith(told);
        if (problem && !isAbsent(told)) co_return *problem;
        co_return notFound("There is no picture.");
    }
    auto dataRequest = askForItems(asked, dataNs, info->id);
    const auto given = co_await ask(found.client, std::move(dataRequest));
    if (auto problem = problemWith(given)) co_return *problem;
    const auto items = itemsOf(given);
    const Element* data = items.empty() ? nullptr : items.front()->child("data", dataNs);
    auto bytes = data ? decode(data->text()) : std::nullopt;
    const std::string_view type = bytes ? typeOf(*bytes) : std::string_view{};
    if (type.empty()) co_return notFound("There is no picture that can be shown.");
    Answer answer;
    answer.body = std::move(*bytes);
    answer.type = type;
    answer.fields = {{"Content-Security-Policy", std::string{picturePolicy}},
                     {"Content-Disposition", "attachment"},
                     {"Cache-Control", "private, no-cache"}};
    co_return answer;
}

Task<Outcome> Service::showOwnPicture(Call& call) {
    auto outcome = co_await pictureOf(call, call.who.account);
    co_return outcome;
}

Task<Outcome> Service::showPicture(Call& call) {
    auto outcome = co_await pictureOf(call, call.address("address"));
    co_return outcome;
}

// The picture first, then word of it (XEP-0084, 4.1 and 4.2).
Task<Outcome> Service::setPicture(Call& call) {
    const std::string_view type = typeOf(call.bytes);
    if (type.empty())
        co_return Problem{.status = 415,
                          .word = "wrong-type",
                          .detail = "The body has to be a PNG, JPEG, GIF or WebP."};
    auto found = co_await clientOf(call);
    if (found.problem) co_return *found.problem;
    const std::string id = encodeHex(digest(Hash::Sha1, call.bytes));
    auto data = publication(dataNs, id);
    data.item->add("data", dataNs).addText(encodeBase64(call.bytes));
    const auto published = co_await ask(found.client, std::move(data.stanza));
    if (auto problem = problemWith(published)) co_return *problem;
    auto metadata = publication(metadataNs, id);
    metadata.item->add("metadata", metadataNs)
        .add("info")
        .set("id", id)
        .set("type", type)
        .set("bytes", std::to_string(call.bytes.size()));
    const auto told = co_await ask(found.client, std::move(metadata.stanza));
    if (auto problem = problemWith(told)) co_return *problem;
    co_return noContent();
}

Task<Outcome> Service::removePicture(Call& call) {
    auto found = co_await clientOf(call);
    if (found.problem) co_return *found.problem;
    auto metadata = publication(metadataNs, "");
    metadata.item->add("metadata", metadataNs);
    const auto told = co_await ask(found.client, std::move(metadata.stanza));
    if (auto problem = problemWith(told)) co_return *problem;
    co_return noContent();
}

}  // namespace epode::rest
