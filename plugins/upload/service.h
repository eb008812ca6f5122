// HTTP File Upload (XEP-0363) of one host: slots over XMPP, files over HTTP.
#pragma once

#include "limits.h"
#include "slot_request.h"
#include "uploads.h"

#include "plugin/plugin.h"
#include "receiving.h"

#include <memory>
#include <optional>
#include <string>

namespace epode::upload {

inline constexpr std::string_view ownFilesNs = "urn:epode:upload:files";

class Service final : public Plugin {
public:
    explicit Service(PluginContext& context);

private:
    // Who uploads.
    struct Owner {
        std::string address;
        AccountId account = 0;  // 0: a guest
    };
    // A slot in use, until it is dropped.
    class Claim;
    using ClaimPtr = std::shared_ptr<Claim>;

    // slots.cpp
    void serveSlots(PluginContext& context, ServedDomain& domain);
    Task<Reply> giveSlot(const Iq& iq);
    Task<std::optional<Owner>> ownerOf(const Iq& iq) const;
    Reply tooLarge(const Iq& iq, std::uint64_t most) const;
    Reply noRoom(const Iq& iq, const FileStore::Refused& refused) const;

    // web.cpp
    void serveWeb(PluginContext& context);
    void answer(const HttpExchangePtr& exchange);
    Task<void> send(HttpExchangePtr exchange);
    void sendThumbnail(const HttpExchangePtr& exchange, const StoredFile& file);
    PictureWish picturesOf(Purpose purpose) const;
    Task<void> receive(HttpExchangePtr exchange);
    Task<void> settle(HttpExchangePtr exchange, ClaimPtr claim, StoredFile file, Received received);

    // own_files.cpp
    Task<AdHocReply> ownFiles(const AdHocCall& call);
    Task<Reply> tellOwnFiles(const Iq& iq);
    Task<Reply> deleteOwnFiles(const Iq& iq);

    // care.cpp
    void takeCare(PluginContext& context);
    Task<Duration> care();
    Verdict accountRemoved(AccountEvent& event);

    Server& server_;
    const std::string host_;
    const Limits limits_;
    const std::shared_ptr<Uploads> uploads_;
    bool isCleaned_ = false;  // of the background work, as the next
    AccountId lookedAt_ = 0;  // for accounts that are gone
    SteadyTime lookAgain_{};
};

// The address of a file, below what is configured.
std::string urlOf(const Limits& limits, const StoredFile& file);

// With the small picture that may be beside it. Blocks.
void removeFile(FileStorage& storage, const StoredFile& file);

}  // namespace epode::upload
