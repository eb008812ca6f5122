#include "account_files.h"

#include "service.h"

#include "core/digest.h"
#include "core/time_format.h"
#include "route/server.h"

namespace epode::upload {

namespace {

constexpr QName filesElement{"urn:epode:upload:0", "files"};
constexpr std::int64_t pageFiles = 200;

Task<std::int64_t> writeFiles(AccountRef account, AccountSink& sink) {
    const auto uploads = Uploads::of(account.server);
    const Limits limits{*account.server.settings(), std::string{account.jid.domain()}};
    const WallTime now = account.server.here().executor().wallNow();
    FileStore::Listing listing;
    listing.owner = account.jid.text();
    listing.most = pageFiles;
    std::int64_t written = 0;
    for (;;) {
        const auto files = co_await uploads->store().list(listing, now);
        if (files.empty()) co_return written;
        Document all{filesElement.name, filesElement.ns};
        for (const StoredFile& file : files) {
            Element& one = all->add("file");
            one.set("name", file.name)
                .set("type", file.type)
                .set("size", std::to_string(file.bytes))
                .set("purpose", toText(file.purpose))
                .set("url", urlOf(limits, file))
                .set("sha-256", encodeHex(file.checksum))
                .set("uploaded", formatDateTime(file.created));
            if (file.expires < farFuture) one.set("expires", formatDateTime(file.expires));
        }
        std::string xml = toXml(*all);
        co_await sink.write(std::move(xml));
        written += std::int64_t(files.size());
        listing.before = files.back().id;
    }
}

// They are where they were.
Task<DataCount> readFiles(AccountRef, const Element& element) {
    co_return DataCount{0, std::int64_t(element.children().size())};
}

Task<std::int64_t> eraseFiles(AccountRef account) {
    const auto uploads = Uploads::of(account.server);
    const auto doomed = co_await uploads->store().doomAll(account.id);
    if (doomed > 0) uploads->wake();
    co_return doomed;
}

}  // namespace

AccountData accountFiles() {
    return {.what = "uploaded files",
            .elements = {filesElement},
            .write = writeFiles,
            .read = readFiles,
            .erase = eraseFiles};
}

}  // namespace epode::upload
