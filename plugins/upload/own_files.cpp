// People see and delete what they have uploaded: by an ad-hoc command, and by requests of which
// programs make something (plugins/rest).
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
    DataForm form{FormKind::Form, ownFilesNs};
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

// <files xmlns='urn:epode:upload:files' before='…' max='…'/>: the newest of one's own, those before
// a number.
Task<Reply> Service::tellOwnFiles(const Iq& iq) {
    const std::string owner{iq.from().bareText()};
    const auto number = [&iq](std::string_view name, std::int64_t otherwise) {
        const std::string_view text = iq.payload().get(name);
        std::int64_t value = 0;
        const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
        const bool isNumber = read.ec == std::errc{} && read.ptr == text.data() + text.size();
        return text.empty() ? otherwise : isNumber ? value : -1;
    };
    FileStore::Listing listing;
    listing.owner = owner;
    listing.before = number("before", INT64_MAX);
    listing.most = std::min(number("max", shownMost), shownMost);
    if (listing.before < 0 || listing.most < 1)
        co_return StanzaError{Condition::BadRequest, "These are no numbers."};
    const auto files = co_await uploads_->store().list(listing, Executor::current()->wallNow());
    const auto usage = co_await uploads_->store().usageOf(owner);
    Document answer{"files", ownFilesNs};
    answer->set("count", std::to_string(usage.files)).set("bytes", std::to_string(usage.bytes));
    for (const StoredFile& file : files) {
        Element& one = answer->add("file")
                           .set("id", std::to_string(file.id))
                           .set("name", file.name)
                           .set("bytes", std::to_string(file.bytes))
                           .set("purpose", toText(file.purpose))
                           .set("at", formatDateTime(file.created))
                           .set("url", urlOf(limits_, file));
        if (!file.type.empty()) one.set("type", file.type);
        if (file.expires < farFuture) one.set("until", formatDateTime(file.expires));
    }
    co_return Reply{std::move(answer)};
}

// <files xmlns='urn:epode:upload:files'><delete id='…'/></files>
Task<Reply> Service::deleteOwnFiles(const Iq& iq) {
    std::vector<std::int64_t> ids;
    for (const Element& child : iq.payload().children()) {
        const std::string_view text = child.get("id");
        std::int64_t id = 0;
        const auto read = std::from_chars(text.data(), text.data() + text.size(), id);
        const bool isNumber = read.ec == std::errc{} && read.ptr == text.data() + text.size();
        if (!child.is("delete", ownFilesNs) || !isNumber || std::int64_t(ids.size()) == shownMost)
            co_return StanzaError{Condition::BadRequest, "Name the files by their numbers."};
        ids.push_back(id);
    }
    std::string owner{iq.from().bareText()};
    const auto doomed = co_await uploads_->store().doom(std::move(ids), std::move(owner));
    if (doomed == 0) co_return StanzaError{Condition::ItemNotFound, "You have no such file."};
    uploads_->wake();
    co_return Reply{};
}

}  // namespace epode::upload
