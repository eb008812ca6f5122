#include "file_type.h"
#include "service.h"

#include "core/digest.h"
#include "core/metric.h"
#include "core/random.h"
#include "core/time_format.h"
#include "route/server.h"
#include "store/stores.h"

#include <algorithm>

namespace epode::upload {

namespace {

constexpr QName requestElement{uploadNs, "request"};

Counter slotsGiven{"epode_upload_slots_total", "Uploads that were announced and may come"};
Counter slotsRefused{"epode_upload_refused_total",
                     "Uploads that were refused when they were announced"};

// What the error has beside its condition is said by `add`.
template <typename Add>
Reply refuse(const Iq& iq, const StanzaError& error, Add add) {
    auto answer = iq.stanza().error(error);
    add(*answer->edit().child("error"));
    iq.shard().server().route(std::move(answer));
    return Reply::none();
}

}  // namespace

std::string urlOf(const Limits& limits, const StoredFile& file) {
    return limits.publicUrl + "/upload/" + file.token + "/" + percentEncoded(file.name);
}

void Service::serveSlots(PluginContext& context, ServedDomain& domain) {
    domain.disco.identities.push_back({"store", "file", "HTTP File Upload"});
    domain.disco.features.emplace_back(uploadNs);
    for (const Purpose purpose : allPurposes)
        if (limits_.offers(purpose))
            domain.disco.features.push_back(std::string{purposeNs} + "#" +
                                            std::string{toText(purpose)});
    domain.disco.extensions.emplace_back([most = limits_.message.fileBytesMax](Element& query) {
        DataForm form{FormKind::Result, uploadNs};
        form.add({.var = "max-file-size", .values = {std::to_string(most)}});
        form.addTo(query);
    });
    context.onIq(StanzaType::Get, requestElement, Addressee::Domain, domain, this,
                 &Service::giveSlot);
    context.onIq(StanzaType::Get, QName{ownFilesNs, "files"}, Addressee::Domain, domain, this,
                 &Service::tellOwnFiles);
    context.onIq(StanzaType::Set, QName{ownFilesNs, "files"}, Addressee::Domain, domain, this,
                 &Service::deleteOwnFiles);
}

Task<std::optional<Service::Owner>> Service::ownerOf(const Iq& iq) const {
    const Jid& from = iq.from();
    Owner owner{std::string{from.bareText()}, 0};
    if (std::find(limits_.guests.begin(), limits_.guests.end(), from.domain()) !=
        limits_.guests.end())
        co_return owner;
    if (from.domain() != host_ || !from.hasLocal()) co_return std::nullopt;
    if (const Account* account = iq.shard().loaded(owner.address)) {
        owner.account = account->id();
        co_return owner;
    }
    const auto found = co_await server_.stores().accounts.find(owner.address);
    if (!found) co_return std::nullopt;
    owner.account = *found;
    co_return owner;
}

Task<Reply> Service::giveSlot(const Iq& iq) {
    const auto owner = co_await ownerOf(iq);
    if (!owner) {
        slotsRefused.add();
        co_return StanzaError{Condition::Forbidden, "Uploads are for the users of this server."};
    }
    const WallTime now = iq.shard().executor().wallNow();
    const auto read = readSlotRequest(iq.payload(), limits_, now);
    if (const auto* problem = std::get_if<StanzaError>(&read)) {
        slotsRefused.add();
        co_return *problem;
    }
    const auto& asked = std::get<SlotRequest>(read);
    const PurposeLimits& limits = limits_.of(asked.purpose);
    if (std::uint64_t(asked.bytes) > limits.fileBytesMax)
        co_return tooLarge(iq, limits.fileBytesMax);
    const std::uint64_t free = uploads_->storage()->freeBytes();
    if (free < limits_.freeBytesMin || free - limits_.freeBytesMin < std::uint64_t(asked.bytes))
        co_return noRoom(iq, FileStore::Refused{FileStore::Full::Host, std::nullopt});

    const std::string key = randomId();
    StoredFile file;
    file.token = randomId();
    file.putHash = digest(Hash::Sha256, key);
    file.place = uploads_->storage()->makePlace();
    file.host = host_;
    file.account = owner->account;
    file.owner = owner->address;
    file.name = asked.name;
    file.type = asked.type;
    file.bytes = asked.bytes;
    file.purpose = asked.purpose;
    file.created = now;
    file.expires =
        now + std::chrono::duration_cast<std::chrono::milliseconds>(limits_.slotLifetime);
    file.keptUntil = asked.keptUntil(limits_, now);
    const FileStore::Quotas quotas{limits_.openSlotsMax, std::int64_t(limits.accountBytesMax),
                                   std::int64_t(limits_.hostBytesMax)};
    const auto outcome = co_await uploads_->store().announce(file, quotas);
    if (const auto* refused = std::get_if<FileStore::Refused>(&outcome))
        co_return noRoom(iq, *refused);
    slotsGiven.add();
    Document slot{"slot", uploadNs};
    const std::string url = urlOf(limits_, file);
    slot->add("put").set("url", url + "?key=" + key);
    slot->add("get").set("url", url);
    co_return slot;
}

Reply Service::tooLarge(const Iq& iq, std::uint64_t most) const {
    slotsRefused.add();
    const std::string bytes = std::to_string(most);
    return refuse(iq,
                  {ErrorType::Modify, Condition::NotAcceptable,
                   "The file is too large; the largest has " + bytes + " bytes."},
                  [&bytes](Element& error) {
                      error.add("file-too-large", uploadNs).addWithText("max-file-size", bytes);
                  });
}

Reply Service::noRoom(const Iq& iq, const FileStore::Refused& refused) const {
    slotsRefused.add();
    std::string text;
    switch (refused.what) {
        case FileStore::Full::Slots:
            text = "You have announced as many uploads as you may; complete them first.";
            break;
        case FileStore::Full::Account:
            text = refused.retry
                       ? "Your files take as much room as they may, until older ones have gone."
                       : "Your files take as much room as they may; delete some of them.";
            break;
        case FileStore::Full::Host:
            text = "The server has no room for this file at the moment.";
            break;
    }
    return refuse(iq, {ErrorType::Wait, Condition::ResourceConstraint, text},
                  [&refused](Element& error) {
                      if (refused.retry)
                          error.add("retry", uploadNs).set("stamp", formatDateTime(*refused.retry));
                  });
}

}  // namespace epode::upload
