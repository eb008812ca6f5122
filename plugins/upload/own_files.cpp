// An ad-hoc command by which people see and delete what they have uploaded.
#include "service.h"

#include "core/data_form.h"
#include "core/time_format.h"
#include "route/server.h"

#include <algorithm>
#include <charconv>

namespace epode::upload {

namespace {

constexpr std::int64_t shownMost = 100;

std::string describe(const StoredFile& file) {
    std::string text = file.name + " (" + toText(Bytes{std::uint64_t(file.bytes)}) + ", " +
                       formatDateTime(file.created).substr(0, 10);
    if (file.expires < farFuture)
        text += ", kept until " + formatDateTime(file.expires).substr(0, 10);
    return text + ")";
}

}  // namespace

Task<AdHocReply> Service::ownFiles(const AdHocCall& call) {
    const std::string owner{call.caller.bareText()};
    if (!call.answers.empty()) {
        std::vector<std::int64_t> ids;
        if (const FormField* field = call.answers[0].find("delete"))
            for (const std::string& value : field->values) {
                std::int64_t id = 0;
                std::from_chars(value.data(), value.data() + value.size(), id);
                ids.push_back(id);
            }
        const auto doomed = co_await uploads_->store().doom(std::move(ids), owner);
        if (doomed > 0) uploads_->wake();
        AdHocReply done = AdHocReply::done();
        done.note(doomed == 0   ? "Nothing was deleted."
                  : doomed == 1 ? "One file was deleted."
                                : std::to_string(doomed) + " files were deleted.");
        co_return done;
    }
    FileStore::Listing listing;
    listing.owner = owner;
    listing.most = shownMost;
    const auto files = co_await uploads_->store().list(listing, call.shard.executor().wallNow());
    const auto usage = co_await uploads_->store().usageOf(owner);
    if (files.empty()) {
        AdHocReply none = AdHocReply::done();
        none.note("You have no uploaded files.");
        co_return none;
    }
    DataForm form{FormKind::Form, "urn:epode:upload:files"};
    form.setTitle("My uploaded files");
    form.setInstructions(std::to_string(usage.files) + " files, " +
                         toText(Bytes{std::uint64_t(usage.bytes)}) +
                         ". Choose those that nobody shall get any more.");
    FormField field{.var = "delete", .type = FieldType::ListMulti, .label = "Delete"};
    for (const StoredFile& file : files)
        field.options.push_back({std::to_string(file.id), describe(file)});
    form.add(std::move(field));
    co_return AdHocReply::ask(std::move(form));
}

}  // namespace epode::upload
